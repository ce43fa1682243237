/*
 * Configuration. Every change is made into an immutable entry on the caller's thread and posted to
 * all workers while the lock is held, so that all see the changes in one order. A barrier counts
 * the workers that have taken a change up; the last one tells the caller.
 */
#include "dataplane/worker.h"

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
    struct dp_worker *worker;
    struct dp_route_entry *ingress; /* with a reference */
    char *removed_key;
    struct dp_back *backend; /* with a reference */
    struct dp_settings *settings;
    struct barrier *barrier;
};

static void message_free(struct message *m)
{
    barrier_pass(m->barrier);
    dp_route_entry_unref(m->ingress);
    dp_settings_unref(m->settings);
    dp_back_unref(m->backend);
    free(m->removed_key);
    free(m);
}

static void on_message(void *arg)
{
    struct message *m = arg;

    if (m->ingress)
        dp_table_set(m->worker->streams.table, steal(&m->ingress));
    if (m->removed_key)
        dp_table_remove(m->worker->streams.table, m->removed_key);
    if (m->backend)
        dp_back_apply(&m->worker->up, m->backend, steal(&m->settings));
    message_free(m);
}

static void post(struct dp_worker *w, const struct message *what)
{
    struct message *m = xmemdup(what, sizeof(*what));

    m->worker = w;
    if (m->ingress)
        dp_route_entry_ref(m->ingress);
    if (m->settings)
        atomic_fetch_add(&m->settings->refs, 1);
    if (m->backend)
        dp_back_ref(m->backend);
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

/* The one of that name, made if need be, with a reference for the caller. Lock held. */
static struct dp_back *find_backend(void *ctx, const struct dp_split *key)
{
    struct dataplane *dp = ctx;
    _cleanup_free_ char *name = xasprintf("%s/%s:%d", key->ns, key->service, key->port);
    struct dp_back *b = map_get(dp->backends, name);

    if (!b) {
        b = dp_back_new(key, dp->n_workers, dp->ups);
        map_set(dp->backends, name, b);
    }
    return dp_back_ref(b);
}

/* Forgets names that no settings, no route and no request use. Lock held. */
static void purge(struct dataplane *dp)
{
    const char *key;
    struct dp_back *b;

    if (!dp->want_purge)
        return;
    dp->want_purge = false;
    for (size_t it = 0; map_next(dp->backends, &it, &key, &b);) {
        if (!b->current && atomic_load(&b->refs) == 1)
            map_del(dp->backends, key);
    }
}

static struct dp_pod *pod_in(const struct dp_back *b, const struct dp_endpoint *ep)
{
    const struct dp_settings *s = b->current;

    for (size_t i = 0; s && i < s->n_pods; i++) {
        if (dp_pod_is(s->pods[i], ep))
            return dp_pod_ref(s->pods[i]);
    }
    for (size_t i = 0; i < b->left.n; i++) {
        if (dp_pod_is(b->left.p[i], ep))
            return dp_pod_ref(b->left.p[i]);
    }
    return NULL;
}

static bool same_revision(const struct dp_back *b, const char *ns, const char *revision)
{
    return b->revision && revision && streq(b->revision, revision) && streq(b->ns, ns);
}

/* A pod keeps its counter while it is not ready for a moment, and over all Services that lead to
 * its revision. */
static struct dp_pod *known_pod(struct dataplane *dp, struct dp_back *b,
                                const struct dp_endpoint *ep)
{
    struct dp_pod *p = pod_in(b, ep);
    struct dp_back *other;

    for (size_t it = 0; !p && b->revision && map_next(dp->backends, &it, NULL, &other);) {
        if (other != b && same_revision(other, b->ns, b->revision))
            p = pod_in(other, ep);
    }
    return p;
}

static struct dp_settings *settings_new(struct dataplane *dp, struct dp_back *b,
                                        const struct dp_backend *in)
{
    struct dp_settings *s = xcalloc(1, sizeof(*s) + in->n_endpoints * sizeof(struct dp_pod *));

    atomic_init(&s->refs, 1);
    s->concurrency = in->container_concurrency > 0 ? (unsigned)in->container_concurrency : 0;
    s->timeout_ms = in->timeout_ms;
    s->response_start_ms = in->response_start_timeout_ms;
    s->idle_ms = in->idle_timeout_ms;
    for (size_t i = 0; i < in->n_endpoints; i++) {
        struct dp_pod *p = known_pod(dp, b, &in->endpoints[i]);
        s->pods[s->n_pods++] = p ? p : dp_pod_new(&in->endpoints[i], dp->n_workers);
    }
    return s;
}

static bool is_among(const struct dp_settings *s, const struct dp_pod *p)
{
    for (size_t i = 0; s && i < s->n_pods; i++) {
        if (s->pods[i] == p)
            return true;
    }
    return false;
}

/* Removed pods are remembered while requests run on them, for dp_endpoint_in_flight. */
static void remember_left(struct dp_back *b, const struct dp_settings *next)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->left.n; i++) {
        if (atomic_load(&b->left.p[i]->in_flight) > 0 && !is_among(next, b->left.p[i]))
            b->left.p[kept++] = b->left.p[i];
        else
            dp_pod_unref(b->left.p[i]);
    }
    b->left.n = kept;
    for (size_t i = 0; b->current && i < b->current->n_pods; i++) {
        struct dp_pod *p = b->current->pods[i];
        if (!is_among(next, p))
            vec_push(&b->left, dp_pod_ref(p));
    }
}

static void replace_settings(struct dp_back *b, struct dp_settings *s)
{
    remember_left(b, s);
    dp_settings_unref(b->current);
    b->current = s;
}

void dp_set_backend(struct dataplane *dp, const struct dp_backend *in, struct loop *l,
                    void (*applied)(void *), void *ctx)
{
    pthread_mutex_lock(&dp->lock);
    purge(dp);
    struct dp_back *b = find_backend(
        dp, &(struct dp_split){.ns = in->ns, .service = in->service, .port = in->port});
    if (!b->revision && in->revision && !b->was_set)
        b->revision = xstrdup(in->revision);
    b->was_set = true;
    replace_settings(b, settings_new(dp, b, in));
    post_all(dp, &(struct message){.backend = b,
                                   .settings = b->current,
                                   .barrier = barrier_new(dp, l, applied, ctx)});
    dp_back_unref(b);
    pthread_mutex_unlock(&dp->lock);
}

void dp_remove_backend(struct dataplane *dp, const char *ns, const char *service, int port)
{
    _cleanup_free_ char *key = xasprintf("%s/%s:%d", ns, service, port);

    pthread_mutex_lock(&dp->lock);
    struct dp_back *b = map_get(dp->backends, key);
    if (b && b->current) {
        replace_settings(b, NULL);
        post_all(dp, &(struct message){.backend = b});
        dp->want_purge = true;
    }
    pthread_mutex_unlock(&dp->lock);
}

static uint64_t in_flight_at(struct dp_pod *const *pods, size_t n, const char *ip)
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
    struct dp_back *b;

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
    struct dp_route_entry *entry = dp_route_entry_new(in, find_backend, dp);
    post_all(dp, &(struct message){.ingress = entry, .barrier = barrier_new(dp, l, applied, ctx)});
    dp_route_entry_unref(entry);
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
