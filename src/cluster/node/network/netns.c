/*
 * A thread that made a network namespace for itself cannot serve anything else any more, so each
 * making has a thread that ends with it. At most MAKERS at a time: the kernel does most of this
 * work under one lock anyway.
 */
#include "cluster/node/network/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/vec.h"
#include "cluster/node/network/net_spec.h"

#define MAKERS       2
#define RETRY_MS     2000
#define DEFAULT_WARM 4

struct making {
    struct list link; /* in pool->waiting until it has a thread */
    struct netns_pool *pool;
    struct loop *loop;
    uint32_t addr, gateway;
    int prefix;
    char bridge[16];
    unsigned bridge_index; /* looked up before the thread leaves the host's namespace */
    void (*done)(void *ctx, struct netns *ns, const struct err *why);
    void *ctx;
    int fd;
    struct err err;
};

struct netns_pool {
    struct loop *loop;
    struct ipam *ipam;
    char bridge[16];
    size_t warm_target;
    size_t warming; /* makings meant for the pool */
    int threads;
    VEC(struct netns *) ready;
    struct list waiting;
    struct timer *retry;
    bool closing, complained;
    sem_t ended; /* counts threads that touch nothing of ours any more */
};

/* ---- on the making thread ---- */
static void write_sysctl(const char *path, const char *value)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, value, strlen(value)) < 0)
        return; /* a kernel without it: the default stays */
}

static int add_veth(const struct making *m, struct nl *host, struct err *e)
{
    char name[NET_PORT_LEN];
    uint8_t mac[NL_MAC_LEN];
    net_spec_port(m->addr, name);
    net_spec_mac(m->addr, mac);
    int r = nl_veth_add(host, name, m->bridge_index, m->fd, mac, e);
    if (r != -EEXIST)
        return r;
    /* The kernel has not yet removed the namespace that had this address before. */
    nl_link_delete(host, name, NULL);
    return nl_veth_add(host, name, m->bridge_index, m->fd, mac, e);
}

static int configure(const struct making *m, struct err *e)
{
    _cleanup_(nl_closep) struct nl *in = nl_open(e);
    if (!in)
        return -EIO;
    int r = nl_link_up(in, "lo", e);
    if (r == 0)
        r = nl_addr_add(in, "eth0", m->addr, m->prefix, e);
    if (r == 0)
        r = nl_link_up(in, "eth0", e);
    if (r == 0)
        r = nl_default_route(in, "eth0", m->gateway, e);
    return r;
}

static int make(struct making *m, struct err *e)
{
    _cleanup_(nl_closep) struct nl *host = nl_open(e);
    if (!host)
        return -EIO;
    m->bridge_index = if_nametoindex(m->bridge);
    if (m->bridge_index == 0)
        return err_sys(e, errno, "looking for the pods' bridge %s, which is being made again",
                       m->bridge);
    if (unshare(CLONE_NEWNET) < 0)
        return err_sys(e, errno, "making a network namespace (are you root?)");
    m->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (m->fd < 0)
        return err_sys(e, errno, "opening the new network namespace");
    write_sysctl("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    write_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    write_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    int r = add_veth(m, host, e);
    return r < 0 ? r : configure(m, e);
}

static void made(void *arg);

static void *maker_main(void *arg)
{
    struct making *m = arg;
    if (make(m, &m->err) < 0 && m->fd >= 0)
        closep(&m->fd);
    struct netns_pool *p = m->pool;
    loop_post(m->loop, made, m);
    sem_post(&p->ended);
    return NULL;
}

/* ---- on the loop ---- */
static struct netns *netns_wrap(int fd, uint32_t addr)
{
    struct netns *ns = xnew(struct netns);
    ns->fd = fd;
    ns->addr = addr;
    ipam_text(addr, ns->ip);
    snprintf(ns->path, sizeof ns->path, "/proc/%d/fd/%d", getpid(), fd);
    return ns;
}

/* Ends a making that has no thread, as if it had had one. */
static void end_without_thread(struct making *m)
{
    loop_post(m->loop, made, m);
    sem_post(&m->pool->ended);
}

static void start_thread(struct netns_pool *p, struct making *m)
{
    pthread_t t;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    p->threads++;
    int r = pthread_create(&t, &attr, maker_main, m);
    pthread_attr_destroy(&attr);
    if (r != 0) {
        err_sys(&m->err, r, "starting a thread for a network namespace");
        end_without_thread(m);
    }
}

static void start_waiting(struct netns_pool *p)
{
    while (p->threads < MAKERS && !list_empty(&p->waiting)) {
        struct making *m = list_entry(p->waiting.next, struct making, link);
        list_del(&m->link);
        start_thread(p, m);
    }
}

static void enqueue(struct netns_pool *p, uint32_t addr,
                    void (*done)(void *ctx, struct netns *ns, const struct err *why), void *ctx,
                    bool urgent)
{
    struct making *m = xnew(struct making);
    *m = (struct making){.pool = p,
                         .loop = p->loop,
                         .addr = addr,
                         .fd = -1,
                         .done = done,
                         .ctx = ctx,
                         .gateway = ipam_gateway(p->ipam),
                         .prefix = ipam_prefix(p->ipam)};
    snprintf(m->bridge, sizeof m->bridge, "%s", p->bridge);
    if (urgent)
        list_push_front(&p->waiting, &m->link);
    else
        list_push_back(&p->waiting, &m->link);
    start_waiting(p);
}

static void refill(struct netns_pool *p);

static void warmed(void *ctx, struct netns *ns, const struct err *why)
{
    struct netns_pool *p = ctx;
    p->warming--;
    if (ns) {
        p->complained = false;
        vec_push(&p->ready, ns);
        return;
    }
    if (!p->complained)
        log_warn("node", "preparing a network namespace failed, trying again: %s", why->msg);
    p->complained = true;
    timer_start(p->retry, RETRY_MS);
}

static void refill(struct netns_pool *p)
{
    while (!p->closing && p->ready.n + p->warming < p->warm_target) {
        uint32_t addr;
        if (ipam_take(p->ipam, &addr, NULL) < 0)
            return;
        p->warming++;
        enqueue(p, addr, warmed, p, false);
    }
}

static void retry(void *ctx)
{
    refill(ctx);
}

static void pool_destroy(struct netns_pool *p)
{
    for (size_t i = 0; i < p->ready.n; i++) {
        closep(&p->ready.p[i]->fd);
        free(p->ready.p[i]);
    }
    vec_done(&p->ready);
    timer_free(p->retry);
    sem_destroy(&p->ended);
    free(p);
}

static void made(void *arg)
{
    struct making *m = arg;
    struct netns_pool *p = m->pool;
    p->threads--;
    if (!p->closing)
        sem_wait(&p->ended);
    if (p->closing) {
        if (m->fd >= 0)
            closep(&m->fd);
        free(m);
        if (p->threads == 0)
            pool_destroy(p);
        return;
    }
    if (m->fd < 0)
        ipam_release(p->ipam, m->addr);
    m->done(m->ctx, m->fd >= 0 ? netns_wrap(m->fd, m->addr) : NULL, &m->err);
    free(m);
    start_waiting(p);
}

struct netns_pool *netns_pool_new(struct loop *l, struct ipam *ipam, const char *bridge, int warm)
{
    struct netns_pool *p = xnew(struct netns_pool);
    p->loop = l;
    p->ipam = ipam;
    snprintf(p->bridge, sizeof p->bridge, "%s", bridge);
    p->warm_target = warm > 0 ? (size_t)warm : DEFAULT_WARM;
    list_init(&p->waiting);
    sem_init(&p->ended, 0, 0);
    p->retry = timer_new(l, retry, p);
    refill(p);
    return p;
}

void netns_pool_free(struct netns_pool *p)
{
    if (!p)
        return;
    p->closing = true;
    list_for_each_safe(it, &p->waiting)
    {
        list_del(it);
        free(list_entry(it, struct making, link));
    }
    timer_stop(p->retry);
    for (int i = 0; i < p->threads; i++)
        sem_wait(&p->ended);
    if (p->threads == 0)
        pool_destroy(p);
}

struct netns *netns_take(struct netns_pool *p)
{
    if (!p->ready.n)
        return NULL;
    struct netns *ns = p->ready.p[--p->ready.n];
    refill(p);
    return ns;
}

void netns_make(struct netns_pool *p, uint32_t addr,
                void (*done)(void *ctx, struct netns *ns, const struct err *why), void *ctx)
{
    if (addr || ipam_take(p->ipam, &addr, NULL) == 0) {
        enqueue(p, addr, done, ctx, true);
        return;
    }
    struct making *m = xnew(struct making);
    *m = (struct making){.pool = p, .loop = p->loop, .fd = -1, .done = done, .ctx = ctx};
    err_set(&m->err, -ENOSPC, "no free pod address is left in the subnet");
    p->threads++;
    end_without_thread(m);
}

struct netns *netns_adopt(struct netns_pool *p, pid_t pid, uint32_t addr, struct err *e)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_sys(e, errno, "opening the network namespace of process %d", pid);
        return NULL;
    }
    return netns_wrap(fd, addr);
}

void netns_release(struct netns_pool *p, struct netns *ns)
{
    if (!ns)
        return;
    ipam_release(p->ipam, ns->addr);
    closep(&ns->fd);
    free(ns);
    refill(p);
}
