/* Labels and annotations are replaced as whole maps, so that what a parent lost its child loses
 * too. */
#include "serving/child.h"

/* Maps are small; building them member by member keeps the order of the parent, which hashes rely
 * on. */
static void copy_map(struct kmut *child, const struct kobj *parent, const char *field,
                     drop_fn *drop)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(jget(kobj_root(parent), "metadata", field), i, n, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (yyjson_is_str(value) && !(drop && drop(name)))
            jm_set_str(KM(child), yyjson_get_str(value), "metadata", field, name);
    }
}

void child_labels(struct kmut *child, const struct kobj *parent, drop_fn *drop)
{
    copy_map(child, parent, "labels", drop);
}

void child_annotations(struct kmut *child, const struct kobj *parent, drop_fn *drop)
{
    copy_map(child, parent, "annotations", drop);
}

static bool same(const yyjson_val *live, const yyjson_val *want)
{
    if (!live || !want)
        return yyjson_obj_size((yyjson_val *)live) == 0 && yyjson_obj_size((yyjson_val *)want) == 0;
    return json_equal(live, want);
}

bool child_replace(struct plan *p, const struct kube_resource *r, const struct kobj *live,
                   struct kmut *want)
{
    if (!live) {
        plan_create(p, r, want);
        return true;
    }
    _cleanup_kobj_ const struct kobj *target = kmut_freeze(want);
    yyjson_val *w = kobj_root(target), *l = kobj_root(live);
    kmut_free(want);
    if (same(jget(l, "spec"), jget(w, "spec")) &&
        same(jget(l, "metadata", "labels"), jget(w, "metadata", "labels")) &&
        same(jget(l, "metadata", "annotations"), jget(w, "metadata", "annotations")))
        return false;
    struct kmut *m = kmut_from(live);
    jm_set_copy(KM(m), jget(w, "spec"), "spec");
    jm_set_copy(KM(m), jget(w, "metadata", "labels"), "metadata", "labels");
    jm_set_copy(KM(m), jget(w, "metadata", "annotations"), "metadata", "annotations");
    plan_update(p, r, m);
    return true;
}

bool child_refused(const struct reconcile_ctx *rc, enum plan_op op, const struct kube_resource *r)
{
    return rc->failure && rc->failed->op == op && kube_resource_eq(rc->failed->res, r);
}
