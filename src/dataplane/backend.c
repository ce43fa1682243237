/*
 * A backend as a worker sees it: who is inside, who waits, which pod is next.
 *
 * Slots are counted by atomics on the pods, so the limit of a pod holds over all workers without a
 * lock. A worker whose request has to wait sets its bit in the backend's mask and then looks once
 * more; a worker that frees a slot looks at the mask afterwards. One of the two sees the other, so
 * no wake-up is lost. The slot goes to a waiting request of any worker, chosen at random, not
 * always to the worker that freed it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/coldtrace.h"
#include "base/rand.h"
#include "dataplane/dp.h"

#define TICK_MS        100
#define QUEUE_PER_SLOT 10
#define SCAN_ALL_UP_TO 8

struct backend_worker *backend_at(struct backend *b, const struct worker *w)
{
    return &b->w[w->index];
}

struct backend *backend_of(struct backend_worker *bw, const struct worker *w)
{
    return container_of(bw - w->index, struct backend, w);
}

const struct settings *backend_settings(struct backend *b, const struct worker *w)
{
    return b->w[w->index].set;
}

const char *backend_revision(struct backend *b, const struct worker *w)
{
    return b->w[w->index].was_set ? b->revision : NULL;
}

static bool is_plain(struct backend *b, const struct worker *w)
{
    return backend_settings(b, w) && !b->revision;
}

/* ---- who is inside ---- */

static void count(struct worker *w, struct backend_worker *bw)
{
    int64_t now = loop_now_ns(w->loop);

    bw->area_ns += (double)bw->inside * (double)(now - bw->changed_ns);
    bw->changed_ns = now;
}

void backend_enter(struct worker *w, struct backend *b)
{
    struct backend_worker *bw = backend_at(b, w);

    if (list_empty(&bw->busy)) {
        backend_ref(b);
        list_push_back(&w->busy, &bw->busy);
        bw->changed_ns = loop_now_ns(w->loop);
    }
    count(w, bw);
    bw->inside++;
    bw->arrivals++;
}

void backend_leave(struct worker *w, struct backend *b)
{
    struct backend_worker *bw = backend_at(b, w);

    count(w, bw);
    bw->inside--;
}

/* ---- slots ---- */

static bool take_slot(struct pod *p, unsigned limit)
{
    unsigned n = atomic_load(&p->in_flight);

    if (limit == 0) {
        atomic_fetch_add(&p->in_flight, 1);
        return true;
    }
    while (n < limit) {
        if (atomic_compare_exchange_weak(&p->in_flight, &n, n + 1))
            return true;
    }
    return false;
}

static unsigned load_of(const struct pod *p)
{
    return atomic_load_explicit(&p->in_flight, memory_order_relaxed);
}

/* The least loaded of all, beginning anywhere, so that equals take turns. */
static struct pod *least_loaded(const struct settings *s, const struct pod *avoid)
{
    size_t from = s->n_pods > 1 ? rand_fast() % s->n_pods : 0;
    struct pod *best = NULL;

    for (size_t i = 0; i < s->n_pods; i++) {
        struct pod *p = s->pods[(from + i) % s->n_pods];
        if (p == avoid)
            continue;
        if (!best || load_of(p) < load_of(best))
            best = p;
    }
    return best;
}

/* With many pods and no limit: the better one of two picked at random. */
static struct pod *better_of_two(const struct settings *s, const struct pod *avoid)
{
    struct pod *a = s->pods[rand_fast() % s->n_pods], *b = s->pods[rand_fast() % s->n_pods];

    if (a == avoid)
        return b;
    return b == avoid || load_of(a) <= load_of(b) ? a : b;
}

struct pod *backend_pick(struct worker *w, struct backend *b, const struct pod *avoid)
{
    const struct settings *s = backend_settings(b, w);

    if (!s || s->n_pods == 0)
        return NULL;
    if (s->n_pods == 1)
        avoid = NULL;
    for (int tries = 0; tries < 4; tries++) {
        struct pod *p = s->concurrency == 0 && s->n_pods > SCAN_ALL_UP_TO ? better_of_two(s, avoid)
                                                                          : least_loaded(s, avoid);
        if (take_slot(p, s->concurrency))
            return p;
        if (load_of(p) >= s->concurrency && tries > 0)
            break; /* even the least loaded one is full */
    }
    return NULL;
}

struct wake {
    struct worker *worker;
    struct backend *backend;
};

static void on_wake(void *arg)
{
    struct wake *k = arg;

    backend_serve(k->worker, k->backend);
    backend_unref(k->backend);
    free(k);
}

static void wake(struct worker *w, struct backend *b)
{
    struct wake *k = xnew(struct wake);

    k->worker = w;
    k->backend = backend_ref(b);
    if (loop_post(w->loop, on_wake, k) < 0) {
        backend_unref(b);
        free(k);
    }
}

/* Somebody waits and a slot may be free: tell one of the workers where requests wait. */
static void pass_on(struct worker *w, struct backend *b, uint64_t mask)
{
    int skip = (int)(rand_fast() % (uint64_t)__builtin_popcountll(mask));

    while (skip-- > 0)
        mask &= mask - 1;
    int chosen = __builtin_ctzll(mask);
    if (chosen == w->index)
        backend_serve(w, b);
    else
        wake(&w->dp->workers[chosen], b);
}

void backend_release(struct worker *w, struct backend *b, struct pod *p)
{
    atomic_fetch_sub(&p->in_flight, 1);
    uint64_t mask = atomic_load(&b->waiting_mask);
    if (UNLIKELY(mask != 0))
        pass_on(w, b, mask);
}

/* ---- the queue ---- */

static bool has_pods(const struct backend_worker *bw)
{
    return bw->set && bw->set->n_pods > 0;
}

static void tell_arrival(struct worker *w, struct backend *b)
{
    if (w->dp->o.on_arrival && backend_revision(b, w))
        w->dp->o.on_arrival(w->dp->o.ctx, b->ns, b->revision);
}

static void on_tick(void *ctx)
{
    struct backend_worker *bw = ctx;
    struct worker *w = bw->worker;

    if (bw->n_waiting == 0) /* stops a tick late, so that short waits do not start and stop it */
        timer_stop(bw->tick);
    else if (has_pods(bw))
        backend_serve(w, backend_of(bw, w));
    else
        tell_arrival(w, backend_of(bw, w));
}

static void start_tick(struct worker *w, struct backend_worker *bw)
{
    if (!bw->tick)
        bw->tick = timer_new(w->loop, on_tick, bw);
    if (!timer_active(bw->tick))
        timer_repeat(bw->tick, TICK_MS);
}

void backend_rest(struct worker *w, struct backend_worker *bw)
{
    timer_free(bw->tick);
    bw->tick = NULL;
    list_del(&bw->busy);
    backend_unref(backend_of(bw, w));
}

static bool queue_has_room(struct worker *w, struct backend *b, const struct backend_worker *bw,
                           size_t bytes)
{
    size_t limit = LIMIT_QUEUE_REQUESTS;

    if (w->queued_bytes + bytes > LIMIT_QUEUE_BYTES)
        return false;
    if (has_pods(bw) && bw->set->concurrency > 0)
        limit = (size_t)QUEUE_PER_SLOT * bw->set->concurrency * bw->set->n_pods;
    return atomic_load(&b->n_waiting) < limit;
}

bool backend_wait(struct worker *w, struct backend *b, struct client *c)
{
    struct backend_worker *bw = backend_at(b, w);
    size_t bytes = c->up_head.n + c->up_body.n;
    bool first = bw->n_waiting == 0;

    if (is_plain(b, w) || !queue_has_room(w, b, bw, bytes))
        return false;
    list_push_back(&bw->waiting, &c->waiting);
    bw->n_waiting++;
    c->in_queue = true;
    c->queued_bytes = bytes;
    w->queued_bytes += bytes;
    atomic_fetch_add(&b->n_waiting, 1);
    if (first)
        atomic_fetch_or(&b->waiting_mask, 1ULL << w->index);
    start_tick(w, bw);
    if (!has_pods(bw)) {
        c->waited = true;
        if (first) {
            if (backend_revision(b, w))
                coldtrace_mark(b->ns, b->revision, COLD_QUEUED);
            tell_arrival(w, b);
        }
    }
    return true;
}

void backend_unwait(struct worker *w, struct client *c)
{
    struct backend *b = c->backend;
    struct backend_worker *bw = backend_at(b, w);

    if (!c->in_queue)
        return;
    c->in_queue = false;
    list_del(&c->waiting);
    bw->n_waiting--;
    w->queued_bytes -= c->queued_bytes;
    atomic_fetch_sub(&b->n_waiting, 1);
    if (bw->n_waiting == 0)
        atomic_fetch_and(&b->waiting_mask, ~(1ULL << w->index));
}

static struct client *first_ready(struct worker *w, struct backend_worker *bw)
{
    int64_t now = loop_now_ns(w->loop);

    list_for_each(it, &bw->waiting)
    {
        struct client *c = list_entry(it, struct client, waiting);
        if (c->retry_ns <= now)
            return c;
    }
    return NULL;
}

void backend_serve(struct worker *w, struct backend *b)
{
    struct backend_worker *bw = backend_at(b, w);
    struct client *c;
    bool marked = false;

    while ((c = first_ready(w, bw)) != NULL) {
        struct pod *p = backend_pick(w, b, c->failed_pod);
        if (!p)
            return;
        if (c->waited && !marked && backend_revision(b, w))
            coldtrace_mark(b->ns, b->revision, COLD_SERVED);
        marked = true;
        backend_unwait(w, c);
        c->pod = pod_ref(p);
        client_dispatch(c);
    }
    /* Nobody is left here, but a slot may be, and others may wait for it. */
    uint64_t others = atomic_load(&b->waiting_mask) & ~(1ULL << w->index);
    if (others && bw->set && bw->set->concurrency > 0) {
        struct pod *p = backend_pick(w, b, NULL);
        if (p) {
            atomic_fetch_sub(&p->in_flight, 1);
            pass_on(w, b, others);
        }
    }
}

/* ---- new settings ---- */

static bool has_pod(const struct settings *s, const struct pod *p)
{
    for (size_t i = 0; s && i < s->n_pods; i++) {
        if (s->pods[i] == p)
            return true;
    }
    return false;
}

static void drop_idle(struct worker *w, struct pod *p)
{
    struct pod_worker *pw = &p->w[w->index];

    pw->removed = true;
    while (!list_empty(&pw->idle))
        upstream_close(list_entry(pw->idle.next, struct upstream, idle));
}

static void refuse_waiting(struct worker *w, struct backend *b, struct backend_worker *bw)
{
    char body[600];

    snprintf(body, sizeof(body), "the service %s/%s was removed\n", b->ns, b->service);
    while (!list_empty(&bw->waiting)) {
        struct client *c = list_entry(bw->waiting.next, struct client, waiting);
        client_reply(c, 503, NULL, body);
    }
}

/* Of several Services of one revision the one told of last stands for it. */
static void note_known(struct worker *w, struct backend *b)
{
    char key[600];

    if (!w->known || !b->revision)
        return;
    snprintf(key, sizeof(key), "%s/%s", b->ns, b->revision);
    if (backend_settings(b, w))
        map_set(w->known, key, b);
    else if (map_get(w->known, key) == b)
        map_del(w->known, key);
}

void backend_apply(struct worker *w, struct backend *b, struct settings *s)
{
    struct backend_worker *bw = backend_at(b, w);
    struct settings *old = bw->set;

    bw->set = s;
    bw->was_set |= s != NULL;
    note_known(w, b);
    for (size_t i = 0; s && i < s->n_pods; i++)
        s->pods[i]->w[w->index].removed = false;
    for (size_t i = 0; old && i < old->n_pods; i++) {
        if (!has_pod(s, old->pods[i]))
            drop_idle(w, old->pods[i]);
    }
    settings_unref(old);
    /* A changed set of endpoints ends the pause after failed connects. */
    list_for_each(it, &bw->waiting) list_entry(it, struct client, waiting)->retry_ns = 0;
    if (!s || (is_plain(b, w) && s->n_pods == 0))
        refuse_waiting(w, b, bw);
    else
        backend_serve(w, b);
}
