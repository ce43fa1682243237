/*
 * Every request is one message with an acknowledgement, waited for before the next: errors then
 * belong to the request that caused them.
 */
#include "cluster/node/network/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#define PEER_NAME     "eth0"
#define REFUSE_METRIC 0x7ffffffeU /* behind every route that somebody means */

struct nl {
    struct mnl_socket *sock;
    unsigned seq;
    char buf[4096];
};

struct nl *nl_open(struct err *e)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!s) {
        err_sys(e, errno, "opening a netlink socket");
        return NULL;
    }
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
        err_sys(e, errno, "binding a netlink socket");
        mnl_socket_close(s);
        return NULL;
    }
    struct nl *n = xnew(struct nl);
    n->sock = s;
    return n;
}

void nl_close(struct nl *n)
{
    if (!n)
        return;
    mnl_socket_close(n->sock);
    free(n);
}

static struct nlmsghdr *begin(struct nl *n, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(n->buf);
    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    h->nlmsg_seq = ++n->seq;
    return h;
}

/* Sends the message and waits for its answer; returns 0 or a negative errno. */
static int talk(struct nl *n, struct nlmsghdr *h)
{
    if (mnl_socket_sendto(n->sock, h, h->nlmsg_len) < 0)
        return -errno;
    ssize_t got = mnl_socket_recvfrom(n->sock, n->buf, sizeof n->buf);
    if (got < 0)
        return -errno;
    int r = mnl_cb_run(n->buf, (size_t)got, n->seq, mnl_socket_get_portid(n->sock), NULL, NULL);
    return r < 0 ? -errno : 0;
}

static struct ifinfomsg *link_body(struct nlmsghdr *h, unsigned index, bool up)
{
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifi_family = AF_UNSPEC;
    i->ifi_index = (int)index;
    if (up)
        i->ifi_flags = i->ifi_change = IFF_UP;
    return i;
}

int nl_bridge_add(struct nl *n, const char *name, const uint8_t mac[static NL_MAC_LEN],
                  struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    link_body(h, 0, true);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    mnl_attr_put(h, IFLA_ADDRESS, NL_MAC_LEN, mac);
    struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(h, info);
    int r = talk(n, h);
    return r == 0 || r == -EEXIST ? 0 : err_sys(e, -r, "making the bridge %s", name);
}

/* Looking up opens a socket, which fails for reasons of its own: too many open files. */
static unsigned index_of(const char *name, struct err *e)
{
    unsigned index = if_nametoindex(name);
    if (index == 0)
        err_sys(e, errno, "looking for the interface %s", name);
    return index;
}

int nl_link_up(struct nl *n, const char *name, struct err *e)
{
    unsigned index = index_of(name, e);
    if (index == 0)
        return e ? e->code : -ENODEV;
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, 0);
    link_body(h, index, true);
    int r = talk(n, h);
    return r == 0 ? 0 : err_sys(e, -r, "setting the interface %s up", name);
}

int nl_link_mac(struct nl *n, const char *name, const uint8_t mac[static NL_MAC_LEN], struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, 0);
    link_body(h, if_nametoindex(name), false);
    mnl_attr_put(h, IFLA_ADDRESS, NL_MAC_LEN, mac);
    int r = talk(n, h);
    return r == 0 ? 0 : err_sys(e, -r, "setting the hardware address of %s", name);
}

int nl_link_master(struct nl *n, const char *name, const char *master, struct err *e)
{
    unsigned index = index_of(name, e), into = index ? index_of(master, e) : 0;
    if (into == 0)
        return e ? e->code : -ENODEV;
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, 0);
    link_body(h, index, true);
    mnl_attr_put_u32(h, IFLA_MASTER, into);
    int r = talk(n, h);
    return r == 0 ? 0 : err_sys(e, -r, "putting the interface %s into %s", name, master);
}

int nl_link_delete(struct nl *n, const char *name, struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_DELLINK, 0);
    link_body(h, 0, false);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    int r = talk(n, h);
    return r == 0 || r == -ENODEV ? 0 : err_sys(e, -r, "removing the interface %s", name);
}

int nl_addr_add(struct nl *n, const char *name, uint32_t addr, int prefix, struct err *e)
{
    unsigned index = index_of(name, e);
    if (index == 0)
        return e ? e->code : -ENODEV;
    struct nlmsghdr *h = begin(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *a = mnl_nlmsg_put_extra_header(h, sizeof *a);
    a->ifa_family = AF_INET;
    a->ifa_prefixlen = (uint8_t)prefix;
    a->ifa_index = index;
    uint32_t mask = prefix ? ~0u << (32 - prefix) : 0;
    mnl_attr_put_u32(h, IFA_LOCAL, htonl(addr));
    mnl_attr_put_u32(h, IFA_ADDRESS, htonl(addr));
    mnl_attr_put_u32(h, IFA_BROADCAST, htonl(addr | ~mask));
    int r = talk(n, h);
    return r == 0 || r == -EEXIST ? 0 : err_sys(e, -r, "adding an address to %s", name);
}

static struct rtmsg *route_body(struct nlmsghdr *h, uint8_t type, uint8_t scope, uint32_t net,
                                int prefix)
{
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof *rt);
    rt->rtm_family = AF_INET;
    rt->rtm_table = RT_TABLE_MAIN;
    rt->rtm_protocol = RTPROT_STATIC;
    rt->rtm_scope = scope;
    rt->rtm_type = type;
    rt->rtm_dst_len = (uint8_t)prefix;
    mnl_attr_put_u32(h, RTA_DST, htonl(net));
    return rt;
}

int nl_link_route(struct nl *n, const char *name, uint32_t net, int prefix, uint32_t src,
                  struct err *e)
{
    unsigned index = index_of(name, e);
    if (index == 0)
        return e ? e->code : -ENODEV;
    struct nlmsghdr *h = begin(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    route_body(h, RTN_UNICAST, RT_SCOPE_LINK, net, prefix);
    mnl_attr_put_u32(h, RTA_OIF, index);
    mnl_attr_put_u32(h, RTA_PREFSRC, htonl(src));
    int r = talk(n, h);
    return r == 0 ? 0 : err_sys(e, -r, "adding the route to the pods through %s", name);
}

int nl_refuse_route(struct nl *n, bool add, uint32_t net, int prefix, struct err *e)
{
    struct nlmsghdr *h =
        begin(n, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    route_body(h, RTN_UNREACHABLE, RT_SCOPE_UNIVERSE, net, prefix);
    mnl_attr_put_u32(h, RTA_PRIORITY, REFUSE_METRIC);
    int r = talk(n, h);
    bool fine = r == 0 || (add ? r == -EEXIST : r == -ESRCH);
    return fine ? 0
                : err_sys(e, -r, "%s the route that keeps packets for pods here",
                          add ? "adding" : "removing");
}

/* Sends a question and hands the answer's messages to fn. */
static int ask(struct nl *n, struct nlmsghdr *h, mnl_cb_t fn, void *ctx)
{
    char part[32 * 1024];
    if (mnl_socket_sendto(n->sock, h, h->nlmsg_len) < 0)
        return -errno;
    for (int more = 1; more > 0;) {
        ssize_t got = mnl_socket_recvfrom(n->sock, part, sizeof part);
        if (got < 0)
            return -errno;
        more = mnl_cb_run(part, (size_t)got, n->seq, mnl_socket_get_portid(n->sock), fn, ctx);
        if (more < 0)
            return -errno;
    }
    return 0;
}

struct route_sought {
    uint32_t net;
    int prefix;
    bool found;
};

static int on_route(const struct nlmsghdr *h, void *ctx)
{
    struct route_sought *s = ctx;
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
    struct nlattr *a;
    uint32_t net = 0, metric = 0;
    mnl_attr_for_each(a, h, sizeof *rt)
    {
        if (mnl_attr_get_type(a) == RTA_DST)
            net = ntohl(mnl_attr_get_u32(a));
        if (mnl_attr_get_type(a) == RTA_PRIORITY)
            metric = mnl_attr_get_u32(a);
    }
    if (rt->rtm_type == RTN_UNREACHABLE && rt->rtm_dst_len == s->prefix && net == s->net &&
        metric == REFUSE_METRIC)
        s->found = true;
    return MNL_CB_OK;
}

bool nl_refuse_route_stands(struct nl *n, uint32_t net, int prefix)
{
    struct route_sought s = {net, prefix, false};
    struct nlmsghdr *h = begin(n, RTM_GETROUTE, NLM_F_DUMP);
    h->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof *rt);
    rt->rtm_family = AF_INET;
    return ask(n, h, on_route, &s) == 0 && s.found;
}

static int on_way(const struct nlmsghdr *h, void *ctx)
{
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
    struct nlattr *a;
    mnl_attr_for_each(a, h, sizeof *rt)
    {
        if (mnl_attr_get_type(a) == RTA_OIF && rt->rtm_type == RTN_UNICAST)
            *(unsigned *)ctx = mnl_attr_get_u32(a);
    }
    return MNL_CB_OK;
}

unsigned nl_route_of(struct nl *n, uint32_t addr)
{
    unsigned index = 0;
    struct nlmsghdr *h = begin(n, RTM_GETROUTE, 0);
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof *rt);
    rt->rtm_family = AF_INET;
    rt->rtm_dst_len = 32;
    mnl_attr_put_u32(h, RTA_DST, htonl(addr));
    return ask(n, h, on_way, &index) == 0 ? index : 0;
}

int nl_default_route(struct nl *n, const char *name, uint32_t gateway, struct err *e)
{
    unsigned index = index_of(name, e);
    if (index == 0)
        return e ? e->code : -ENODEV;
    struct nlmsghdr *h = begin(n, RTM_NEWROUTE, NLM_F_CREATE);
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof *rt);
    rt->rtm_family = AF_INET;
    rt->rtm_table = RT_TABLE_MAIN;
    rt->rtm_protocol = RTPROT_STATIC;
    rt->rtm_scope = RT_SCOPE_UNIVERSE;
    rt->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(h, RTA_GATEWAY, htonl(gateway));
    mnl_attr_put_u32(h, RTA_OIF, index);
    int r = talk(n, h);
    return r == 0 ? 0 : err_sys(e, -r, "adding the default route through %s", name);
}

/* The far end, described within the near end's message. */
static void put_peer(struct nlmsghdr *h, int ns_fd, const uint8_t *mac)
{
    struct nlattr *peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
    struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
    i->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(h, IFLA_IFNAME, PEER_NAME);
    mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
    mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)ns_fd);
    mnl_attr_nest_end(h, peer);
}

int nl_veth_add(struct nl *n, const char *host_name, unsigned bridge_index, int peer_ns_fd,
                const uint8_t peer_mac[static 6], struct err *e)
{
    struct nlmsghdr *h = begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    link_body(h, 0, true);
    mnl_attr_put_strz(h, IFLA_IFNAME, host_name);
    mnl_attr_put_u32(h, IFLA_MASTER, bridge_index);
    struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
    put_peer(h, peer_ns_fd, peer_mac);
    mnl_attr_nest_end(h, data);
    mnl_attr_nest_end(h, info);
    int r = talk(n, h);
    return r == 0 ? 0 : err_sys(e, -r, "making the interface pair %s", host_name);
}
