/* The names come as one list with colons, in the order of the descriptors, which start at 3. */
#include "net/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define FIRST_FD 3

static int parse_names(struct activation *a, const char *names, struct err *e)
{
    struct str rest = str_of(names), name;
    size_t n = 0;

    while (str_split(&rest, ':', &name)) {
        if (n == a->n || name.n >= sizeof(a->names[n]))
            return err_set(e, -EINVAL, "LISTEN_FDNAMES \"%s\" does not fit %zu sockets", names,
                           a->n);
        memcpy(a->names[n], name.p, name.n);
        a->names[n++][name.n] = '\0';
    }
    if (n != a->n)
        return err_set(e, -EINVAL, "LISTEN_FDNAMES \"%s\" does not fit %zu sockets", names, a->n);
    return 0;
}

int activation_parse(const char *pid, const char *fds, const char *names, pid_t self,
                     struct activation *ret, struct err *e)
{
    struct activation a = {.first_fd = FIRST_FD};
    int64_t for_pid, n;

    *ret = a;
    if (!pid || !fds)
        return 0;
    if (str_i64(str_of(pid), &for_pid) < 0 || for_pid <= 0)
        return err_set(e, -EINVAL, "LISTEN_PID \"%s\" is no process id", pid);
    if (for_pid != self)
        return 0;
    if (str_i64(str_of(fds), &n) < 0 || n < 0 || n > ACTIVATION_MAX)
        return err_set(e, -EINVAL, "LISTEN_FDS \"%s\" is not a number from 0 to %d", fds,
                       ACTIVATION_MAX);
    a.n = (size_t)n;
    int r = names && n > 0 ? parse_names(&a, names, e) : 0;
    if (r == 0)
        *ret = a;
    return r;
}

int activation_take(struct activation *ret, struct err *e)
{
    int r = activation_parse(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"),
                             getpid(), ret, e);

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    for (size_t i = 0; r == 0 && i < ret->n; i++) {
        if (fcntl(ret->first_fd + (int)i, F_SETFD, FD_CLOEXEC) < 0)
            r = err_sys(e, errno, "cannot use the socket %d that systemd announced",
                        ret->first_fd + (int)i);
    }
    return r;
}

int activation_fd(const struct activation *a, const char *name, size_t i)
{
    for (size_t k = 0; k < a->n; k++) {
        if (streq(a->names[k], name) && i-- == 0)
            return a->first_fd + (int)k;
    }
    return -1;
}
