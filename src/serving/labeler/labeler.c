/*
 * Objects that a Route refers to list it in an annotation, and those that no longer do are found
 * through an index over that annotation. A Route gives up its old Revisions only once it is settled
 * (ready or failed), so that one which still serves is never taken for unused; the newest created
 * Revision of a followed Configuration is listed ahead of being ready. A finalizer takes a deleted
 * Route off every list.
 */
#include "serving/labeler/labeler.h"

#include "base/vec.h"
#include "serving/labeler/labels.h"

#define INDEX "routes"

struct run {
    struct serving *s;
    const struct reconcile_ctx *rc;
    struct plan *p;
    kobj_vec configurations, revisions; /* that the Route refers to */
    bool ending;                        /* the Route is being deleted */
};

static const struct kobj *look_up(struct run *r, const struct kube_resource *res, const char *name)
{
    controller_track(r->s->labeler, r->rc, res, r->rc->ns, name);
    return serving_get(r->s, res, r->rc->ns, name);
}

static bool listed(const kobj_vec *list, const struct kobj *o)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->p[i] == o)
            return true;
    }
    return false;
}

static void list_one(kobj_vec *list, const struct kobj *o)
{
    if (o && !listed(list, o))
        vec_push(list, o);
}

static const struct kobj *configuration_of(struct run *r, const struct kobj *revision)
{
    yyjson_val *owner = kobj_controller(revision);
    const char *name = jget_str(owner, "name");

    if (!name || !streq(jget_str(owner, "kind"), KR_CONFIGURATION.kind))
        return NULL;
    return look_up(r, &KR_CONFIGURATION, name);
}

static void list_target(struct run *r, const yyjson_val *target)
{
    const char *configuration = jget_str(target, "configurationName");
    const char *revision = jget_str(target, "revisionName");
    const struct kobj *c = NULL, *rev = NULL;

    if (revision && *revision)
        rev = look_up(r, &KR_REVISION, revision);
    if (rev)
        c = configuration_of(r, rev);
    else if (configuration && *configuration)
        c = look_up(r, &KR_CONFIGURATION, configuration);
    list_one(&r->revisions, rev);
    list_one(&r->configurations, c);
    bool latest = jget_bool(target, !(revision && *revision), "latestRevision");
    const char *created = jget_str(kobj_root(c), "status", "latestCreatedRevisionName");
    if (latest && created && *created)
        list_one(&r->revisions, look_up(r, &KR_REVISION, created));
}

static void list_targets(struct run *r)
{
    static const char *const parts[] = {"status", "spec"};
    yyjson_val *target;
    size_t i, max;

    for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
        yyjson_arr_foreach(jget(kobj_root(r->rc->obj), parts[k], "traffic"), i, max, target)
        {
            list_target(r, target);
        }
    }
}

static void patch(struct run *r, const struct kube_resource *res, const struct kobj *o, bool add)
{
    _cleanup_free_ char *body =
        routes_patch(o, res == &KR_REVISION, r->rc->name, add, r->rc->now_ns);

    if (body)
        plan_patch(r->p, res, kobj_namespace(o), kobj_name(o), NULL, KUBE_PATCH_MERGE, body);
}

static void add_all(struct run *r, const struct kube_resource *res, const kobj_vec *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!kobj_deleting(list->p[i]))
            patch(r, res, list->p[i], true);
    }
}

static void remove_others(struct run *r, const struct kube_resource *res, const kobj_vec *keep)
{
    kobj_vec have = {0};

    cache_list_by(manager_cache(r->s->m, res), INDEX, r->rc->key, &have);
    for (size_t i = 0; i < have.n; i++) {
        const struct kobj *o = have.p[i];
        bool routed = r->ending || res == &KR_CONFIGURATION ||
                      streq(kobj_label(o, L_ROUTING_STATE), "active");
        if (routed && !listed(keep, o))
            patch(r, res, o, false);
    }
    vec_done(&have);
}

/* ---- the finalizer ---- */
static bool has_finalizer(const struct kobj *o)
{
    yyjson_val *f;
    size_t i, max;

    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "finalizers"), i, max, f)
    {
        if (streq(yyjson_get_str(f), ROUTE_FINALIZER))
            return true;
    }
    return false;
}

/* A merge patch replaces the list, so it carries the version that the list was read at. */
static void set_finalizer(struct run *r, bool on)
{
    const struct kobj *o = r->rc->obj;
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_val *list = jm_arr(d, root, "metadata", "finalizers");
    yyjson_val *f;
    size_t i, max;

    yyjson_mut_doc_set_root(d, root);
    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "finalizers"), i, max, f)
    {
        if (!streq(yyjson_get_str(f), ROUTE_FINALIZER))
            jm_add_str(d, list, yyjson_get_str(f));
    }
    if (on)
        jm_add_str(d, list, ROUTE_FINALIZER);
    jm_set_str(d, root, jget_str(kobj_root(o), "metadata", "resourceVersion"), "metadata",
               "resourceVersion");
    _cleanup_free_ char *body = json_mut_text(root, NULL);
    plan_patch(r->p, &KR_ROUTE, r->rc->ns, r->rc->name, NULL, KUBE_PATCH_MERGE, body);
    plan_event(r->p, &KR_ROUTE, o, "Normal", "FinalizerUpdate", "Updated \"%s\" finalizers",
               r->rc->name);
}

static void finalize(struct run *r)
{
    static const kobj_vec none = {0};

    if (!has_finalizer(r->rc->obj))
        return;
    r->ending = true;
    remove_others(r, &KR_REVISION, &none);
    remove_others(r, &KR_CONFIGURATION, &none);
    set_finalizer(r, false);
}

static void label(struct run *r)
{
    const struct kobj *route = r->rc->obj;

    /* Of a new Route the status is being written at this moment, and one of both would conflict. */
    if (!jget(kobj_root(route), "status", "observedGeneration"))
        return;
    if (!has_finalizer(route))
        set_finalizer(r, true);
    list_targets(r);
    if (kobj_is_ready(route) || kobj_is_failed(route)) {
        remove_others(r, &KR_REVISION, &r->revisions);
        remove_others(r, &KR_CONFIGURATION, &r->configurations);
    }
    add_all(r, &KR_REVISION, &r->revisions);
    add_all(r, &KR_CONFIGURATION, &r->configurations);
    vec_done(&r->revisions);
    vec_done(&r->configurations);
}

void labeler_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct run r = {.s = ctx, .rc = rc, .p = p};

    if (!rc->obj)
        return;
    if (kobj_deleting(rc->obj))
        finalize(&r);
    else
        label(&r);
}

/* ---- registration ---- */
struct emitter {
    const struct kobj *o;
    void (*emit)(void *to, const char *key);
    void *to;
};

static void emit_route(void *ctx, const char *route, size_t n)
{
    struct emitter *e = ctx;
    _cleanup_free_ char *name = xstrndup(route, n);
    _cleanup_free_ char *key = kube_key(kobj_namespace(e->o), name);

    e->emit(e->to, key);
}

static void index_routes(const struct kobj *o, void (*emit)(void *to, const char *key), void *to)
{
    struct emitter e = {o, emit, to};

    routes_each(o, emit_route, &e);
}

void labeler_add_indices(struct manager *m)
{
    cache_add_index(manager_cache(m, &KR_CONFIGURATION), INDEX, index_routes);
    cache_add_index(manager_cache(m, &KR_REVISION), INDEX, index_routes);
}

void labeler_register(struct serving *s)
{
    labeler_add_indices(s->m);
    s->labeler = controller_new(
        s->m, &(struct controller_opts){
                  .name = "labeler", .res = &KR_ROUTE, .reconcile = labeler_reconcile, .ctx = s});
}
