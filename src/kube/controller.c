/*
 * Changes put keys into the queue and ask for a turn; the turn comes at the end of the loop's
 * current one, without a timer. A reconciler runs to its end there; its plan is carried out beside
 * those of other keys, and the key stays "running" in the queue until the plan is through, so that
 * no key is ever worked on twice at once.
 *
 * A refused write is remembered with its key (refusal.h): until it may be tried again, runs of the
 * key are told of it and their plans are held to what does not depend on it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "kube/informer.h"
#include "kube/plan_run.h"
#include "kube/refusal.h"
#include "kube/tracker.h"

#define KEYS_PER_TURN   64
#define TRIES_FOR_CACHE 5
#define RESYNC_NS       (10 * 3600 * NS_PER_SEC)

/* A turn that was asked for; outlives the controller if that goes first. */
struct turn {
    struct controller *c;
    bool asked;
};

struct watched {
    struct controller *c;
    const struct kube_resource *res;
    map_fn *map;
    void *map_ctx;
};

struct running {
    struct list node;
    struct controller *c;
    char *key;
    struct plan_run *plan;
    bool held; /* it ran in the knowledge of a refusal */
};

struct controller {
    struct manager_member member;
    struct manager *m;
    struct controller_opts o;
    struct cache *cache;
    struct workqueue *queue;
    struct timer *due, *resync;
    struct turn *turn;
    struct list running;
    size_t n_running;
    struct map *refusals; /* key -> refusal */
    struct tracker *tracker;
    VEC(struct watched *) watched;
    VEC(const struct kube_resource *) tracked;
};

static void ask_turn(struct controller *c);

/* ---- class ---- */
static bool is_ours(const struct controller *c, const struct kobj *o)
{
    if (!c->o.class_annotation)
        return true;
    const char *value = kobj_annotation(o, c->o.class_annotation);
    return value ? streq(value, c->o.class_value) : c->o.class_default;
}

/* ---- queueing ---- */
static void enqueue_key(void *ctx, const char *key)
{
    struct controller *c = ctx;

    wq_add(c->queue, key);
    ask_turn(c);
}

static void enqueue(void *ctx, const char *ns, const char *name)
{
    _cleanup_free_ char *key = kube_key(ns, name);

    enqueue_key(ctx, key);
}

void controller_enqueue(struct controller *c, const char *ns, const char *name)
{
    enqueue(c, ns, name);
}

void controller_enqueue_after(struct controller *c, const char *ns, const char *name,
                              int64_t delay_ns)
{
    _cleanup_free_ char *key = kube_key(ns, name);

    wq_add_after(c->queue, key, loop_now_ns(manager_loop(c->m)), delay_ns);
    ask_turn(c);
}

static int enqueue_object(void *ctx, const struct kobj *o)
{
    struct controller *c = ctx;

    if (is_ours(c, o))
        enqueue(c, kobj_namespace(o), kobj_name(o));
    return 0;
}

void controller_enqueue_all(struct controller *c)
{
    cache_each(c->cache, enqueue_object, c);
}

static void on_resync(void *ctx)
{
    controller_enqueue_all(ctx);
}

static void on_object(void *ctx, const struct kobj *before, const struct kobj *after)
{
    const struct kobj *o = after ? after : before;
    struct controller *c = ctx;

    if (is_ours(c, o) || (before && is_ours(c, before)))
        enqueue(c, kobj_namespace(o), kobj_name(o));
}

/* ---- other resources ---- */
static struct watched *watched_new(struct controller *c, const struct kube_resource *r)
{
    struct watched *w = xnew(struct watched);

    w->c = c;
    w->res = r;
    vec_push(&c->watched, w);
    return w;
}

static bool is_group_kind(const yyjson_val *ref, const struct kube_resource *r)
{
    const char *api = jget_str(ref, "apiVersion");
    const char *slash = api ? strrchr(api, '/') : NULL;
    struct str group = {api, slash ? (size_t)(slash - api) : 0};

    return api && streq(jget_str(ref, "kind"), r->kind) && str_eq(group, str_of(r->group));
}

static void enqueue_owner(struct controller *c, const struct kobj *child)
{
    yyjson_val *ref = kobj_controller(child);

    if (ref && is_group_kind(ref, c->o.res))
        enqueue(c, kobj_namespace(child), jget_str(ref, "name"));
}

static void on_owned(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct controller *c = ((struct watched *)ctx)->c;

    enqueue_owner(c, after ? after : before);
    if (before && after)
        enqueue_owner(c, before);
}

void controller_watch_owned(struct controller *c, const struct kube_resource *child)
{
    manager_on_change(c->m, child, on_owned, watched_new(c, child));
}

static void on_mapped(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct watched *w = ctx;

    if (before)
        w->map(w->map_ctx, before, enqueue, w->c);
    if (after)
        w->map(w->map_ctx, after, enqueue, w->c);
}

void controller_watch_mapped(struct controller *c, const struct kube_resource *r, map_fn *map,
                             void *ctx)
{
    struct watched *w = watched_new(c, r);

    w->map = map;
    w->map_ctx = ctx;
    manager_on_change(c->m, r, on_mapped, w);
}

static void on_tracked(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct watched *w = ctx;
    const struct kobj *o = after ? after : before;

    tracker_each(w->c->tracker, w->res, kobj_namespace(o), kobj_name(o), enqueue_key, w->c);
}

void controller_track(struct controller *c, const struct reconcile_ctx *rc,
                      const struct kube_resource *r, const char *ns, const char *name)
{
    bool known = false;

    tracker_add(c->tracker, rc->key, r, ns, name);
    for (size_t i = 0; i < c->tracked.n; i++)
        known = known || kube_resource_eq(c->tracked.p[i], r);
    if (known)
        return;
    vec_push(&c->tracked, r);
    manager_on_change(c->m, r, on_tracked, watched_new(c, r));
}

/* ---- refusals ---- */
static const struct kobj *object_of(const struct controller *c, const char *key)
{
    char ns[254];
    const char *name;

    kube_key_split(key, ns, &name);
    return cache_get(c->cache, ns, name);
}

static struct refusal *refuse(struct controller *c, const char *key, const struct kube_status *st,
                              const struct plan_entry *en)
{
    struct refusal *f = refusal_new(map_take(c->refusals, key), object_of(c, key), st, en,
                                    loop_now_ns(manager_loop(c->m)));

    map_set(c->refusals, key, f);
    return f;
}

/* Whether the refusal holds this run of its key. */
static bool holds(struct controller *c, const struct refusal *f, const struct kobj *o)
{
    if (!f)
        return false;
    bool exists =
        *f->entry.name && cache_get(manager_cache(c->m, f->entry.res), f->entry.ns, f->entry.name);
    return !refusal_is_over(f, o, exists, loop_now_ns(manager_loop(c->m)));
}

/* ---- working ---- */
static void tell_error(struct controller *c, const char *key, const char *error, int64_t wall_ns)
{
    const struct kobj *o = object_of(c, key);

    if (!o)
        return;
    struct plan *p = plan_new();
    plan_event(p, c->o.res, o, "Warning", "InternalError", "%s", error);
    recorder_event(manager_recorder(c->m), plan_at(p, 0), wall_ns);
    plan_free(p);
}

/* What a refusal made impossible it will make possible again at its time. */
static void settle_held(struct running *r, int64_t now)
{
    const struct refusal *f = map_get(r->c->refusals, r->key);

    if (f)
        wq_add_after(r->c->queue, r->key, now, f->until_ns - now);
}

static void settle(struct running *r, struct plan *p)
{
    struct controller *c = r->c;
    int64_t now = loop_now_ns(manager_loop(c->m));

    if (plan_error(p))
        log_debug(c->o.name, "%s: %s", r->key, plan_error(p));
    if (r->held) {
        settle_held(r, now);
    } else {
        map_del(c->refusals, r->key);
        if (plan_error(p)) {
            tell_error(c, r->key, plan_error(p), loop_wall_ns(manager_loop(c->m)));
            wq_add_rate_limited(c->queue, r->key, now);
        } else {
            wq_forget(c->queue, r->key);
        }
    }
    if (plan_requeue(p) >= 0)
        wq_add_after(c->queue, r->key, now, plan_requeue(p));
}

static void settle_refused(struct running *r, const struct kube_status *st,
                           const struct plan_entry *en)
{
    struct controller *c = r->c;

    refuse(c, r->key, st, en);
    if (r->held)
        settle_held(r, loop_now_ns(manager_loop(c->m)));
    else
        wq_add(c->queue, r->key); /* to say so */
}

/* An object that exists although the cache has not got it mostly is on its way there. */
static bool may_be_late(const struct running *r, const struct kube_status *st)
{
    return kube_is_exists(st) && wq_failures(r->c->queue, r->key) < TRIES_FOR_CACHE;
}

static void on_plan(void *ctx, enum plan_outcome how, const struct kube_status *st,
                    const struct plan_entry *en, struct plan *p)
{
    struct running *r = ctx;
    struct controller *c = r->c;

    if (st)
        log_debug(c->o.name, "%s: %s", r->key, st->err.msg);
    if (how == PLAN_DONE)
        settle(r, p);
    else if (how == PLAN_REFUSED && !may_be_late(r, st))
        settle_refused(r, st, en);
    else
        wq_add_rate_limited(c->queue, r->key, loop_now_ns(manager_loop(c->m)));
    wq_done(c->queue, r->key);
    list_del(&r->node);
    c->n_running--;
    free(r->key);
    free(r);
    ask_turn(c);
}

static void reconcile(struct controller *c, const char *key, const struct kobj *o,
                      struct refusal *f, bool held, struct plan *p)
{
    struct loop *l = manager_loop(c->m);
    char ns[254];
    const char *name;

    kube_key_split(key, ns, &name);
    const struct reconcile_ctx rc = {.m = c->m,
                                     .key = key,
                                     .ns = ns,
                                     .name = name,
                                     .obj = o,
                                     .now_ns = loop_wall_ns(l),
                                     .mono_ns = loop_now_ns(l),
                                     .failure = held ? &f->status : NULL,
                                     .failed = held ? &f->entry : NULL};
    c->o.reconcile(c->o.ctx, &rc, p);
    if (held)
        refusal_fit(f, p, c->o.res, o, rc.now_ns);
    else if (f && o)
        refusal_lift(f, p, c->o.res, o, rc.now_ns);
}

static void work(struct controller *c, char *key)
{
    _cleanup_kobj_ const struct kobj *o = kobj_ref(object_of(c, key));
    struct refusal *f = map_get(c->refusals, key);
    bool held = holds(c, f, o);
    struct plan *p = plan_new();

    tracker_forget(c->tracker, key);
    if (!o || is_ours(c, o))
        reconcile(c, key, o, f, held, p);
    struct running *r = xnew(struct running);
    *r = (struct running){.c = c, .key = key, .held = held};
    list_push_back(&c->running, &r->node);
    c->n_running++;
    struct plan_run *run = plan_run_start(c->m, p, loop_wall_ns(manager_loop(c->m)), on_plan, r);
    if (run)
        r->plan = run; /* otherwise on_plan has ended it */
}

static void take_turn(struct controller *c)
{
    char *key;

    if (!manager_synced(c->m))
        return;
    for (int i = 0; i < KEYS_PER_TURN && c->n_running < LIMIT_PLANS_IN_FLIGHT; i++) {
        if (!(key = wq_get(c->queue, loop_now_ns(manager_loop(c->m)))))
            break;
        work(c, key);
    }
    ask_turn(c);
}

static void on_turn(void *arg)
{
    struct turn *t = arg;

    t->asked = false;
    if (t->c)
        take_turn(t->c);
    else
        free(t);
}

static void arm(struct controller *c, int64_t due)
{
    int64_t wait = due - loop_now_ns(manager_loop(c->m));

    timer_start(c->due, wait > 0 ? (uint64_t)((wait + NS_PER_MS - 1) / NS_PER_MS) : 0);
}

static void ask_turn(struct controller *c)
{
    int64_t due = wq_next_due(c->queue);

    if (c->turn->asked || due == INT64_MAX || c->n_running >= LIMIT_PLANS_IN_FLIGHT)
        return;
    if (due > 0) {
        arm(c, due);
    } else if (manager_synced(c->m)) {
        c->turn->asked = true;
        loop_defer(manager_loop(c->m), on_turn, c->turn);
    }
}

static void on_due(void *ctx)
{
    take_turn(ctx);
}

static void on_ready(void *self)
{
    ask_turn(self);
}

/* ---- life ---- */
static void destroy(void *self)
{
    struct controller *c = self;

    list_for_each_safe(it, &c->running)
    {
        struct running *r = list_entry(it, struct running, node);
        plan_run_detach(r->plan);
        list_del(&r->node);
        free(r->key);
        free(r);
    }
    c->turn->c = NULL;
    if (!c->turn->asked)
        free(c->turn);
    for (size_t i = 0; i < c->watched.n; i++)
        free(c->watched.p[i]);
    vec_done(&c->watched);
    vec_done(&c->tracked);
    timer_free(c->due);
    timer_free(c->resync);
    wq_free(c->queue);
    tracker_free(c->tracker);
    map_free(c->refusals);
    list_del(&c->member.node);
    free(c);
}

struct controller *controller_new(struct manager *m, const struct controller_opts *o)
{
    struct controller *c = xnew(struct controller);
    int64_t resync = o->resync_ns ? o->resync_ns : RESYNC_NS;

    c->m = m;
    c->o = *o;
    c->cache = manager_cache(m, o->res);
    c->queue = wq_new(0, 0);
    c->turn = xnew(struct turn);
    c->turn->c = c;
    c->refusals = map_new(refusal_free);
    c->tracker = tracker_new();
    list_init(&c->running);
    c->due = timer_new(manager_loop(m), on_due, c);
    c->resync = timer_new(manager_loop(m), on_resync, c);
    timer_repeat(c->resync, (uint64_t)(resync / NS_PER_MS));
    c->member = (struct manager_member){.ready = on_ready, .destroy = destroy, .self = c};
    manager_join(m, &c->member);
    manager_on_change(m, o->res, on_object, c);
    controller_enqueue_all(c);
    return c;
}
