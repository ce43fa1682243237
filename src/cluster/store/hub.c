/*
 * A kind's history is a ring of events, each with the version it made and the one before. Versions
 * are shared with the state, so an event costs memory only for what is superseded: those bytes are
 * counted, over all kinds, and when they are too many the kind that has most loses its oldest.
 *
 * A watch stopped inside a callback is only marked; it is unlinked once nobody walks the list any
 * more.
 */
#include "cluster/store/hub.h"

#include <assert.h>
#include <errno.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/vec.h"
#include "cluster/store/index.h"
#include "cluster/store/limits.h"

struct event {
    const struct store_obj *obj, *prev;
    enum store_event ev;
};

struct kind {
    char *head;
    struct event *ring; /* cap entries, grown up to what max_events needs */
    size_t cap, first, n;
    size_t bytes; /* that only these events keep */
    uint64_t compacted;
    bool cut; /* since somebody asked */
};

struct hub {
    VEC(struct kind *) kinds; /* in the order of their heads */
    size_t max_events;
    size_t bytes;
    uint64_t begin; /* of kinds that have no history */
    void (*dead)(void *ctx, uint64_t rev);
    void *ctx;
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

struct hub *hub_new(size_t max_events, void (*dead)(void *ctx, uint64_t rev), void *ctx)
{
    struct hub *h = xnew(struct hub);

    h->max_events = max_events;
    h->dead = dead;
    h->ctx = ctx;
    list_init(&h->watches);
    return h;
}

/* ---- one kind's events ---- */

static struct event *at(const struct kind *k, size_t i)
{
    return &k->ring[(k->first + i) % k->cap];
}

static size_t own_bytes(const struct event *ev)
{
    return (ev->prev ? store_obj_bytes(ev->prev).n : 0) +
           (ev->ev == STORE_DELETED ? store_obj_bytes(ev->obj).n : 0);
}

static void drop_oldest(struct hub *h, struct kind *k)
{
    struct event *ev = at(k, 0);
    size_t bytes = own_bytes(ev);

    assert(k->n > 0 && k->bytes >= bytes && h->bytes >= bytes);
    if (ev->prev)
        h->dead(h->ctx, store_obj_rev(ev->prev));
    if (ev->ev == STORE_DELETED)
        h->dead(h->ctx, store_obj_rev(ev->obj));
    assert(store_obj_rev(ev->obj) > k->compacted);
    k->compacted = store_obj_rev(ev->obj);
    k->cut = true;
    k->bytes -= bytes;
    h->bytes -= bytes;
    store_obj_unref(ev->obj);
    store_obj_unref(ev->prev);
    k->first = (k->first + 1) % k->cap;
    k->n--;
}

static void grow(struct kind *k)
{
    size_t cap = k->cap ? k->cap * 2 : 16;
    struct event *ring = xcalloc(cap, sizeof(*ring));

    for (size_t i = 0; i < k->n; i++)
        ring[i] = *at(k, i);
    free(k->ring);
    k->ring = ring;
    k->cap = cap;
    k->first = 0;
}

static void remember(struct hub *h, struct kind *k, const struct event *ev)
{
    size_t bytes = own_bytes(ev);

    assert(k->n == 0 || store_obj_rev(at(k, k->n - 1)->obj) < store_obj_rev(ev->obj));
    if (k->n == k->cap)
        grow(k);
    k->n++;
    *at(k, k->n - 1) = (struct event){store_obj_ref(ev->obj), store_obj_ref(ev->prev), ev->ev};
    k->bytes += bytes;
    h->bytes += bytes;
}

/* The first event behind revision `from`. */
static size_t first_after(const struct kind *k, uint64_t from)
{
    size_t lo = 0, hi = k->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (store_obj_rev(at(k, mid)->obj) <= from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- kinds ---- */

static size_t place_of(const struct hub *h, const char *head, size_t n)
{
    size_t lo = 0, hi = h->kinds.n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strncmp(h->kinds.p[mid]->head, head, n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Made if there is none; n counts the last slash, so no head begins another. */
static struct kind *kind_of(struct hub *h, const char *head, size_t n)
{
    size_t place = place_of(h, head, n);

    if (place < h->kinds.n && strncmp(h->kinds.p[place]->head, head, n) == 0)
        return h->kinds.p[place];
    struct kind *k = xnew(struct kind);
    k->head = xstrndup(head, n);
    k->compacted = h->begin;
    vec_push(&h->kinds, NULL);
    memmove(&h->kinds.p[place + 1], &h->kinds.p[place], (h->kinds.n - 1 - place) * sizeof(k));
    h->kinds.p[place] = k;
    return k;
}

static void kind_free(struct hub *h, struct kind *k)
{
    for (size_t i = 0; i < k->n; i++) {
        store_obj_unref(at(k, i)->obj);
        store_obj_unref(at(k, i)->prev);
    }
    free(k->ring);
    free(k->head);
    free(k);
}

/* Whether a key can have both this head and the prefix. */
static bool concerns(const struct kind *k, const char *prefix)
{
    size_t a = strlen(k->head), b = strlen(prefix);

    return strncmp(k->head, prefix, a < b ? a : b) == 0;
}

static void begin(struct hub *h, struct kind *k, uint64_t rev)
{
    while (k->n)
        drop_oldest(h, k);
    if (rev > k->compacted) {
        k->compacted = rev;
        k->cut = true;
    }
}

void hub_begin(struct hub *h, const char *head, size_t head_n, uint64_t rev)
{
    begin(h, kind_of(h, head, head_n), rev);
}

void hub_begin_all(struct hub *h, uint64_t rev)
{
    h->begin = rev;
    for (size_t i = 0; i < h->kinds.n; i++)
        begin(h, h->kinds.p[i], rev);
}

uint64_t hub_compacted(const struct hub *h, const char *prefix)
{
    uint64_t rev = h->begin;

    for (size_t i = 0; i < h->kinds.n; i++)
        if (concerns(h->kinds.p[i], prefix) && h->kinds.p[i]->compacted > rev)
            rev = h->kinds.p[i]->compacted;
    return rev;
}

void hub_each_cut(struct hub *h, void (*fn)(void *ctx, const char *head, uint64_t rev), void *ctx)
{
    for (size_t i = 0; i < h->kinds.n; i++) {
        struct kind *k = h->kinds.p[i];
        if (k->cut)
            fn(ctx, k->head, k->compacted);
        k->cut = false;
    }
}

static struct kind *largest(const struct hub *h)
{
    struct kind *most = NULL;

    for (size_t i = 0; i < h->kinds.n; i++)
        if (h->kinds.p[i]->n && (!most || h->kinds.p[i]->bytes > most->bytes))
            most = h->kinds.p[i];
    return most;
}

void hub_trim(struct hub *h)
{
    for (size_t i = 0; i < h->kinds.n; i++)
        while (h->kinds.p[i]->n > h->max_events)
            drop_oldest(h, h->kinds.p[i]);
    while (h->bytes > LIMIT_HISTORY_BYTES)
        drop_oldest(h, largest(h));
}

/* ---- watches ---- */

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
    for (size_t i = 0; i < h->kinds.n; i++)
        kind_free(h, h->kinds.p[i]);
    vec_done(&h->kinds);
    list_for_each_safe(it, &h->watches) free_watch(list_entry(it, struct store_watch, node));
    free(h);
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
    assert(h->walking > 0);
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
    const char *key = store_obj_key(obj);
    struct event ev = {obj, prev, kind};

    remember(h, kind_of(h, key, index_head_len(key)), &ev);
    h->walking++;
    list_for_each(it, &h->watches) deliver(list_entry(it, struct store_watch, node), &ev);
    end_walk(h);
}

struct cursor {
    const struct kind *kind;
    size_t i;
};

/* The events behind the watch's revision, of all kinds that it may concern, in order. */
static void replay(struct hub *h, struct store_watch *w)
{
    VEC(struct cursor) cs = {0};
    struct cursor c;

    for (size_t i = 0; i < h->kinds.n; i++) {
        c = (struct cursor){h->kinds.p[i], first_after(h->kinds.p[i], w->last)};
        if (concerns(c.kind, w->prefix) && c.i < c.kind->n)
            vec_push(&cs, c);
    }
    while (cs.n) {
        size_t next = 0;
        for (size_t i = 1; i < cs.n; i++)
            if (store_obj_rev(at(cs.p[i].kind, cs.p[i].i)->obj) <
                store_obj_rev(at(cs.p[next].kind, cs.p[next].i)->obj))
                next = i;
        deliver(w, at(cs.p[next].kind, cs.p[next].i));
        if (++cs.p[next].i == cs.p[next].kind->n)
            vec_remove(&cs, next);
    }
    vec_done(&cs);
}

struct store_watch *hub_watch(struct hub *h, const char *prefix, uint64_t from, store_watch_fn *fn,
                              void *ctx, struct err *e)
{
    uint64_t oldest = hub_compacted(h, prefix);

    if (from < oldest) {
        err_set(
            e, -ESTALE,
            "cannot watch %s from revision %llu: it is compacted, the oldest is %llu; list again",
            prefix, (unsigned long long)from, (unsigned long long)oldest);
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
    replay(h, w);
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
