/* Reads what the kernel shows in /sys; changes by netlink. */
#include "cluster/node/network/bridge_link.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define ALIAS "nonagon"

static ssize_t read_at(const char *link, const char *name, char *ret, size_t size)
{
    _cleanup_free_ char *path = xasprintf("/sys/class/net/%s/%s", link, name);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);
    ret[n > 0 ? n : 0] = 0;
    return n;
}

static int write_at(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

bool bridge_link_is_ours(const char *bridge)
{
    char alias[64];
    return read_at(bridge, "ifalias", alias, sizeof alias) > 0 && streq(alias, ALIAS "\n");
}

int bridge_link_make(struct nl *n, const struct net_spec *s, struct err *e)
{
    _cleanup_free_ char *alias = xasprintf("/sys/class/net/%s/ifalias", s->bridge);
    _cleanup_free_ char *v6 = xasprintf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", s->bridge);
    int r = nl_bridge_add(n, s->bridge, s->mac, e);
    if (r < 0)
        return r;
    r = write_at(alias, ALIAS);
    if (r < 0)
        return err_sys(e, -r, "marking the bridge %s as made here", s->bridge);
    r = write_at(v6, "1"); /* nothing of ours speaks it, so nobody should be reached by it */
    return r == 0 || r == -ENOENT ? 0 : err_sys(e, -r, "setting %s", v6);
}

bool bridge_link_is_up(const char *bridge)
{
    char text[32];
    return read_at(bridge, "flags", text, sizeof text) > 0 && strtoul(text, NULL, 16) & IFF_UP;
}

bool bridge_link_has_mac(const struct net_spec *s)
{
    char text[32], want[32];
    const uint8_t *m = s->mac;
    snprintf(want, sizeof want, "%02x:%02x:%02x:%02x:%02x:%02x\n", m[0], m[1], m[2], m[3], m[4],
             m[5]);
    return read_at(s->bridge, "address", text, sizeof text) > 0 && streq(text, want);
}

bool bridge_link_has_address(const struct net_spec *s)
{
    struct ifaddrs *all;
    bool has = false;
    if (getifaddrs(&all) < 0)
        return false;
    for (struct ifaddrs *i = all; i; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && streq(i->ifa_name, s->bridge) &&
            ntohl(((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr) == s->gateway)
            has = true;
    freeifaddrs(all);
    return has;
}

/* ---- ports ---- */
static bool is_in(const char *port, const char *bridge)
{
    _cleanup_free_ char *path = xasprintf("/sys/class/net/%s/master", port);
    char target[256];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = 0;
    const char *name = strrchr(target, '/');
    return streq(name ? name + 1 : target, bridge);
}

static int look_at(struct nl *n, const struct net_spec *s, const char *port, uint32_t addr,
                   size_t *moved, size_t *astray, struct err *e)
{
    if (!is_in(port, s->bridge)) {
        int r = nl_link_master(n, port, s->bridge, e);
        if (r < 0)
            return if_nametoindex(port) == 0 ? 0 : r; /* its pod went meanwhile */
        ++*moved;
    }
    *astray += nl_route_of(n, addr) != if_nametoindex(s->bridge);
    return 0;
}

int bridge_link_ports(struct nl *n, const struct net_spec *s, size_t *ret, size_t *ret_astray,
                      struct err *e)
{
    DIR *d = opendir("/sys/class/net");
    uint32_t addr;
    int r = 0;
    *ret = *ret_astray = 0;
    for (struct dirent *de; d && r == 0 && (de = readdir(d));)
        if (net_spec_port_parse(de->d_name, &addr) && net_spec_has(s, addr))
            r = look_at(n, s, de->d_name, addr, ret, ret_astray, e);
    if (d)
        closedir(d);
    return r;
}
