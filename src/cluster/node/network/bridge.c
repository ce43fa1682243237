/*
 * The pods' network on this machine: a bridge with the subnet's first address, forwarding between
 * it and the rest, and masquerading of what leaves it. Rules are in a table of our own, replaced as
 * a whole, and wanted but not needed: without nft pods reach this machine and each other, only not
 * beyond.
 *
 * A bridge that we made carries our alias, so that one of somebody else is never removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cluster/node/network/bridge.h"
#include "cluster/node/network/ipam.h"
#include "cluster/node/network/netlink.h"
#include "net/proc.h"

#define NFT_TIMEOUT_MS 10000
#define POLL_US        5000
#define ALIAS          "nonagon"

static void enable_forwarding(void)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_forward";
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1)
        log_warn("node", "cannot set %s: %s; pods reach nothing beyond this machine", path,
                 strerror(errno));
}

/* ---- whose bridge it is ---- */
static void mark_as_ours(const char *bridge)
{
    _cleanup_free_ char *path = xasprintf("/sys/class/net/%s/ifalias", bridge);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, ALIAS, strlen(ALIAS)) < 0)
        log_warn("node", "cannot mark the bridge %s as made here, it will stay: %s", bridge,
                 strerror(errno));
}

static bool is_ours(const char *bridge)
{
    _cleanup_free_ char *path = xasprintf("/sys/class/net/%s/ifalias", bridge);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    char alias[64];
    ssize_t n = fd < 0 ? -1 : read(fd, alias, sizeof alias - 1);
    return n > 0 && str_eq((struct str){alias, (size_t)n}, STR(ALIAS "\n"));
}

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

/* ---- rules ---- */
static void set_rules(const char *bridge, const char *subnet)
{
    _cleanup_free_ char *rules =
        xasprintf("table ip %s\ndelete table ip %s\ntable ip %s {\n"
                  "chain leaving {\ntype nat hook postrouting priority 100; policy accept;\n"
                  "ip saddr %s ip daddr != %s oifname != \"%s\" masquerade\n}\n"
                  "chain passing {\ntype filter hook forward priority 0; policy accept;\n"
                  "iifname \"%s\" accept\noifname \"%s\" accept\n}\n}\n",
                  bridge, bridge, bridge, subnet, subnet, bridge, bridge, bridge);
    const char *const argv[] = {"nft", "-f", "-", NULL};
    struct proc_opts o = {.argv = argv, .input = rules, .timeout_ms = NFT_TIMEOUT_MS};
    _cleanup_free_ char *out = NULL;
    struct err why = {0};
    int r = proc_run(&o, &out, &why);
    if (r != 0)
        log_warn("node",
                 "no masquerading for pods, they reach nothing beyond this machine: nft: %s "
                 "(apt install nftables)",
                 r < 0 ? why.msg
                 : out ? out
                       : "failed");
}

static void remove_rules(const char *bridge)
{
    _cleanup_free_ char *rules = xasprintf("table ip %s\ndelete table ip %s\n", bridge, bridge);
    const char *const argv[] = {"nft", "-f", "-", NULL};
    struct proc_opts o = {.argv = argv, .input = rules, .timeout_ms = NFT_TIMEOUT_MS};
    (void)proc_run(&o, NULL, NULL); /* without nft there are none */
}

/* ---- one subnet, one interface ---- */
static uint32_t host_order(const struct sockaddr *a)
{
    return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr);
}

/* With one network on two interfaces the kernel sends to either, and pods seem to hang. A wider
 * network elsewhere does no harm: the narrower route wins. */
static int check_unshared(const char *bridge, const char *subnet, uint32_t gateway, int prefix,
                          struct err *e)
{
    uint32_t mask = ~0U << (32 - prefix);
    struct ifaddrs *all;
    int r = 0;
    if (getifaddrs(&all) < 0)
        return 0; /* what follows needs the same and says why it fails */
    for (struct ifaddrs *i = all; i && r == 0; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !i->ifa_netmask ||
            streq(i->ifa_name, bridge))
            continue;
        bool wider = (host_order(i->ifa_netmask) & mask) != mask;
        if (!wider && (host_order(i->ifa_addr) & mask) == (gateway & mask))
            r = err_set(e, -EADDRINUSE,
                        "the pods' network %s overlaps with that of the interface %s; choose "
                        "another with --subnet, or remove that interface: ip link del %s",
                        subnet, i->ifa_name, i->ifa_name);
    }
    freeifaddrs(all);
    return r;
}

int node_bridge_setup(const char *bridge, const char *subnet, char ret_ip[static 64], struct err *e)
{
    struct ipam *p = ipam_new(subnet, e);
    if (!p)
        return -EINVAL;
    uint32_t gateway = ipam_gateway(p);
    int prefix = ipam_prefix(p);
    ipam_free(p);
    if (check_unshared(bridge, subnet, gateway, prefix, e) < 0)
        return e->code;
    _cleanup_(nl_closep) struct nl *n = nl_open(e);
    if (!n)
        return -EIO;
    bool existed = if_nametoindex(bridge) != 0;
    int r = nl_bridge_add(n, bridge, e);
    if (r == 0 && !existed)
        mark_as_ours(bridge);
    if (r == 0)
        r = nl_addr_add(n, bridge, gateway, prefix, e);
    if (r == 0)
        r = nl_link_up(n, bridge, e);
    if (r < 0)
        return err_prefix(e, "setting up the pods' network %s (as root?)", subnet);
    ipam_text(gateway, ret_ip);
    enable_forwarding();
    set_rules(bridge, subnet);
    return 0;
}

bool node_bridge_teardown(const char *bridge, uint64_t wait_ms)
{
    int64_t deadline = clock_mono_ns() + (int64_t)wait_ms * NS_PER_MS;
    while (has_ports(bridge)) {
        if (clock_mono_ns() >= deadline)
            return false;
        usleep(POLL_US);
    }
    remove_rules(bridge);
    if (!is_ours(bridge))
        return false;
    _cleanup_(nl_closep) struct nl *n = nl_open(NULL);
    return n && nl_link_delete(n, bridge, NULL) == 0;
}
