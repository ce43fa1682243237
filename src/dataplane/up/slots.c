/*
 * Slots are counted by atomics on the pods, so the limit of a pod holds over all workers without a
 * lock.
 */
#include <assert.h>

#include "base/rand.h"
#include "dataplane/up/impl.h"

#define SCAN_ALL_UP_TO 8

static bool take_slot(struct dp_pod *p, unsigned limit)
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

static unsigned load_of(const struct dp_pod *p)
{
    return atomic_load_explicit(&p->in_flight, memory_order_relaxed);
}

/* The least loaded of all, beginning anywhere, so that equals take turns. */
static struct dp_pod *least_loaded(const struct dp_settings *s, const struct dp_pod *avoid)
{
    size_t from = s->n_pods > 1 ? rand_fast() % s->n_pods : 0;
    struct dp_pod *best = NULL;

    for (size_t i = 0; i < s->n_pods; i++) {
        struct dp_pod *p = s->pods[(from + i) % s->n_pods];
        if (p == avoid)
            continue;
        if (!best || load_of(p) < load_of(best))
            best = p;
    }
    return best;
}

/* With many pods and no limit: the better one of two picked at random. */
static struct dp_pod *better_of_two(const struct dp_settings *s, const struct dp_pod *avoid)
{
    struct dp_pod *a = s->pods[rand_fast() % s->n_pods], *b = s->pods[rand_fast() % s->n_pods];

    if (a == avoid)
        return b;
    return b == avoid || load_of(a) <= load_of(b) ? a : b;
}

struct dp_pod *dp_slot_take(const struct dp_settings *s, const struct dp_pod *avoid)
{
    if (!s || s->n_pods == 0)
        return NULL;
    if (s->n_pods == 1)
        avoid = NULL;
    for (int tries = 0; tries < 4; tries++) {
        struct dp_pod *p = s->concurrency == 0 && s->n_pods > SCAN_ALL_UP_TO
                               ? better_of_two(s, avoid)
                               : least_loaded(s, avoid);
        if (take_slot(p, s->concurrency))
            return p;
        if (load_of(p) >= s->concurrency && tries > 0)
            break; /* even the least loaded one is full */
    }
    return NULL;
}

void dp_slot_give(struct dp_pod *p)
{
    unsigned before = atomic_fetch_sub(&p->in_flight, 1);

    assert(before > 0);
}
