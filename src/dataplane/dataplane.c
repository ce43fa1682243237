/*
 * Start, stop and configuration. Every change is made into an immutable entry on the caller's
 * thread and posted to all workers while the lock is held, so that all see the changes in one
 * order. A barrier counts the workers that have taken a change up; the last one tells the caller.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/dp.h"

/* ---- messages ---- */

struct barrier {
    atomic_int left;
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
};

static struct barrier *barrier_new(struct dataplane *dp, struct loop *l, void (*fn)(void *),
                                   void *ctx)
{
    if (!fn)
        return NULL;
    struct barrier *b = xnew(struct barrier);
    atomic_init(&b->left, dp->n_workers);
    b->loop = l;
    b->fn = fn;
    b->ctx = ctx;
    return b;
}

static void barrier_pass(struct barrier *b)
{
    if (!b || atomic_fetch_sub(&b->left, 1) != 1)
        return;
    loop_post(b->loop, b->fn, b->ctx);
    free(b);
}

struct message {
    struct worker *worker;
    struct ingress *ingress; /* with a reference */
    char *removed_key;
    struct backend *backend; /* with a reference */
    struct settings *settings;
    struct barrier *barrier;
};

static void message_free(struct message *m)
{
    barrier_pass(m->barrier);
    ingress_unref(m->ingress);
    settings_unref(m->settings);
    backend_unref(m->backend);
    free(m->removed_key);
    free(m);
}

static void on_message(void *arg)
{
    struct message *m = arg;

    if (m->ingress)
        table_set(m->worker->table, steal(&m->ingress));
    if (m->removed_key)
        table_remove(m->worker->table, m->removed_key);
    if (m->backend)
        backend_apply(m->worker, m->backend, steal(&m->settings));
    message_free(m);
}

static void post(struct worker *w, const struct message *what)
{
    struct message *m = xmemdup(what, sizeof(*what));

    m->worker = w;
    if (m->ingress)
        atomic_fetch_add(&m->ingress->refs, 1);
    if (m->settings)
        atomic_fetch_add(&m->settings->refs, 1);
    if (m->backend)
        backend_ref(m->backend);
    m->removed_key = m->removed_key ? xstrdup(m->removed_key) : NULL;
    if (loop_post(w->loop, on_message, m) < 0)
        message_free(m);
}

static void post_all(struct dataplane *dp, const struct message *what)
{
    for (int i = 0; i < dp->n_workers; i++)
        post(&dp->workers[i], what);
}

/* ---- control: backends by name ---- */

static struct backend *backend_new(struct dataplane *dp, const struct dp_split *key)
{
    size_t n = sizeof(struct backend) + (size_t)dp->n_workers * sizeof(struct backend_worker);
    struct backend *b = aligned_alloc(CACHE_LINE, (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

    if (!b)
        abort();
    memset(b, 0, n);
    atomic_init(&b->refs, 1);
    b->ns = xstrdup(key->ns);
    b->service = xstrdup(key->service);
    b->port = key->port;
    b->n_workers = dp->n_workers;
    for (int i = 0; i < dp->n_workers; i++) {
        b->w[i].worker = &dp->workers[i];
        list_init(&b->w[i].waiting);
        list_init(&b->w[i].busy);
    }
    return b;
}

/* The one of that name, made if need be, with a reference for the caller. Lock held. */
static struct backend *find_backend(void *ctx, const struct dp_split *key)
{
    struct dataplane *dp = ctx;
    _cleanup_free_ char *name = xasprintf("%s/%s:%d", key->ns, key->service, key->port);
    struct backend *b = map_get(dp->backends, name);

    if (!b) {
        b = backend_new(dp, key);
        map_set(dp->backends, name, b);
    }
    return backend_ref(b);
}

/* Forgets names that no settings, no route and no request use. Lock held. */
static void purge(struct dataplane *dp)
{
    const char *key;
    struct backend *b;

    if (!dp->want_purge)
        return;
    dp->want_purge = false;
    for (size_t it = 0; map_next(dp->backends, &it, &key, &b);) {
        if (!b->current && atomic_load(&b->refs) == 1)
            map_del(dp->backends, key);
    }
}

static bool same_pod(const struct pod *p, const struct dp_endpoint *ep)
{
    return p->port == ep->port && streq(p->ip, ep->ip) && streq(p->name, ep->pod ? ep->pod : "");
}

static struct pod *pod_in(const struct backend *b, const struct dp_endpoint *ep)
{
    const struct settings *s = b->current;

    for (size_t i = 0; s && i < s->n_pods; i++) {
        if (same_pod(s->pods[i], ep))
            return pod_ref(s->pods[i]);
    }
    for (size_t i = 0; i < b->left.n; i++) {
        if (same_pod(b->left.p[i], ep))
            return pod_ref(b->left.p[i]);
    }
    return NULL;
}

static bool same_revision(const struct backend *b, const char *ns, const char *revision)
{
    return b->revision && revision && streq(b->revision, revision) && streq(b->ns, ns);
}

/* A pod keeps its counter while it is not ready for a moment, and over all Services that lead to
 * its revision. */
static struct pod *known_pod(struct dataplane *dp, struct backend *b, const struct dp_endpoint *ep)
{
    struct pod *p = pod_in(b, ep);
    struct backend *other;

    for (size_t it = 0; !p && b->revision && map_next(dp->backends, &it, NULL, &other);) {
        if (other != b && same_revision(other, b->ns, b->revision))
            p = pod_in(other, ep);
    }
    return p;
}

static struct settings *settings_new(struct dataplane *dp, struct backend *b,
                                     const struct dp_backend *in)
{
    struct settings *s = xcalloc(1, sizeof(*s) + in->n_endpoints * sizeof(struct pod *));

    atomic_init(&s->refs, 1);
    s->concurrency = in->container_concurrency > 0 ? (unsigned)in->container_concurrency : 0;
    s->timeout_ms = in->timeout_ms;
    s->response_start_ms = in->response_start_timeout_ms;
    s->idle_ms = in->idle_timeout_ms;
    for (size_t i = 0; i < in->n_endpoints; i++) {
        struct pod *p = known_pod(dp, b, &in->endpoints[i]);
        s->pods[s->n_pods++] = p ? p : dp_pod_new(&in->endpoints[i], dp->n_workers);
    }
    return s;
}

static bool is_among(const struct settings *s, const struct pod *p)
{
    for (size_t i = 0; s && i < s->n_pods; i++) {
        if (s->pods[i] == p)
            return true;
    }
    return false;
}

/* Removed pods are remembered while requests run on them, for dp_endpoint_in_flight. */
static void remember_left(struct backend *b, const struct settings *next)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->left.n; i++) {
        if (atomic_load(&b->left.p[i]->in_flight) > 0 && !is_among(next, b->left.p[i]))
            b->left.p[kept++] = b->left.p[i];
        else
            pod_unref(b->left.p[i]);
    }
    b->left.n = kept;
    for (size_t i = 0; b->current && i < b->current->n_pods; i++) {
        struct pod *p = b->current->pods[i];
        if (!is_among(next, p))
            vec_push(&b->left, pod_ref(p));
    }
}

static void replace_settings(struct backend *b, struct settings *s)
{
    remember_left(b, s);
    settings_unref(b->current);
    b->current = s;
}

void dp_set_backend(struct dataplane *dp, const struct dp_backend *in, struct loop *l,
                    void (*applied)(void *), void *ctx)
{
    pthread_mutex_lock(&dp->lock);
    purge(dp);
    struct backend *b = find_backend(
        dp, &(struct dp_split){.ns = in->ns, .service = in->service, .port = in->port});
    if (!b->revision && in->revision && !b->was_set)
        b->revision = xstrdup(in->revision);
    b->was_set = true;
    replace_settings(b, settings_new(dp, b, in));
    post_all(dp, &(struct message){.backend = b,
                                   .settings = b->current,
                                   .barrier = barrier_new(dp, l, applied, ctx)});
    backend_unref(b);
    pthread_mutex_unlock(&dp->lock);
}

void dp_remove_backend(struct dataplane *dp, const char *ns, const char *service, int port)
{
    _cleanup_free_ char *key = xasprintf("%s/%s:%d", ns, service, port);

    pthread_mutex_lock(&dp->lock);
    struct backend *b = map_get(dp->backends, key);
    if (b && b->current) {
        replace_settings(b, NULL);
        post_all(dp, &(struct message){.backend = b});
        dp->want_purge = true;
    }
    pthread_mutex_unlock(&dp->lock);
}

static uint64_t in_flight_at(struct pod *const *pods, size_t n, const char *ip)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += streq(pods[i]->ip, ip) ? atomic_load(&pods[i]->in_flight) : 0;
    return sum;
}

/* Backends of one revision share the counters of their pods: the largest one has seen them all. */
uint64_t dp_endpoint_in_flight(struct dataplane *dp, const char *ns, const char *revision,
                               const char *ip)
{
    uint64_t most = 0;
    struct backend *b;

    pthread_mutex_lock(&dp->lock);
    for (size_t it = 0; map_next(dp->backends, &it, NULL, &b);) {
        if (!same_revision(b, ns, revision))
            continue;
        uint64_t n = b->current ? in_flight_at(b->current->pods, b->current->n_pods, ip) : 0;
        n += in_flight_at(b->left.p, b->left.n, ip);
        most = n > most ? n : most;
    }
    pthread_mutex_unlock(&dp->lock);
    return most;
}

void dp_set_ingress(struct dataplane *dp, const struct dp_ingress *in, struct loop *l,
                    void (*applied)(void *), void *ctx)
{
    pthread_mutex_lock(&dp->lock);
    purge(dp);
    struct ingress *entry = ingress_new(in, find_backend, dp);
    post_all(dp, &(struct message){.ingress = entry, .barrier = barrier_new(dp, l, applied, ctx)});
    ingress_unref(entry);
    dp->want_purge = true; /* an earlier entry of that key may have named others */
    pthread_mutex_unlock(&dp->lock);
}

void dp_remove_ingress(struct dataplane *dp, const char *key, struct loop *l,
                       void (*applied)(void *), void *ctx)
{
    pthread_mutex_lock(&dp->lock);
    post_all(dp, &(struct message){.removed_key = (char *)key,
                                   .barrier = barrier_new(dp, l, applied, ctx)});
    dp->want_purge = true;
    pthread_mutex_unlock(&dp->lock);
}

/* ---- start and stop ---- */

static void unref_backend(void *p)
{
    backend_unref(p);
}

static int default_workers(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > MAX_WORKERS ? MAX_WORKERS : (int)n;
}

static void dp_free(struct dataplane *dp)
{
    for (size_t i = 0; i < dp->o.n_listen; i++)
        free((char *)dp->listen[i].host);
    map_free(dp->backends);
    pthread_mutex_destroy(&dp->lock);
    pthread_mutex_destroy(&dp->drain_lock);
    pthread_cond_destroy(&dp->drained);
    free(dp->listen);
    free(dp->ports);
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
    if (dp->n_workers > MAX_WORKERS)
        dp->n_workers = MAX_WORKERS;
    size_t bytes = (size_t)dp->n_workers * sizeof(struct worker);
    dp->workers = aligned_alloc(CACHE_LINE, bytes);
    if (!dp->workers)
        abort();
    memset(dp->workers, 0, bytes);
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

    if (probe_ports(dp, e) < 0) {
        dp_free(dp);
        return NULL;
    }
    for (int i = 0; i < dp->n_workers; i++) {
        struct worker *w = &dp->workers[i];
        char name[16];
        snprintf(name, sizeof(name), "dataplane-%d", i);
        w->dp = dp;
        w->index = i;
        w->thread = loop_thread_start(name, worker_init, worker_fini, w, e);
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
        loop_post(dp->workers[i].loop, worker_open, &dp->workers[i]);
}

int dataplane_port(const struct dataplane *dp, size_t listen_index)
{
    return dp->ports[listen_index];
}

static void drain(void *arg)
{
    struct worker *w = arg;

    w->draining = true;
    for (size_t i = 0; i < w->dp->o.n_listen; i++) {
        listener_free(w->doors[i].listener);
        w->doors[i].listener = NULL;
    }
    list_for_each_safe(it, &w->clients) client_drain(list_entry(it, struct client, link));
    worker_client_gone(w);
}

void worker_client_gone(struct worker *w)
{
    struct dataplane *dp = w->dp;

    if (!w->draining || w->n_clients > 0 || w->drained)
        return;
    w->drained = true;
    pthread_mutex_lock(&dp->drain_lock);
    dp->n_drained++;
    pthread_cond_signal(&dp->drained);
    pthread_mutex_unlock(&dp->drain_lock);
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
        loop_post(dp->workers[i].loop, drain, &dp->workers[i]);
    wait_drained(dp, drain_ms);
    stop_workers(dp, dp->n_workers);
    dp_free(dp);
}
