/*
 * Two netlink sockets say that something changed (links, addresses and routes; packet rules), not
 * what: every change ends in a look at all, some milliseconds later, so that a burst is one look.
 * Most changes are our own interfaces coming and going, so a look is cheap, and the packet rules,
 * which cost a program, are looked at only when something of theirs changed and now and then.
 */
#include "cluster/node/network/guard.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/node/network/bridge.h"

#define SETTLE_MS 100
#define LOOK_MS   2000
#define RULES_NS  (30 * NS_PER_SEC)

struct ear {
    struct net_guard *guard; /* NULL once closed */
    struct mnl_socket *sock;
    uv_poll_t poll;
    bool of_rules;
};

struct net_guard {
    struct loop *loop;
    struct net_spec spec;
    struct net_guard_opts o;
    struct ear *links, *rules;
    struct timer *timer;
    int64_t rules_seen_ns;
    bool working, changed, rules_changed; /* the latter two: since the look began */
    bool is_broken;
    char said[ERR_MSG_MAX]; /* why it is */
    /* What the pool works on; it holds the lock meanwhile. */
    pthread_mutex_t lock;
    bool closed, with_rules;
    struct bridge_memory memory;
    char found[BRIDGE_FOUND_LEN];
    struct err err;
};

/* ---- a look ---- */
static void destroy(struct net_guard *g)
{
    bridge_memory_done(&g->memory);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static void look_work(void *arg)
{
    struct net_guard *g = arg;
    pthread_mutex_lock(&g->lock);
    g->err = (struct err){0};
    if (!g->closed)
        bridge_repair(&g->spec, &g->memory, g->with_rules, g->found, &g->err);
    pthread_mutex_unlock(&g->lock);
}

static void tell(struct net_guard *g)
{
    const char *why = g->err.msg;
    bool broken = g->err.code != 0;
    if (broken && !streq(why, g->said))
        log_error("node",
                  "the pods' network %s is broken, pods are not ready until it is repaired: "
                  "%s",
                  g->spec.subnet, why);
    else if (!broken && g->is_broken)
        log_info("node", "the pods' network %s is whole again", g->spec.subnet);
    else if (!broken && g->found[0])
        log_warn("node", "the pods' network %s was changed from outside and is repaired: %s",
                 g->spec.subnet, g->found);
    snprintf(g->said, sizeof g->said, "%s", broken ? why : "");
    bool news = broken != g->is_broken;
    g->is_broken = broken;
    if (news)
        g->o.broken(g->o.ctx, broken ? g->said : NULL);
}

static void looked(void *arg)
{
    struct net_guard *g = arg;
    g->working = false;
    if (g->closed) {
        destroy(g);
        return;
    }
    tell(g);
    timer_start(g->timer, g->changed ? SETTLE_MS : LOOK_MS);
}

static void look(void *ctx)
{
    struct net_guard *g = ctx;
    int64_t now = loop_now_ns(g->loop);
    g->with_rules = g->rules_changed || now - g->rules_seen_ns >= RULES_NS;
    if (g->with_rules)
        g->rules_seen_ns = now;
    g->changed = g->rules_changed = false;
    g->working = true;
    loop_work(g->loop, look_work, looked, g);
}

/* ---- hearing of changes ---- */
/* Messages that the kernel had to drop are a change as well. */
static void on_heard(uv_poll_t *h, int status, int events)
{
    struct ear *ear = container_of(h, struct ear, poll);
    struct net_guard *g = ear->guard;
    char part[8192];
    while (recv(mnl_socket_get_fd(ear->sock), part, sizeof part, MSG_DONTWAIT) > 0)
        continue;
    if (!g)
        return;
    g->rules_changed |= ear->of_rules;
    if (!g->changed && !g->working)
        timer_start(g->timer, SETTLE_MS);
    g->changed = true;
}

static void ear_closed(uv_handle_t *h)
{
    struct ear *ear = container_of((uv_poll_t *)h, struct ear, poll);
    mnl_socket_close(ear->sock);
    free(ear);
}

static void ear_close(struct ear *ear)
{
    if (!ear)
        return;
    ear->guard = NULL;
    uv_close((uv_handle_t *)&ear->poll, ear_closed);
}

static struct ear *ear_open(struct net_guard *g, int bus, unsigned groups, struct err *e)
{
    struct mnl_socket *s = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!s || mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
        err_sys(e, errno, "listening for changes of the network");
        if (s)
            mnl_socket_close(s);
        return NULL;
    }
    struct ear *ear = xnew(struct ear);
    *ear = (struct ear){.guard = g, .sock = s, .of_rules = bus == NETLINK_NETFILTER};
    int r = uv_poll_init(loop_uv(g->loop), &ear->poll, mnl_socket_get_fd(s));
    if (r < 0) {
        err_set(e, r, "listening for changes of the network: %s", uv_strerror(r));
        mnl_socket_close(s);
        free(ear);
        return NULL;
    }
    uv_poll_start(&ear->poll, UV_READABLE, on_heard);
    return ear;
}

/* ---- life ---- */
struct net_guard *net_guard_new(struct loop *l, const struct net_guard_opts *o, struct err *e)
{
    struct net_guard *g = xnew(struct net_guard);
    g->loop = l;
    g->o = *o;
    g->spec = *o->spec;
    pthread_mutex_init(&g->lock, NULL);
    g->timer = timer_new(l, look, g);
    g->links = ear_open(g, NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE, e);
    g->rules = g->links ? ear_open(g, NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1), e) : NULL;
    if (!g->rules) {
        net_guard_free(g);
        return NULL;
    }
    g->rules_changed = true;
    timer_start(g->timer, 0);
    return g;
}

void net_guard_free(struct net_guard *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    g->closed = true;
    pthread_mutex_unlock(&g->lock);
    ear_close(g->links);
    ear_close(g->rules);
    timer_free(g->timer);
    if (!g->working)
        destroy(g); /* else when the work has come back */
}
