/*
 * Collecting the signals: every worker adds what its busy backends have to say; the last one merges
 * the entries of one revision and hands all to the asking loop. A backend that says nothing any
 * more leaves the list.
 */
#include "base/clock.h"
#include "dataplane/worker.h"

struct collection {
    atomic_int left;
    struct loop *loop;
    void (*fn)(void *ctx, const struct dp_stat *stats, size_t n);
    void *ctx;
    pthread_mutex_t lock; /* guards stats, index */
    VEC(struct dp_stat) stats;
    VEC(struct dp_back *) backends; /* parallel to stats, referenced */
    struct map *index;              /* position + 1, by "ns/revision" */
};

struct ask {
    struct dp_worker *worker;
    struct collection *collection;
};

static void collection_free(struct collection *k)
{
    for (size_t i = 0; i < k->backends.n; i++)
        dp_back_unref(k->backends.p[i]);
    vec_done(&k->backends);
    vec_done(&k->stats);
    map_free(k->index);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static void deliver(void *arg)
{
    struct collection *k = arg;

    k->fn(k->ctx, k->stats.p, k->stats.n);
    collection_free(k);
}

static void add(struct collection *k, struct dp_back *b, const struct dp_stat *s)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", s->ns, s->revision);
    uintptr_t at = (uintptr_t)map_get(k->index, key);

    if (at == 0) {
        vec_push(&k->stats, *s);
        vec_push(&k->backends, dp_back_ref(b));
        map_set(k->index, key, (void *)(uintptr_t)k->stats.n);
        return;
    }
    struct dp_stat *sum = &k->stats.p[at - 1];
    sum->concurrency += s->concurrency;
    sum->requests += s->requests;
    sum->in_flight += s->in_flight;
    sum->waiting += s->waiting;
    if (s->seconds > sum->seconds)
        sum->seconds = s->seconds;
}

static void collect_one(struct dp_worker *w, struct dp_back_worker *bw, struct collection *k)
{
    struct dp_back *b = dp_back_of(bw);
    int64_t now = loop_now_ns(w->loop), period = now - w->collected_ns;

    bw->area_ns += (double)bw->inside * (double)(now - bw->changed_ns);
    bw->changed_ns = now;
    struct dp_stat s = {
        .ns = b->ns,
        .revision = dp_back_revision(b, &w->up),
        .concurrency = period > 0 ? bw->area_ns / (double)period : (double)bw->inside,
        .requests = (double)bw->arrivals,
        .in_flight = bw->inside,
        .waiting = bw->n_waiting,
        .seconds = (double)period / (double)NS_PER_SEC,
    };
    if (s.revision)
        add(k, b, &s);
    bool silent = bw->inside == 0 && bw->arrivals == 0 && bw->area_ns <= 0;
    bw->area_ns = 0;
    bw->arrivals = 0;
    if (silent)
        dp_back_rest(&w->up, bw);
}

static void on_ask(void *arg)
{
    struct ask *a = arg;
    struct collection *k = a->collection;

    pthread_mutex_lock(&k->lock);
    list_for_each_safe(it, &a->worker->up.busy)
        collect_one(a->worker, list_entry(it, struct dp_back_worker, busy), k);
    pthread_mutex_unlock(&k->lock);
    a->worker->collected_ns = loop_now_ns(a->worker->loop);
    if (atomic_fetch_sub(&k->left, 1) == 1 && loop_post(k->loop, deliver, k) < 0)
        collection_free(k);
    free(a);
}

void dp_collect(struct dataplane *dp, struct loop *l,
                void (*fn)(void *ctx, const struct dp_stat *stats, size_t n), void *ctx)
{
    struct collection *k = xnew(struct collection);

    atomic_init(&k->left, dp->n_workers);
    k->loop = l;
    k->fn = fn;
    k->ctx = ctx;
    pthread_mutex_init(&k->lock, NULL);
    k->index = map_new(NULL);
    for (int i = 0; i < dp->n_workers; i++) {
        struct ask *a = xnew(struct ask);
        a->worker = &dp->workers[i];
        a->collection = k;
        loop_post(a->worker->loop, on_ask, a);
    }
}
