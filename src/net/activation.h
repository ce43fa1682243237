/*
 * Listening sockets that systemd made for us and keeps while we restart: its protocol of
 * environment variables (sd_listen_fds(3)).
 */
#ifndef NONAGON_NET_ACTIVATION_H
#define NONAGON_NET_ACTIVATION_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define ACTIVATION_MAX 64

struct activation {
    size_t n;
    int first_fd;
    char names[ACTIVATION_MAX][64]; /* FileDescriptorName=, "" where none is given */
};

/*
 * From the values of LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES (each may be NULL). Nothing given,
 * or meant for another process than self: no sockets, success. -EINVAL if the values contradict.
 */
int activation_parse(const char *pid, const char *fds, const char *names, pid_t self,
                     struct activation *ret, struct err *e);
/* The same from the environment, which it clears of them; marks the sockets close-on-exec. Before
 * other threads run. */
int activation_take(struct activation *ret, struct err *e);
/* The i-th descriptor of that name, or -1; for listen_opts.fd. */
int activation_fd(const struct activation *a, const char *name, size_t i);

#endif
