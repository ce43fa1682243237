/*
 * Reconciling and deciding are apart. A decider per PodAutoscaler evaluates the signal: every two
 * seconds while there are pods or traffic, never while it sleeps at zero, and at once when a
 * request arrives there. When its result changes, the key is reconciled at the end of the same turn
 * of the loop, with the write of the scale first.
 */
#include "plugin/autoscaler/kpa/kpa.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "contract/conditions.h"
#include "contract/names.h"
#include "plugin/autoscaler/actuation/actuation.h"
#include "plugin/autoscaler/kpa/status.h"

struct decider {
    struct list node; /* among the ticking ones */
    char *ns, *name;
    struct decide_spec spec;
    struct decide_state state;
    struct decide_out last;
    struct cond_age active, proxied; /* of conditions */
};

struct kpa {
    struct manager *m;
    struct signal_hub *signals;
    const struct trace_sink *trace;
    struct controller *c;
    struct kpa_config config;
    struct map *deciders; /* namespace/name */
    struct list ticking;
    struct timer *tick;
};

/* ---- deciders ---- */
static void decider_free(void *value)
{
    struct decider *d = value;

    list_del(&d->node);
    decide_end(&d->state);
    free(d->ns);
    free(d->name);
    free(d);
}

static struct decider *find(const struct kpa *k, const char *ns, const char *name)
{
    _cleanup_free_ char *key = kube_key(ns, name);

    return map_get(k->deciders, key);
}

static void forget(struct kpa *k, const char *ns, const char *name)
{
    _cleanup_free_ char *key = kube_key(ns, name);

    if (map_del(k->deciders, key))
        signal_close(k->signals, ns, name);
}

static void start_ticking(struct kpa *k, struct decider *d)
{
    if (!list_empty(&d->node))
        return;
    list_push_back(&k->ticking, &d->node);
    if (!timer_active(k->tick))
        timer_repeat(k->tick, DECIDE_EVERY_NS / NS_PER_MS);
}

/* Evaluates; returns false if the revision sleeps: nothing there, nothing coming. */
static bool evaluate(struct kpa *k, struct decider *d)
{
    struct signal_view v = {0};
    struct actuation_pods pods;
    int64_t now = loop_now_ns(manager_loop(k->m));

    actuation_count(k->m, d->ns, d->name, &pods);
    signal_get(k->signals, d->ns, d->name, now, &v);
    struct decide_in in = {.now_ns = now,
                           .valid =
                               v.any || pods.ready > 0, /* no sample beside ready pods is silence */
                           .ready = pods.ready,
                           .stable = d->spec.rps ? v.stable_rps : v.stable_concurrency,
                           .panic = d->spec.rps ? v.panic_rps : v.panic_concurrency};
    struct decide_out out = decide(&d->spec, &d->state, &in);
    if (out.valid) {
        bool changed = out.desired != d->last.desired || (out.excess < 0) != (d->last.excess < 0);
        d->last = out;
        if (changed)
            controller_enqueue(k->c, d->ns, d->name);
    }
    return pods.ready || pods.starting || d->last.desired > 0 || in.stable > 0 || in.panic > 0;
}

static void on_tick(void *ctx)
{
    struct kpa *k = ctx;

    list_for_each_safe(it, &k->ticking)
    {
        struct decider *d = list_entry(it, struct decider, node);
        if (!evaluate(k, d))
            list_del(&d->node);
    }
    if (list_empty(&k->ticking))
        timer_stop(k->tick);
}

static void mark_decided(struct kpa *k, const struct decider *d)
{
    _cleanup_free_ char *subject = kube_key(d->ns, d->name);

    trace_mark(k->trace, subject, "decide", clock_mono_ns());
}

static void wake(struct kpa *k, struct decider *d)
{
    start_ticking(k, d);
    if (d->last.desired >= 1)
        return;
    evaluate(k, d);
    if (d->last.desired >= 1)
        mark_decided(k, d);
}

static void on_arrival(void *ctx, const char *ns, const char *revision)
{
    struct decider *d = find(ctx, ns, revision);

    if (d)
        wake(ctx, d);
}

static void on_sample(void *ctx, const char *ns, const char *revision,
                      const struct signal_sample *s)
{
    struct decider *d = s->concurrency > 0 || s->waiting > 0 ? find(ctx, ns, revision) : NULL;

    if (d)
        wake(ctx, d);
}

static struct decider *decider_for(struct kpa *k, const struct reconcile_ctx *rc, int ready)
{
    struct decider *d = map_get(k->deciders, rc->key);
    bool fresh = !d;

    if (fresh) {
        d = xnew(struct decider);
        list_init(&d->node);
        d->ns = xstrdup(rc->ns);
        d->name = xstrdup(rc->name);
        map_set(k->deciders, rc->key, d);
    }
    kpa_spec(rc->obj, &k->config, &d->spec);
    if (fresh) {
        decide_begin(&d->state, &d->spec, ready, rc->mono_ns);
        d->last = decide_unknown(&d->spec);
    }
    signal_open(k->signals, rc->ns, rc->name, d->spec.stable_ns, d->spec.panic_ns, rc->mono_ns);
    signal_weighted(k->signals, rc->ns, rc->name, d->spec.weighted);
    return d;
}

/* ---- reconciling ---- */
struct run {
    struct kpa *k;
    const struct reconcile_ctx *rc;
    struct plan *p;
    const struct kobj *sks;
    struct cond c;
    struct kpa_bounds bounds;
    bool scale_refused, sks_refused;
};

static void note_refusal(struct run *r)
{
    const struct plan_entry *en = r->rc->failed;

    if (!en)
        return;
    r->scale_refused = en->op == PLAN_PATCH;
    r->sks_refused = kube_resource_eq(en->res, &KR_SKS);
    if (r->scale_refused)
        plan_fail(r->p, "error scaling target: failed to apply scale to scale target %s: %s",
                  en->name, r->rc->failure->err.msg);
    else if (r->sks_refused)
        plan_fail(r->p, "error reconciling SKS: %s", r->rc->failure->err.msg);
}

static void apply_sks(struct run *r, enum actuation_mode mode, int activators)
{
    if (!r->sks_refused)
        actuation_sks(r->p, r->rc->obj, r->sks, mode, activators);
}

static void not_owned(struct run *r)
{
    cs_false(&r->c, COND_ACTIVE, REASON_NOT_OWNED,
             "There is an existing %s \"%s\" that we do not own.", KR_SKS.kind, r->rc->name);
    plan_fail(r->p, "error reconciling SKS: PodAutoscaler %s does not own ServerlessService %s",
              r->rc->name, r->rc->name);
}

static struct scale_out decide_scale(struct run *r, struct decider *d)
{
    const struct kobj *pa = r->rc->obj;
    struct scale_in in = {
        .desired = d->last.desired,
        .bounds = r->bounds,
        .initialized = kobj_condition_is(pa, COND_SCALE_INITIALIZED, "True"),
        .scale_to_zero = r->k->config.scale_to_zero,
        .window_ns = d->spec.stable_ns,
        .grace_ns = r->k->config.grace_ns,
        .proxy = streq(jget_str(kobj_root(r->sks), "spec", "mode"), "Proxy"),
        .proxy_for_ns =
            kpa_condition_age(r->sks, COND_ACTIVATOR_POPULATED, "True", &d->proxied, r->rc),
    };

    in.active = kpa_active_state(pa, &d->active, r->rc, &in.active_for_ns);
    return kpa_scale(&in);
}

static void apply_scale(struct run *r, const struct scale_out *out)
{
    const struct kobj *target = actuation_target(r->k->m, r->rc->obj);

    if (!target)
        plan_requeue_after(r->p,
                           NS_PER_SEC); /* not made yet, or its kind was not followed until now */
    else if (!r->scale_refused)
        actuation_scale(r->p, r->rc->obj, target, out->want);
}

static void scale(struct run *r, struct kpa_result *res)
{
    struct actuation_pods pods;

    actuation_count(r->k->m, r->rc->ns, r->rc->name, &pods);
    struct decider *d = decider_for(r->k, r->rc, pods.ready);
    struct scale_out out = decide_scale(r, d);

    if (out.apply)
        apply_scale(r, &out);
    if (out.requeue_ns >= 0)
        plan_requeue_after(r->p, out.requeue_ns);
    apply_sks(r, out.want > 0 && d->last.excess >= 0 ? ACTUATION_SERVE : ACTUATION_PROXY,
              kpa_activators(&d->spec, pods.ready));
    res->want = out.want;
    res->ready = pods.ready;
    if (pods.ready || pods.starting)
        start_ticking(r->k, d);
}

static void run(struct run *r)
{
    const char *private = jget_str(kobj_root(r->sks), "status", "privateServiceName");
    struct kpa_result res = {.want = -1, .bounds = &r->bounds, .sks = r->sks};

    if (r->sks && !kobj_controlled_by(r->sks, r->rc->obj)) {
        not_owned(r);
        return;
    }
    note_refusal(r);
    kpa_bounds(r->rc->obj, &r->k->config, &r->bounds);
    if (private && *private)
        scale(r, &res);
    else
        apply_sks(r, ACTUATION_PROXY, 2);
    kpa_mark(&r->c, &res);
}

static void reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct kpa *k = ctx;
    struct run r = {.k = k, .rc = rc, .p = p};

    if (!rc->obj) {
        forget(k, rc->ns, rc->name);
        return;
    }
    if (kobj_deleting(rc->obj))
        return;
    r.sks = cache_get(manager_cache(k->m, &KR_SKS), rc->ns, rc->name);
    cs_begin(&r.c, &CS_PODAUTOSCALER, rc->obj, rc->now_ns);
    run(&r);
    cs_end(&r.c, p, &KR_PODAUTOSCALER);
}

static bool is_ours(const struct kobj *pa)
{
    const char *class = kobj_annotation(pa, A_AUTOSCALER_CLASS);

    return class && streq(class, CLASS_KPA);
}

/* A PodAutoscaler that leaves the class is reconciled here no more, so its decider ends now. */
static void on_podautoscaler(void *ctx, const struct kobj *before, const struct kobj *after)
{
    if (before && after && is_ours(before) && !is_ours(after))
        forget(ctx, kobj_namespace(after), kobj_name(after));
}

/* ---- configuration ---- */
static int load(struct kpa *k, const char *name, const struct kobj *map, struct err *e)
{
    return streq(name, CM_CONFIG_AUTOSCALER) ? kpa_config_autoscaler(&k->config, map, e)
                                             : kpa_config_deployment(&k->config, map, e);
}

static void reconcile_config(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct kpa *k = ctx;
    struct err e;

    if (!streq(rc->ns, SYSTEM_NAMESPACE) ||
        (!streq(rc->name, CM_CONFIG_AUTOSCALER) && !streq(rc->name, CM_CONFIG_DEPLOYMENT)))
        return;
    if (load(k, rc->name, rc->obj, &e) < 0)
        plan_event(p, &KR_CONFIGMAP, rc->obj, "Warning", "InvalidConfiguration", "%s", e.msg);
    else
        controller_enqueue_all(k->c);
}

/* Before the first reconcile, which must not run on defaults; what is invalid is told by
 * reconcile_config. */
static void on_synced(void *ctx)
{
    static const char *const maps[] = {CM_CONFIG_AUTOSCALER, CM_CONFIG_DEPLOYMENT};
    struct kpa *k = ctx;

    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        load(k, maps[i], cache_get(manager_cache(k->m, &KR_CONFIGMAP), SYSTEM_NAMESPACE, maps[i]),
             NULL);
}

/* ---- life ---- */
struct kpa *kpa_new(struct manager *m, struct signal_hub *signals, const struct trace_sink *trace)
{
    struct kpa *k = xnew(struct kpa);

    k->m = m;
    k->signals = signals;
    k->trace = trace;
    k->deciders = map_new(decider_free);
    list_init(&k->ticking);
    k->tick = timer_new(manager_loop(m), on_tick, k);
    kpa_config_default(&k->config);
    actuation_watch(m);
    controller_new(m, &(struct controller_opts){.name = "autoscaler-config",
                                                .res = &KR_CONFIGMAP,
                                                .reconcile = reconcile_config,
                                                .ctx = k});
    k->c = controller_new(m, &(struct controller_opts){.name = "kpa-class-podautoscaler",
                                                       .res = &KR_PODAUTOSCALER,
                                                       .reconcile = reconcile,
                                                       .ctx = k,
                                                       .class_annotation = A_AUTOSCALER_CLASS,
                                                       .class_value = CLASS_KPA});
    controller_watch_owned(k->c, &KR_SKS);
    controller_watch_mapped(k->c, &KR_POD, actuation_pod_key, k);
    manager_on_change(m, &KR_PODAUTOSCALER, on_podautoscaler, k);
    manager_on_synced(m, on_synced, k);
    signal_on_arrival(signals, on_arrival, k);
    signal_on_sample(signals, on_sample, k);
    return k;
}

void kpa_free(struct kpa *k)
{
    if (!k)
        return;
    signal_on_arrival(k->signals, NULL, NULL);
    signal_on_sample(k->signals, NULL, NULL);
    timer_free(k->tick);
    map_free(k->deciders);
    free(k);
}
