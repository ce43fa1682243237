/*
 * The history is a ring of events, each with the version it made and the one before. Versions are
 * shared with the state, so an event costs memory only once its object is superseded; bytes are
 * bounded as well as the number.
 *
 * A watch stopped inside a callback is only marked; it is unlinked once nobody walks the list any
 * more.
 */
#include "cluster/store/hub.h"

#include <errno.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"

struct event {
    const struct store_obj *obj, *prev;
    enum store_event ev;
};

struct hub {
    struct event *ring; /* cap entries, grown up to what max_events needs */
    size_t cap, head, n;
    size_t max_events;
    size_t bytes; /* of the objects in the ring */
    uint64_t compacted;
    struct list watches;
    int walking;
    bool any_stopped;
};

struct store_watch {
    struct list node;
    struct hub *hub;
    char *prefix;
    size_t prefix_n;
    uint64_t last;
    store_watch_fn *fn;
    void *ctx;
    bool stopped;
};

struct hub *hub_new(uint64_t rev, size_t max_events)
{
    struct hub *h = xnew(struct hub);

    h->compacted = rev;
    h->max_events = max_events;
    list_init(&h->watches);
    return h;
}

static struct event *at(const struct hub *h, size_t i)
{
    return &h->ring[(h->head + i) % h->cap];
}

static void drop_oldest(struct hub *h)
{
    struct event *ev = at(h, 0);

    h->compacted = store_obj_rev(ev->obj);
    h->bytes -= store_obj_bytes(ev->obj).n;
    store_obj_unref(ev->obj);
    store_obj_unref(ev->prev);
    h->head = (h->head + 1) % h->cap;
    h->n--;
}

static void free_watch(struct store_watch *w)
{
    list_del(&w->node);
    free(w->prefix);
    free(w);
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    while (h->n)
        drop_oldest(h);
    list_for_each_safe(it, &h->watches) free_watch(list_entry(it, struct store_watch, node));
    free(h->ring);
    free(h);
}

uint64_t hub_compacted(const struct hub *h)
{
    return h->compacted;
}

void hub_trim(struct hub *h)
{
    while (h->n > h->max_events || (h->n > 0 && h->bytes > LIMIT_WATCH_HISTORY_BYTES))
        drop_oldest(h);
}

static void grow(struct hub *h)
{
    size_t cap = h->cap ? h->cap * 2 : 64;
    struct event *ring = xcalloc(cap, sizeof(*ring));

    for (size_t i = 0; i < h->n; i++)
        ring[i] = *at(h, i);
    free(h->ring);
    h->ring = ring;
    h->cap = cap;
    h->head = 0;
}

static void remember(struct hub *h, const struct event *ev)
{
    if (h->n == h->cap)
        grow(h);
    h->n++;
    *at(h, h->n - 1) = (struct event){store_obj_ref(ev->obj), store_obj_ref(ev->prev), ev->ev};
    h->bytes += store_obj_bytes(ev->obj).n;
}

static void deliver(struct store_watch *w, const struct event *ev)
{
    uint64_t rev = store_obj_rev(ev->obj);

    if (w->stopped || rev <= w->last)
        return;
    w->last = rev;
    if (strncmp(store_obj_key(ev->obj), w->prefix, w->prefix_n) == 0)
        w->fn(w->ctx, ev->ev, ev->obj, ev->prev);
}

static void end_walk(struct hub *h)
{
    if (--h->walking > 0 || !h->any_stopped)
        return;
    list_for_each_safe(it, &h->watches)
    {
        struct store_watch *w = list_entry(it, struct store_watch, node);
        if (w->stopped)
            free_watch(w);
    }
    h->any_stopped = false;
}

void hub_publish(struct hub *h, enum store_event kind, const struct store_obj *obj,
                 const struct store_obj *prev)
{
    struct event ev = {obj, prev, kind};

    remember(h, &ev);
    h->walking++;
    list_for_each(it, &h->watches) deliver(list_entry(it, struct store_watch, node), &ev);
    end_walk(h);
}

/* The first event behind revision `from`. */
static size_t first_after(const struct hub *h, uint64_t from)
{
    size_t lo = 0, hi = h->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (store_obj_rev(at(h, mid)->obj) <= from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct store_watch *hub_watch(struct hub *h, const char *prefix, uint64_t from, store_watch_fn *fn,
                              void *ctx, struct err *e)
{
    if (from < h->compacted) {
        err_set(
            e, -ESTALE,
            "cannot watch %s from revision %llu: it is compacted, the oldest is %llu; list again",
            prefix, (unsigned long long)from, (unsigned long long)h->compacted);
        return NULL;
    }
    struct store_watch *w = xnew(struct store_watch);
    *w = (struct store_watch){.hub = h,
                              .prefix = xstrdup(prefix),
                              .prefix_n = strlen(prefix),
                              .last = from,
                              .fn = fn,
                              .ctx = ctx};
    list_push_back(&h->watches, &w->node);
    for (size_t i = first_after(h, from); i < h->n; i++)
        deliver(w, at(h, i));
    return w;
}

void store_watch_stop(struct store_watch *w)
{
    if (!w)
        return;
    if (w->hub->walking == 0) {
        free_watch(w);
        return;
    }
    w->stopped = true;
    w->hub->any_stopped = true;
}
