/*
 * Linux forwards a packet when the interface that it came in by forwards. The switch for all is
 * left alone, since with it every interface would pass on what anybody sends. What we switched on
 * is kept in a file that a restart of the machine empties, as it empties the switches.
 */
#include "cluster/node/network/forwarding.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#define FOLDER     "/run/nonagon"
#define MAX_RECORD 4096
#define FOR_ALL    "/proc/sys/net/ipv4/ip_forward"

void forwarding_names_done(forwarding_names *n)
{
    for (size_t i = 0; i < n->n; i++)
        free(n->p[i]);
    vec_done(n);
}

static bool has_name(const forwarding_names *n, const char *name)
{
    for (size_t i = 0; i < n->n; i++)
        if (streq(n->p[i], name))
            return true;
    return false;
}

/* ---- switches ---- */
static char *switch_of(const char *name)
{
    return xasprintf("/proc/sys/net/ipv4/conf/%s/forwarding", name);
}

static bool is_on(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    char c = '0';
    return fd >= 0 && read(fd, &c, 1) == 1 && c == '1';
}

static int set(const char *path, const char *value, struct err *e)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, 1) != 1)
        return err_sys(e, errno, "setting %s, without which pods reach nothing beyond this machine",
                       path);
    return 0;
}

/* ---- the record ---- */
static char *record_of(const char *bridge)
{
    return xasprintf(FOLDER "/%s.forwarding", bridge);
}

static void record_read(const char *bridge, forwarding_names *ret)
{
    _cleanup_free_ char *path = record_of(bridge);
    _cleanup_buf_ struct buf text = BUF_INIT(MAX_RECORD);
    if (file_get(AT_FDCWD, path, &text, NULL) < 0)
        return;
    struct str rest = {text.p, text.n}, line;
    while (str_split(&rest, '\n', &line))
        if (line.n && line.n < IFNAMSIZ)
            vec_push(ret, xstrndup(line.p, line.n));
}

static int record_write(const char *bridge, const forwarding_names *names, struct err *e)
{
    _cleanup_free_ char *path = record_of(bridge);
    _cleanup_buf_ struct buf text = BUF_INIT(MAX_RECORD);
    for (size_t i = 0; i < names->n; i++)
        if (buf_addf(&text, "%s\n", names->p[i]) < 0)
            return err_set(e, -E2BIG, "too many interfaces to forward between");
    if (mkdir(FOLDER, 0700) < 0 && errno != EEXIST)
        return err_sys(e, errno, "making " FOLDER);
    return file_put(AT_FDCWD, path, (struct str){text.p, text.n}, 0600, FILE_UNSYNCED, e);
}

/* ---- the whole ---- */
static void add_missing(const char *bridge, forwarding_names *names)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || i->ifa_flags & IFF_LOOPBACK ||
            streq(i->ifa_name, bridge) || has_name(names, i->ifa_name))
            continue;
        _cleanup_free_ char *path = switch_of(i->ifa_name);
        if (!is_on(path))
            vec_push(names, xstrdup(i->ifa_name));
    }
    freeifaddrs(all);
}

int forwarding_plan(const char *bridge, forwarding_names *ret, struct err *e)
{
    if (is_on(FOR_ALL))
        return 0;
    record_read(bridge, ret);
    size_t known = ret->n;
    add_missing(bridge, ret);
    return ret->n > known ? record_write(bridge, ret, e) : 0;
}

static int start_one(const char *name, struct err *e)
{
    _cleanup_free_ char *path = switch_of(name);
    if (access(path, F_OK) < 0)
        return 0; /* the interface is gone */
    return is_on(path) ? 0 : set(path, "1", e);
}

int forwarding_start(const char *bridge, const forwarding_names *names, struct err *e)
{
    int r = start_one(bridge, e);
    for (size_t i = 0; r == 0 && i < names->n; i++)
        r = start_one(names->p[i], e);
    return r;
}

void forwarding_restore(const char *bridge)
{
    forwarding_names names = {0};
    _cleanup_free_ char *path = record_of(bridge);
    record_read(bridge, &names);
    for (size_t i = 0; i < names.n && !is_on(FOR_ALL); i++) {
        _cleanup_free_ char *one = switch_of(names.p[i]);
        (void)set(one, "0", NULL); /* gone: nothing is left on */
    }
    unlink(path);
    rmdir(FOLDER); /* another bridge may have its record there */
    forwarding_names_done(&names);
}
