/*
 * One run: resolve the traffic; name the hosts; if every target is usable, plan placeholders and
 * Ingress and go on from what the live Ingress says. Children come before the status in the plan,
 * so the status never promises what was refused. While a target is not usable the children stay as
 * they are: old traffic goes on.
 */
#include "serving/route/route.h"

#include "base/clock.h"
#include "kube/conditions.h"
#include "kube/names.h"
#include "serving/route/ingress.h"
#include "serving/route/placeholder.h"
#include "serving/route/status.h"

struct run {
    struct serving *s;
    const struct reconcile_ctx *rc;
    struct plan *p;
    const struct kobj *route;
    struct cond c;
    struct arena arena;
    struct route_hosts h;
    struct traffic t;
    route_host_vec hosts;
    struct rollout rollout;
    const struct kobj *ingress; /* live */
    bool ingress_current;       /* its spec is what this run wants */
};

static const struct cache *cache_of(struct run *r, const struct kube_resource *res)
{
    return manager_cache(r->s->m, res);
}

/* ---- traffic and hosts ---- */
static void track(struct run *r)
{
    for (size_t i = 0; i < r->t.refs.n; i++)
        controller_track(r->s->route, r->rc, r->t.refs.p[i].res, r->rc->ns, r->t.refs.p[i].name);
}

static bool assign(struct run *r)
{
    const struct cache *services = cache_of(r, &KR_SERVICE);
    static const struct traffic_group main_group = {.tag = ""};
    struct route_host main;
    struct err e = {0};

    traffic_resolve(&r->t, r->route, cache_of(r, &KR_CONFIGURATION), cache_of(r, &KR_REVISION));
    track(r);
    if (route_host_of(&r->h, &main_group, services, &main, &e) < 0 ||
        route_hosts_of(&r->h, &r->t, services, &r->hosts, &e) < 0) {
        cs_false(&r->c, ROUTE_TRAFFIC, "ErrorConfig", "%s", e.msg);
        return false;
    }
    jm_set_str(KM(r->c.obj), main.url, "status", "url");
    route_status_verdict(&r->c, &r->t);
    if (r->t.verdict != TRAFFIC_ASSIGNED)
        return false;
    route_status_addresses(&r->c, &r->h, &main);
    return true;
}

/* ---- rollout ---- */
static int64_t rollout_duration_s(const struct run *r)
{
    const char *v = kobj_annotation(r->route, A_ROLLOUT_DURATION);
    int64_t ns = 0;

    if (!v)
        v = kobj_annotation(r->route, "serving.knative.dev/rolloutDuration");
    if (v && duration_parse(v, &ns, NULL) == 0 && ns / NS_PER_SEC > 0)
        return ns / NS_PER_SEC;
    return r->s->config->network.rollout_duration_s;
}

static void advance(struct run *r, const char *text, int64_t duration_s)
{
    struct rollout before, goal = r->rollout;
    int64_t now = serving_pace_ns(r->s, r->rc);

    if (rollout_parse(&before, &r->arena, text) < 0)
        return;
    if (kobj_is_ready(r->ingress) && !streq(cs_status(&r->c, ROUTE_INGRESS), "True"))
        rollout_observe_ready(&before, now, duration_s);
    rollout_step(&r->rollout, &before, &goal, now);
    rollout_done(&before);
    rollout_done(&goal);
    int64_t next = rollout_next_ns(&r->rollout);
    if (next > 0)
        plan_requeue_after(r->p, next > now ? next - now : 1);
}

static void set_rollout(struct run *r)
{
    const char *text = kobj_annotation(r->ingress, A_ROLLOUT);
    int64_t duration_s = rollout_duration_s(r);

    rollout_goal(&r->rollout, &r->t);
    if (text && duration_s > 0)
        advance(r, text, duration_s);
}

/* ---- children ---- */
static bool place(struct run *r, const struct route_host *host)
{
    struct load_balancer lb;
    struct err e = {0};
    struct placeholder_live live = {
        cache_get(cache_of(r, &KR_SERVICE), r->rc->ns, host->hostname),
        cache_get(cache_of(r, &KR_ENDPOINTS), r->rc->ns, host->hostname),
    };

    if (load_balancer_of(r->ingress, host->local, &lb, &e) < 0) {
        plan_fail(r->p, "%s", e.msg);
        lb.kind = LB_UNKNOWN;
    }
    enum placeholder_result result = placeholder_plan(r->p, &r->h, host, &lb, &live);
    if (result == PLACEHOLDER_OK)
        return true;
    const char *what = result == PLACEHOLDER_FOREIGN_SERVICE ? "Service" : "Endpoint";
    cs_false(&r->c, ROUTE_INGRESS, "NotOwned",
             "There is an existing placeholder %s \"%s\" that we do not own.", what,
             host->hostname);
    plan_fail(r->p, "placeholder %s %s/%s belongs to somebody else; delete or rename it", what,
              r->rc->ns, host->hostname);
    return false;
}

static bool place_all(struct run *r)
{
    for (size_t i = 0; i < r->hosts.n; i++) {
        if (!place(r, &r->hosts.p[i]))
            return false;
    }
    placeholder_plan_orphans(r->p, r->route, &r->hosts, cache_of(r, &KR_SERVICE),
                             cache_of(r, &KR_ENDPOINTS));
    return true;
}

static bool same(const struct kobj *a, const struct kobj *b, const char *const *path)
{
    const yyjson_val *x = jget_p(kobj_root(a), path), *y = jget_p(kobj_root(b), path);

    return x && y ? json_equal(x, y) : x == y;
}

/* Takes want. Spec, labels and annotations are all ours: extra ones go. */
static void write_ingress(struct run *r, struct kmut *want)
{
    static const char *const spec[] = {"spec", NULL};
    static const char *const labels[] = {"metadata", "labels", NULL};
    static const char *const annotations[] = {"metadata", "annotations", NULL};

    if (!r->ingress) {
        plan_create(r->p, &KR_INGRESS, want);
        plan_event(r->p, &KR_ROUTE, r->route, "Normal", "Created", "Created Ingress \"%s\"",
                   r->rc->name);
        return;
    }
    _cleanup_kobj_ const struct kobj *w = kmut_freeze(want);
    kmut_free(want);
    r->ingress_current = same(r->ingress, w, spec);
    if (r->ingress_current && same(r->ingress, w, labels) && same(r->ingress, w, annotations))
        return;
    struct kmut *m = kmut_from(r->ingress);
    jm_set_copy_p(KM(m), jget_p(kobj_root(w), spec), spec);
    jm_set_copy_p(KM(m), jget_p(kobj_root(w), labels), labels);
    jm_set_copy_p(KM(m), jget_p(kobj_root(w), annotations), annotations);
    plan_update(r->p, &KR_INGRESS, m);
}

static bool ask_for_ingress(struct run *r)
{
    struct err e = {0};

    if (r->ingress && !kobj_controlled_by(r->ingress, r->route)) {
        cs_false(&r->c, ROUTE_INGRESS, "NotOwned",
                 "There is an existing Ingress \"%s\" that we do not own.", kobj_name(r->ingress));
        plan_fail(r->p, "Ingress %s/%s belongs to somebody else; delete or rename it", r->rc->ns,
                  kobj_name(r->ingress));
        return false;
    }
    struct kmut *want = ingress_build(&r->h, &r->hosts, &r->rollout, &e);
    if (!want) {
        plan_fail(r->p, "%s", e.msg);
        return false;
    }
    write_ingress(r, want);
    return true;
}

/* The API refused a child in the run before: say so, and leave the children until the next try. */
static bool refused(struct run *r)
{
    const struct plan_entry *failed = r->rc->failed;

    if (!r->rc->failure || !failed)
        return false;
    if (failed->op == PLAN_CREATE)
        plan_event(r->p, &KR_ROUTE, r->route, "Warning", "CreationFailed",
                   "Failed to create %s: %s",
                   failed->res == &KR_SERVICE ? "placeholder service" : failed->res->kind,
                   r->rc->failure->err.msg);
    plan_fail(r->p, "writing %s %s: %s", failed->res->kind, failed->name ? failed->name : "",
              r->rc->failure->err.msg);
    return true;
}

static void run(struct run *r)
{
    char name[NAME_MAX_LABEL + 1];

    if (!assign(r))
        return;
    child_name(r->rc->name, "", name);
    r->ingress = cache_get(cache_of(r, &KR_INGRESS), r->rc->ns, name);
    set_rollout(r);
    route_status_traffic(&r->c, &r->t, &r->hosts, &r->rollout);
    route_status_certificate(&r->c, &r->h, &r->hosts);
    if (refused(r) || !place_all(r) || !ask_for_ingress(r))
        return;
    route_status_ingress(&r->c, r->ingress, r->ingress_current, &r->rollout);
}

void route_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct serving *s = ctx;
    struct run r = {.s = s, .rc = rc, .p = p, .route = rc->obj};

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    arena_init(&r.arena);
    route_hosts_init(&r.h, &r.arena, s->config,
                     serving_get(s, &KR_CONFIGMAP, SYSTEM_NAMESPACE, CM_CONFIG_NETWORK), rc->obj);
    cs_begin(&r.c, &route_conditions, rc->obj, rc->now_ns);
    if (jget_int(kobj_root(rc->obj), 0, "status", "observedGeneration") != kobj_generation(rc->obj))
        route_status_no_ingress(&r.c);
    run(&r);
    cs_end(&r.c, p, &KR_ROUTE);
    rollout_done(&r.rollout);
    vec_done(&r.hosts);
    traffic_done(&r.t);
    arena_done(&r.arena);
}

void route_reconciler_register(struct serving *s)
{
    static const struct kube_resource *const read[] = {&KR_CONFIGURATION, &KR_REVISION,
                                                       &KR_ENDPOINTS, &KR_CONFIGMAP};

    for (size_t i = 0; i < ARRAY_LEN(read); i++)
        manager_cache(s->m, read[i]);
    s->route = controller_new(
        s->m, &(struct controller_opts){
                  .name = "route", .res = &KR_ROUTE, .reconcile = route_reconcile, .ctx = s});
    controller_watch_owned(s->route, &KR_SERVICE);
    controller_watch_owned(s->route, &KR_INGRESS);
    s->resync[CONFIG_NETWORK] |= SERVING_RESYNC_ROUTE;
    s->resync[CONFIG_DOMAIN] |= SERVING_RESYNC_ROUTE;
    s->resync[CONFIG_FEATURES] |= SERVING_RESYNC_ROUTE;
}
