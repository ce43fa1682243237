/* A worker's share of this room: its birth, its end, and what it forgets in between. */
#include "base/clock.h"
#include "dataplane/up/pconn.h"

#define IDLE_MAX_NS (60 * NS_PER_SEC)

/* What was learned is forgotten slowly: a pod that restarts ends connections of every age. */
static void forget_a_little(struct dp_pod *p)
{
    int64_t limit = atomic_load_explicit(&p->idle_limit_ns, memory_order_relaxed);

    if (limit < IDLE_MAX_NS)
        atomic_store_explicit(&p->idle_limit_ns,
                              limit * 2 + NS_PER_MS < IDLE_MAX_NS ? limit * 2 + NS_PER_MS
                                                                  : IDLE_MAX_NS,
                              memory_order_relaxed);
}

static void sweep_settings(struct dp_up *u)
{
    list_for_each(it, &u->busy)
    {
        const struct dp_settings *s = list_entry(it, struct dp_back_worker, busy)->set;
        for (size_t i = 0; s && i < s->n_pods; i++)
            forget_a_little(s->pods[i]);
    }
}

void dp_up_sweep(struct dp_up *u)
{
    dp_pconn_sweep(u);
    if (u->index == 0)
        sweep_settings(u);
}

void dp_up_init(struct dp_up *u)
{
    list_init(&u->conns);
    list_init(&u->busy);
    buf_init(&u->head, 4 * u->h1.head_max);
}

void dp_up_done(struct dp_up *u)
{
    while (!list_empty(&u->conns))
        dp_pconn_close(list_entry(u->conns.next, struct dp_pconn, link));
    while (!list_empty(&u->busy))
        dp_back_rest(u, list_entry(u->busy.next, struct dp_back_worker, busy));
    map_free(u->known);
    buf_done(&u->head);
}
