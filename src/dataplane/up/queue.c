/*
 * Waiting for a slot. Each worker has a list, in the order of coming, and publishes when its first
 * request came that could go. Whoever has a slot to give looks who is eldest over all workers and
 * hands the slot itself over in a message, so nobody can take it on the way; a slot that finds
 * nobody any more goes on.
 *
 * No wake-up is lost: a worker publishes its time and then tries for a slot; a worker that frees a
 * slot gives it back and then looks at the times. One of the two sees the other.
 */
#include <assert.h>

#include "base/clock.h"
#include "dataplane/up/cold.h"
#include "dataplane/up/impl.h"

#define TICK_MS    100
#define UNKNOWN_NS (2 * NS_PER_SEC) /* a Service may be told of a moment after its Ingress */

/* ---- how many of one client ---- */

#define PEER_SLOTS 16384

struct dp_peers {
    atomic_uint waiting[PEER_SLOTS];
};

struct dp_peers *dp_peers_new(void)
{
    return xnew(struct dp_peers);
}

void dp_peers_free(struct dp_peers *p)
{
    free(p);
}

/* Two clients rarely share a counter; if they do, they share a bound that one alone rarely meets.
 */
static atomic_uint *peer_count(const struct dp_up *u, const struct dp_back *b, uint32_t peer)
{
    uintptr_t where = (uintptr_t)b / DP_CACHE_LINE * 2654435761u;

    return &u->peers->waiting[(where ^ peer) % PEER_SLOTS];
}

/* ---- who is next ---- */

static struct dp_waiter *first_ready(struct dp_back_worker *bw)
{
    int64_t now = loop_now_ns(bw->up->loop);

    list_for_each(it, &bw->waiting)
    {
        struct dp_waiter *k = list_entry(it, struct dp_waiter, link);
        if (k->retry_ns <= now)
            return k;
    }
    return NULL;
}

static void publish(struct dp_back_worker *bw)
{
    struct dp_waiter *k = bw->n_waiting ? first_ready(bw) : NULL;

    atomic_store(&bw->oldest_ns, k ? k->since_ns : INT64_MAX);
}

struct dp_back_worker *dp_queue_elder(struct dp_back *b, const struct dp_up *u, int64_t than_ns)
{
    struct dp_back_worker *eldest = NULL;

    for (int i = 0; i < b->n_workers; i++) {
        int64_t t = atomic_load(&b->w[i].oldest_ns);
        if (i != u->index && t < than_ns) {
            than_ns = t;
            eldest = &b->w[i];
        }
    }
    return eldest;
}

/* ---- handing slots over ---- */

struct gift {
    struct dp_back_worker *to;
    struct dp_back *back;
    struct dp_pod *pod;
};

static void serve_one(struct dp_up *u, struct dp_waiter *k, struct dp_pod *p)
{
    if (k->cold)
        dp_cold_served(u, k->back);
    dp_unwait(u, k);
    k->ops->serve(k, p);
}

static void on_gift(void *arg)
{
    struct gift *g = arg;
    struct dp_waiter *k = first_ready(g->to);

    if (k)
        serve_one(g->to->up, k, g->pod);
    else
        dp_back_release(g->to->up, g->back, g->pod);
    dp_back_unref(g->back);
    free(g);
}

void dp_queue_hand(struct dp_back *b, struct dp_back_worker *to, struct dp_pod *p)
{
    struct gift *g = xnew(struct gift);

    *g = (struct gift){to, dp_back_ref(b), p};
    if (loop_post(to->up->loop, on_gift, g) == 0)
        return;
    dp_slot_give(p); /* that worker has ended, and its requests with it */
    dp_pod_unref(p);
    dp_back_unref(b);
    free(g);
}

void dp_serve(struct dp_up *u, struct dp_back *b)
{
    struct dp_back_worker *bw = dp_back_at(b, u), *elder;
    struct dp_waiter *k;

    while ((k = first_ready(bw)) != NULL) {
        struct dp_pod *p = dp_slot_take(bw->set, k->failed);
        if (!p)
            break;
        dp_pod_ref(p);
        elder = bw->set->concurrency ? dp_queue_elder(b, u, k->since_ns) : NULL;
        if (elder)
            dp_queue_hand(b, elder, p);
        else
            serve_one(u, k, p);
    }
    publish(bw);
    /* Nobody is left here, but a slot may be, and others may wait for it. */
    if (k || !bw->set || bw->set->concurrency == 0)
        return;
    elder = dp_queue_elder(b, u, INT64_MAX);
    struct dp_pod *p = elder ? dp_slot_take(bw->set, NULL) : NULL;
    if (p)
        dp_queue_hand(b, elder, dp_pod_ref(p));
}

/* ---- coming and leaving ---- */

static bool has_pods(const struct dp_back_worker *bw)
{
    return bw->set && bw->set->n_pods > 0;
}

static void tell_arrival(struct dp_up *u, struct dp_back *b)
{
    if (u->on_arrival && dp_back_revision(b, u))
        u->on_arrival(u->ctx, b->ns, b->revision);
}

static void refuse_late(struct dp_back_worker *bw)
{
    int64_t now = loop_now_ns(bw->up->loop);

    list_for_each_safe(it, &bw->waiting)
    {
        struct dp_waiter *k = list_entry(it, struct dp_waiter, link);
        if (k->until_ns == 0 || now < k->until_ns)
            continue;
        dp_unwait(bw->up, k);
        k->ops->refuse(k, DP_REFUSED_UNKNOWN);
    }
}

static void on_tick(void *ctx)
{
    struct dp_back_worker *bw = ctx;
    struct dp_up *u = bw->up;
    struct dp_back *b = dp_back_of(bw);

    dp_back_ref(b);
    if (bw->n_waiting == 0) /* stops a tick late, so that short waits do not start and stop it */
        timer_stop(bw->tick);
    else if (has_pods(bw))
        dp_serve(u, b);
    else if (!bw->set)
        refuse_late(bw);
    else
        tell_arrival(u, b);
    dp_back_unref(b);
}

static void start_tick(struct dp_up *u, struct dp_back_worker *bw)
{
    if (!bw->tick)
        bw->tick = timer_new(u->loop, on_tick, bw);
    if (!timer_active(bw->tick))
        timer_repeat(bw->tick, TICK_MS);
}

void dp_queue_rest(struct dp_back_worker *bw)
{
    timer_free(bw->tick);
    bw->tick = NULL;
}

/* 0, or why there is no room. */
static int look_for_room(struct dp_up *u, struct dp_back *b, const struct dp_waiter *k)
{
    const struct dp_back_worker *bw = dp_back_at(b, u);
    bool counted = !bw->set || bw->set->concurrency > 0;
    unsigned mine = atomic_load(peer_count(u, b, k->peer));

    if (bw->set && !dp_back_revision(b, u))
        return -1 - DP_REFUSED_PLAIN;
    if (u->queued_bytes + k->bytes > LIMIT_DP_QUEUE_BYTES)
        return -1 - DP_REFUSED_FULL;
    if (counted && atomic_load(&b->n_waiting) >= LIMIT_DP_QUEUE)
        return -1 - DP_REFUSED_FULL;
    if ((counted && mine >= LIMIT_DP_QUEUE_PEER) ||
        (mine > 0 && u->queued_bytes + k->bytes > LIMIT_DP_QUEUE_PEER_BYTES))
        return -1 - DP_REFUSED_PEER;
    return 0;
}

int dp_wait(struct dp_up *u, struct dp_back *b, struct dp_waiter *k)
{
    struct dp_back_worker *bw = dp_back_at(b, u);
    int r = look_for_room(u, b, k);

    assert(!k->back);
    if (r < 0)
        return r;
    /* Who comes back after a failed connect has its old place. */
    struct list *at = &bw->waiting;
    while (at->prev != &bw->waiting &&
           list_entry(at->prev, struct dp_waiter, link)->since_ns > k->since_ns)
        at = at->prev;
    list_insert_(&k->link, at->prev, at);
    k->back = b;
    u->queued_bytes += k->bytes;
    bw->n_waiting++;
    atomic_fetch_add(&b->n_waiting, 1);
    atomic_fetch_add(peer_count(u, b, k->peer), 1);
    k->until_ns = bw->set || k->until_ns ? k->until_ns : loop_now_ns(u->loop) + UNKNOWN_NS;
    if (k->retry_ns <= loop_now_ns(u->loop) && k->since_ns < atomic_load(&bw->oldest_ns))
        atomic_store(&bw->oldest_ns, k->since_ns);
    start_tick(u, bw);
    if (!has_pods(bw)) {
        k->cold = true;
        if (bw->n_waiting == 1) {
            dp_cold_began(u, b);
            tell_arrival(u, b);
        }
    }
    return 0;
}

void dp_wait_more(struct dp_up *u, struct dp_waiter *k, size_t bytes)
{
    k->bytes += bytes;
    if (k->back)
        u->queued_bytes += bytes;
}

void dp_unwait(struct dp_up *u, struct dp_waiter *k)
{
    struct dp_back *b = k->back;

    if (!b)
        return;
    struct dp_back_worker *bw = dp_back_at(b, u);
    assert(bw->n_waiting > 0 && u->queued_bytes >= k->bytes);
    list_del(&k->link);
    k->back = NULL;
    bw->n_waiting--;
    u->queued_bytes -= k->bytes;
    atomic_fetch_sub(&b->n_waiting, 1);
    atomic_fetch_sub(peer_count(u, b, k->peer), 1);
    if (k->since_ns <= atomic_load(&bw->oldest_ns))
        publish(bw);
}

static void refuse_all(struct dp_up *u, struct dp_back_worker *bw, enum dp_refusal why)
{
    while (!list_empty(&bw->waiting)) {
        struct dp_waiter *k = list_entry(bw->waiting.next, struct dp_waiter, link);
        dp_unwait(u, k);
        k->ops->refuse(k, why);
    }
}

void dp_queue_settle(struct dp_up *u, struct dp_back *b)
{
    struct dp_back_worker *bw = dp_back_at(b, u);

    /* A changed set of endpoints ends the pause after failed connects. */
    list_for_each(it, &bw->waiting)
    {
        struct dp_waiter *k = list_entry(it, struct dp_waiter, link);
        k->retry_ns = k->until_ns = 0;
    }
    if (!bw->set)
        refuse_all(u, bw, DP_REFUSED_GONE);
    else if (!dp_back_revision(b, u) && bw->set->n_pods == 0)
        refuse_all(u, bw, DP_REFUSED_PLAIN);
    else
        dp_serve(u, b);
}
