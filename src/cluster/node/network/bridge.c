/*
 * Setting up is repairing what is not there yet. A bridge that we made carries our alias, so that
 * one of somebody else is never removed.
 */
#include "cluster/node/network/bridge.h"

#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cluster/node/network/bridge_link.h"
#include "cluster/node/network/ipam.h"
#include "cluster/node/network/rules.h"

#define POLL_US 5000

static bool has_ports(const char *bridge)
{
    _cleanup_free_ char *path = xasprintf("/sys/class/net/%s/brif", bridge);
    DIR *d = opendir(path);
    bool any = false;
    for (struct dirent *de; d && !any && (de = readdir(d));)
        any = de->d_name[0] != '.';
    if (d)
        closedir(d);
    return any;
}

/* ---- one subnet, one interface ---- */
static uint32_t host_order(const struct sockaddr *a)
{
    return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr);
}

/* With one network on two interfaces the kernel sends to either, and pods seem to hang. A wider
 * network elsewhere does no harm: the narrower route wins. */
static int check_unshared(const struct net_spec *s, struct err *e)
{
    uint32_t mask = ~0U << (32 - s->prefix);
    struct ifaddrs *all;
    int r = 0;
    if (getifaddrs(&all) < 0)
        return 0; /* what follows needs the same and says why it fails */
    for (struct ifaddrs *i = all; i && r == 0; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !i->ifa_netmask ||
            streq(i->ifa_name, s->bridge))
            continue;
        bool wider = (host_order(i->ifa_netmask) & mask) != mask;
        if (!wider && (host_order(i->ifa_addr) & mask) == s->net)
            r = err_set(e, -EADDRINUSE,
                        "the pods' network %s overlaps with that of the interface %s; choose "
                        "another with --subnet, or remove that interface: ip link del %s",
                        s->subnet, i->ifa_name, i->ifa_name);
    }
    freeifaddrs(all);
    return r;
}

int node_bridge_setup(const char *bridge, const char *subnet, char ret_ip[static 64], struct err *e)
{
    struct net_spec s;
    struct bridge_memory m = {0};
    char found[BRIDGE_FOUND_LEN];
    int r = net_spec_read(bridge, subnet, &s, e);
    if (r == 0)
        r = check_unshared(&s, e);
    if (r < 0)
        return r;
    r = bridge_repair(&s, &m, true, found, e);
    bridge_memory_done(&m);
    if (r < 0)
        return err_prefix(e, "setting up the pods' network %s (as root?)", subnet);
    ipam_text(s.gateway, ret_ip);
    return 0;
}

bool node_bridge_teardown(const char *bridge, const char *subnet, uint64_t wait_ms)
{
    int64_t deadline = clock_mono_ns() + (int64_t)wait_ms * NS_PER_MS;
    while (has_ports(bridge)) {
        if (clock_mono_ns() >= deadline)
            return false;
        usleep(POLL_US);
    }
    struct net_spec s;
    _cleanup_(nl_closep) struct nl *n = nl_open(NULL);
    if (!n || net_spec_read(bridge, subnet, &s, NULL) < 0)
        return false;
    forwarding_restore(bridge);
    rules_remove(bridge);
    bool gone = bridge_link_is_ours(bridge) && nl_link_delete(n, bridge, NULL) == 0;
    nl_refuse_route(n, false, s.net, s.prefix, NULL);
    return gone;
}
