/* Few are kept at a time, so they are a list that is searched. */
#include "cluster/apiserver/verbs/snapshot.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/loop.h"

#define AFTER_END_S 15

struct snapshots {
    struct loop *loop;
    struct snapshots_limits limits;
    struct list pins;
    size_t n;
    int64_t bytes;
    struct timer *tick;
};

/* ---- one ---- */
struct taking {
    struct snapshot *s;
    const char *only_name;
};

static int take(void *ctx, const struct store_obj *o)
{
    struct taking *t = ctx;
    const char *name = t->only_name ? strrchr(store_obj_key(o), '/') : NULL;

    if (t->only_name && (!name || !streq(name + 1, t->only_name)))
        return 0;
    vec_push(&t->s->objs, store_obj_ref(o));
    t->s->bytes += (int64_t)store_obj_bytes(o).n;
    return 0;
}

struct snapshot *snapshot_take(const struct store *s, const char *prefix, const char *only_name)
{
    struct snapshot *snap = xnew(struct snapshot);
    struct taking t = {snap, only_name};

    snap->rev = store_rev(s);
    snap->refs = 1;
    store_each(s, prefix, take, &t);
    return snap;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    assert(s->refs > 0);
    s->refs++;
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (!s)
        return;
    assert(s->refs > 0);
    if (--s->refs)
        return;
    for (size_t i = 0; i < s->objs.n; i++)
        store_obj_unref((struct store_obj *)(uintptr_t)s->objs.p[i]);
    vec_done(&s->objs);
    free(s);
}

size_t snapshot_behind(const struct snapshot *s, const char *key)
{
    size_t lo = 0, hi = key ? s->objs.n : 0;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (strcmp(store_obj_key(s->objs.p[mid]), key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- those that are kept ---- */
static void drop(struct snapshots *p, struct snapshot *s)
{
    list_del(&s->link);
    s->id = 0;
    p->n--;
    p->bytes -= s->bytes;
    snapshot_unref(s);
}

static struct snapshot *soonest(const struct snapshots *p)
{
    struct snapshot *best = NULL;

    list_for_each(it, &p->pins)
    {
        struct snapshot *s = list_entry(it, struct snapshot, link);

        if (!best || s->ends < best->ends)
            best = s;
    }
    return best;
}

static void arm(struct snapshots *p)
{
    const struct snapshot *s = soonest(p);
    int64_t wait = s ? s->ends - loop_now_ns(p->loop) : 0;

    if (s)
        timer_start(p->tick, wait > 0 ? (uint64_t)(wait / NS_PER_MS) + 1 : 1);
    else
        timer_stop(p->tick);
}

static void expire(void *ctx)
{
    struct snapshots *p = ctx;
    int64_t now = loop_now_ns(p->loop);

    list_for_each_safe(it, &p->pins)
    {
        struct snapshot *s = list_entry(it, struct snapshot, link);

        if (s->ends <= now)
            drop(p, s);
    }
    arm(p);
}

struct snapshots *snapshots_new(struct loop *l, const struct snapshots_limits *limits)
{
    struct snapshots *p = xnew(struct snapshots);

    p->loop = l;
    p->limits = *limits;
    list_init(&p->pins);
    p->tick = timer_new(l, expire, p);
    return p;
}

void snapshots_free(struct snapshots *p)
{
    if (!p)
        return;
    list_for_each_safe(it, &p->pins) drop(p, list_entry(it, struct snapshot, link));
    timer_free(p->tick);
    free(p);
}

/* A list that is larger than all that may be kept is kept alone. */
void snapshots_pin(struct snapshots *p, struct snapshot *s)
{
    if (s->id)
        return;
    while (p->n && (p->n >= p->limits.most || p->bytes + s->bytes > p->limits.bytes))
        drop(p, soonest(p));
    while (!s->id)
        rand_bytes(&s->id, sizeof(s->id));
    s->ends = loop_now_ns(p->loop) + p->limits.seconds * NS_PER_SEC;
    list_push_back(&p->pins, &s->link);
    p->n++;
    p->bytes += s->bytes;
    snapshot_ref(s);
    arm(p);
}

void snapshots_read(struct snapshots *p, struct snapshot *s)
{
    int64_t soon = loop_now_ns(p->loop) + AFTER_END_S * NS_PER_SEC;

    if (!s->id || s->ends <= soon)
        return;
    s->ends = soon;
    arm(p);
}

struct snapshot *snapshots_find(struct snapshots *p, uint64_t id)
{
    expire(p);
    list_for_each(it, &p->pins)
    {
        struct snapshot *s = list_entry(it, struct snapshot, link);

        if (id && s->id == id)
            return s;
    }
    return NULL;
}
