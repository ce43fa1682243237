/*
 * Three children: a private Service that selects the scale target's pods, a public Service without
 * selector, and the public one's Endpoints, which hold the pods (Serve) or the activators (Proxy).
 * Without a ready pod it is always the activators; without an activator that speaks the revision's
 * protocol always the pods. An ingress that reads endpoints so finds somebody also at zero; the
 * gateway of this process knows its revisions without them.
 */
#include "serving/sks/sks.h"

#include "kube/conditions.h"
#include "serving/sks/sks_build.h"

#define POPULATED "EndpointsPopulated"
#define ACTIVATED "ActivatorEndpointsPopulated"

static const char *const dependents[] = {POPULATED, NULL};
static const struct condition_set conditions = {.top = "Ready", .dependents = dependents};

struct run {
    struct serving *s;
    const struct reconcile_ctx *rc;
    struct plan *p;
    const struct kobj *sks;
    struct cond c;
};

static const struct kobj *live(const struct run *r, const struct kube_resource *res,
                               const char *name)
{
    return serving_get(r->s, res, r->rc->ns, name);
}

/* False, with condition and failure, when somebody else owns it. */
static bool ours(struct run *r, const struct kobj *o, const char *kind)
{
    if (!o || kobj_controlled_by(o, r->sks))
        return true;
    cs_false(&r->c, POPULATED, "NotOwned", "Resource %s of type %s is not owned by SKS",
             kobj_name(o), kind);
    plan_fail(r->p, "%s %s/%s is not owned by the ServerlessService; delete or rename it", kind,
              r->rc->ns, kobj_name(o));
    return false;
}

/* Of a Service that exists only the spec is kept in step. */
static bool apply_service(struct run *r, struct kmut *want)
{
    const struct kobj *o = live(r, &KR_SERVICE, jm_get_str(want->root, "metadata", "name"));

    if (!ours(r, o, "Service")) {
        kmut_free(want);
        return false;
    }
    if (o) {
        jm_del(want->root, "metadata", "labels");
        jm_del(want->root, "metadata", "annotations");
        jm_del(want->root, "metadata", "ownerReferences");
    }
    plan_apply_child(r->p, &KR_SERVICE, r->sks, o, want);
    return true;
}

static bool equal_subsets(const yyjson_val *a, const yyjson_val *b)
{
    size_t n = yyjson_arr_size((yyjson_val *)(uintptr_t)a);

    return n == yyjson_arr_size((yyjson_val *)(uintptr_t)b) && (n == 0 || json_equal(a, b));
}

static bool apply_endpoints(struct run *r, struct kmut *want)
{
    const struct kobj *o = live(r, &KR_ENDPOINTS, kobj_name(r->sks));

    if (!o) {
        plan_create(r->p, &KR_ENDPOINTS, want);
        return true;
    }
    _cleanup_kobj_ const struct kobj *w = kmut_freeze(want);
    kmut_free(want);
    if (!ours(r, o, "Endpoints"))
        return false;
    const yyjson_val *subsets = jget(kobj_root(w), "subsets");
    if (equal_subsets(subsets, jget(kobj_root(o), "subsets")))
        return true;
    struct kmut *m = kmut_from(o);
    jm_set_copy(KM(m), subsets, "subsets");
    plan_update(r->p, &KR_ENDPOINTS, m);
    return true;
}

static struct kmut *public_endpoints(struct run *r, const struct kobj *pods)
{
    const struct kobj *activators =
        serving_get(r->s, &KR_ENDPOINTS, SYSTEM_NAMESPACE, ACTIVATOR_SERVICE);
    yyjson_val *root = kobj_root(r->sks);
    bool proxy = streq(jget_str(root, "spec", "mode"), "Proxy") || endpoints_ready(pods) == 0;

    if (proxy && endpoints_ready_on(activators, sks_port_name(r->sks)) > 0)
        return sks_public_endpoints(r->sks, activators, jget_int(root, 0, "spec", "numActivators"));
    return sks_public_endpoints(r->sks, pods, 0);
}

static void mark(struct run *r, const struct kobj *pods)
{
    bool ready = endpoints_ready(pods) > 0;

    if (ready)
        cs_true(&r->c, POPULATED);
    else
        cs_unknown(&r->c, POPULATED, "NoHealthyBackends", "K8s Service is not ready");
    if (!ready || streq(jget_str(kobj_root(r->sks), "spec", "mode"), "Proxy"))
        cs_true_reason(&r->c, ACTIVATED, ACTIVATED, "Revision is backed by Activator");
    else
        cs_false(&r->c, ACTIVATED, ACTIVATED, "Revision is not backed by Activator");
}

static void run(struct run *r)
{
    const char *target = jget_str(kobj_root(r->sks), "spec", "objectRef", "name");
    const struct kobj *deployment = target ? live(r, &KR_DEPLOYMENT, target) : NULL;
    const yyjson_val *labels = jget(kobj_root(deployment), "spec", "selector", "matchLabels");
    char private[NAME_MAX_LABEL + 1];

    if (target)
        controller_track(r->s->sks, r->rc, &KR_DEPLOYMENT, r->rc->ns, target);
    if (!labels) {
        cs_unknown(&r->c, POPULATED, "CreatingPrivateService", "Deployment \"%s\" does not exist.",
                   target ? target : "");
        return;
    }
    sks_private_name(r->sks, private);
    if (!apply_service(r, sks_private_service(r->sks, labels)))
        return;
    jm_set_str(KM(r->c.obj), private, "status", "privateServiceName");
    if (!apply_service(r, sks_public_service(r->sks)))
        return;
    jm_set_str(KM(r->c.obj), kobj_name(r->sks), "status", "serviceName");
    const struct kobj *pods = live(r, &KR_ENDPOINTS, private);
    if (apply_endpoints(r, public_endpoints(r, pods)))
        mark(r, pods);
}

void sks_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct run r = {.s = ctx, .rc = rc, .p = p, .sks = rc->obj};

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    cs_begin(&r.c, &conditions, rc->obj, rc->now_ns);
    run(&r);
    cs_end(&r.c, p, &KR_SKS);
}

/*
 * Endpoints have the name of their Service: those of a private Service concern its owner, those of
 * the activators everybody.
 */
static void keys_of_endpoints(void *ctx, const struct kobj *o,
                              void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    struct serving *s = ctx;
    const char *ns = kobj_namespace(o), *name = kobj_name(o);
    yyjson_val *owner = kobj_controller(serving_get(s, &KR_SERVICE, ns, name));

    if (streq(ns, SYSTEM_NAMESPACE) && streq(name, ACTIVATOR_SERVICE))
        controller_enqueue_all(s->sks);
    else if (owner && streq(jget_str(owner, "kind"), KR_SKS.kind))
        emit(to, ns, jget_str(owner, "name"));
}

void sks_reconciler_register(struct serving *s)
{
    manager_cache(s->m, &KR_DEPLOYMENT);
    s->sks = controller_new(s->m, &(struct controller_opts){.name = "serverlessservice",
                                                            .res = &KR_SKS,
                                                            .reconcile = sks_reconcile,
                                                            .ctx = s});
    controller_watch_owned(s->sks, &KR_SERVICE);
    controller_watch_owned(s->sks, &KR_ENDPOINTS);
    controller_watch_mapped(s->sks, &KR_ENDPOINTS, keys_of_endpoints, s);
}
