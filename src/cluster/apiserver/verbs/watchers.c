/* See watchers.h. */
#include "cluster/apiserver/verbs/watchers.h"

#include "base/clock.h"
#include "base/mem.h"

static void arm(struct watchers *ws)
{
    struct heap_node *n = heap_peek(&ws->deadlines);
    int64_t wait;

    if (!n) {
        timer_stop(ws->tick);
        return;
    }
    wait = (n->key - loop_now_ns(ws->loop)) / NS_PER_MS;
    timer_start(ws->tick, wait > 0 ? (uint64_t)wait + 1 : 1);
}

static void on_tick(void *ctx)
{
    struct watchers *ws = ctx;
    int64_t now = loop_now_ns(ws->loop);

    for (struct heap_node *n; (n = heap_peek(&ws->deadlines)) && n->key <= now;) {
        struct watch_entry *e = container_of(n, struct watch_entry, deadline);

        heap_remove(&ws->deadlines, n);
        e->due(e, now);
    }
    arm(ws);
}

struct watchers *watchers_new(struct loop *l)
{
    struct watchers *ws = xnew(struct watchers);

    ws->loop = l;
    list_init(&ws->all);
    ws->tick = timer_new(l, on_tick, ws);
    return ws;
}

void watchers_free(struct watchers *ws)
{
    if (!ws)
        return;
    list_for_each_safe(it, &ws->all)
    {
        struct watch_entry *e = list_entry(it, struct watch_entry, link);

        e->stop(e);
    }
    event_cache_done(&ws->events);
    timer_free(ws->tick);
    heap_done(&ws->deadlines);
    free(ws);
}

void watchers_add(struct watchers *ws, struct watch_entry *e)
{
    e->deadline.at = HEAP_NONE;
    list_push_back(&ws->all, &e->link);
}

static void unschedule(struct watchers *ws, struct watch_entry *e)
{
    if (e->deadline.at != HEAP_NONE)
        heap_remove(&ws->deadlines, &e->deadline);
}

void watchers_remove(struct watchers *ws, struct watch_entry *e)
{
    unschedule(ws, e);
    list_del(&e->link);
}

void watchers_schedule(struct watchers *ws, struct watch_entry *e, int64_t at)
{
    unschedule(ws, e);
    e->deadline.key = at;
    heap_push(&ws->deadlines, &e->deadline);
    arm(ws);
}
