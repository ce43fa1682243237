/*
 * The pods' network on this machine: a bridge with the subnet's first address, forwarding between
 * it and the rest, and masquerading of what leaves it. Rules are in a table of our own, replaced as
 * a whole, and wanted but not needed: without nft pods reach this machine and each other, only not
 * beyond.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cluster/node/cgroup.h"
#include "cluster/node/ipam.h"
#include "cluster/node/netlink.h"
#include "cluster/node/node.h"
#include "cluster/node/rootfs.h"
#include "net/proc.h"

#define NFT_TIMEOUT_MS 10000

static void enable_forwarding(void)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_forward";
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1)
        log_warn("node", "cannot set %s: %s; pods reach nothing beyond this machine", path,
                 strerror(errno));
}

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

int node_bridge_setup(const char *bridge, const char *subnet, char ret_ip[static 64], struct err *e)
{
    struct ipam *p = ipam_new(subnet, e);
    if (!p)
        return -EINVAL;
    uint32_t gateway = ipam_gateway(p);
    int prefix = ipam_prefix(p);
    ipam_free(p);
    _cleanup_(nl_closep) struct nl *n = nl_open(e);
    if (!n)
        return -EIO;
    int r = nl_bridge_add(n, bridge, e);
    if (r == 0)
        r = nl_addr_add(n, bridge, gateway, prefix, e);
    if (r == 0)
        r = nl_link_up(n, bridge, e);
    if (r < 0)
        return err_prefix(e, "setting up the pods' network %s (as root?)", subnet);
    ip_text(gateway, ret_ip);
    enable_forwarding();
    set_rules(bridge, subnet);
    return 0;
}

static int find_runtime(struct err *e)
{
    const char *const argv[] = {"crun", "--version", NULL};
    struct proc_opts o = {.argv = argv, .timeout_ms = NFT_TIMEOUT_MS};
    _cleanup_free_ char *out = NULL;
    int r = proc_run(&o, &out, e);
    if (r < 0)
        return err_prefix(e, "crun, which runs the containers, is missing; install it: apt "
                             "install crun");
    return r == 0 ? 0 : err_set(e, -ENOEXEC, "crun --version fails: %s", out ? out : "");
}

int node_preflight(struct err *e)
{
    enum cgroup_mode mode;
    if (geteuid() != 0)
        return err_set(e, -EPERM, "running pods needs root: start as root (sudo nonagon …)");
    int r = find_runtime(e);
    if (r == 0)
        r = cgroup_detect(&mode, e);
    return r == 0 ? rootfs_supported(e) : r;
}
