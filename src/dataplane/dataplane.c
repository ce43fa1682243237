/* Start and stop. */
#include "dataplane/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void unref_backend(void *p)
{
    dp_back_unref(p);
}

static int default_workers(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > DP_MAX_WORKERS ? DP_MAX_WORKERS : (int)n;
}

static void dp_free(struct dataplane *dp)
{
    for (size_t i = 0; i < dp->o.n_listen; i++)
        free((char *)dp->listen[i].host);
    map_free(dp->backends);
    pthread_mutex_destroy(&dp->lock);
    pthread_mutex_destroy(&dp->drain_lock);
    pthread_cond_destroy(&dp->drained);
    dp_peers_free(dp->peers);
    dp_trust_free(dp->trust);
    free(dp->listen);
    free(dp->ports);
    free(dp->ups);
    free(dp->workers);
    free(dp);
}

static struct dataplane *dp_new(const struct dp_opts *o)
{
    struct dataplane *dp = xnew(struct dataplane);

    dp->o = *o;
    dp->listen = xcalloc(o->n_listen, sizeof(*dp->listen));
    dp->ports = xcalloc(o->n_listen, sizeof(*dp->ports));
    for (size_t i = 0; i < o->n_listen; i++) {
        dp->listen[i] = o->listen[i];
        dp->listen[i].host = xstrdup(o->listen[i].host);
        dp->ports[i] = o->listen[i].port;
    }
    dp->n_workers = o->workers > 0 ? o->workers : default_workers();
    if (dp->n_workers > DP_MAX_WORKERS)
        dp->n_workers = DP_MAX_WORKERS;
    size_t bytes = (size_t)dp->n_workers * sizeof(struct dp_worker);
    dp->workers = aligned_alloc(DP_CACHE_LINE, bytes);
    if (!dp->workers)
        abort();
    memset(dp->workers, 0, bytes);
    dp->ups = xcalloc((size_t)dp->n_workers, sizeof(*dp->ups));
    for (int i = 0; i < dp->n_workers; i++)
        dp->ups[i] = &dp->workers[i].up;
    dp->peers = dp_peers_new();
    dp->backends = map_new(unref_backend);
    pthread_mutex_init(&dp->lock, NULL);
    pthread_mutex_init(&dp->drain_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&dp->drained, &attr);
    pthread_condattr_destroy(&attr);
    return dp;
}

static void stop_workers(struct dataplane *dp, int n)
{
    for (int i = 0; i < n; i++)
        loop_thread_stop(dp->workers[i].thread);
}

/* With SO_REUSEPORT the kernel would let a second instance of us share the port unnoticed: ask
 * without it first. */
static int probe_ports(struct dataplane *dp, struct err *e)
{
    struct loop *l = loop_new(e);

    if (!l)
        return -ENOMEM;
    for (size_t i = 0; i < dp->o.n_listen; i++) {
        struct listen_opts o = {.host = dp->listen[i].host, .port = dp->listen[i].port};
        bool ask = o.port && dp->listen[i].fd <= 0;
        struct listener *ls = ask ? listener_new(l, &o, NULL, NULL, e) : NULL;
        if (ask && !ls) {
            loop_free(l);
            return -EADDRINUSE;
        }
        listener_free(ls);
    }
    loop_free(l);
    return 0;
}

struct dataplane *dataplane_start(const struct dp_opts *o, struct err *e)
{
    struct dataplane *dp = dp_new(o);

    if (dp_trust_new(o->trusted_proxies, o->n_trusted_proxies, &dp->trust, e) < 0 ||
        probe_ports(dp, e) < 0) {
        dp_free(dp);
        return NULL;
    }
    for (int i = 0; i < dp->n_workers; i++) {
        struct dp_worker *w = &dp->workers[i];
        char name[16];
        snprintf(name, sizeof(name), "dataplane-%d", i);
        w->dp = dp;
        w->index = i;
        w->thread = loop_thread_start(name, dp_worker_init, dp_worker_fini, w, e);
        if (!w->thread) {
            stop_workers(dp, i);
            dp_free(dp);
            return NULL;
        }
    }
    return dp;
}

void dataplane_accept(struct dataplane *dp)
{
    for (int i = 0; i < dp->n_workers; i++)
        loop_post(dp->workers[i].loop, dp_worker_open, &dp->workers[i]);
}

int dataplane_port(const struct dataplane *dp, size_t listen_index)
{
    return dp->ports[listen_index];
}

static void wait_drained(struct dataplane *dp, uint64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&dp->drain_lock);
    while (dp->n_drained < dp->n_workers &&
           pthread_cond_timedwait(&dp->drained, &dp->drain_lock, &until) == 0)
        ;
    pthread_mutex_unlock(&dp->drain_lock);
}

void dataplane_stop(struct dataplane *dp, uint64_t drain_ms)
{
    if (!dp)
        return;
    for (int i = 0; i < dp->n_workers; i++)
        loop_post(dp->workers[i].loop, dp_worker_drain, &dp->workers[i]);
    wait_drained(dp, drain_ms);
    stop_workers(dp, dp->n_workers);
    dp_free(dp);
}
