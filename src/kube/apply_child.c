/*
 * Owner-aware apply of a child. A server adds defaults to what it is given, so equality would never
 * hold: what counts is whether the live object contains the wanted one. Lists have no names to
 * match elements by, so a list that is not contained element by element is replaced whole.
 */
#include "kube/names.h"
#include "kube/plan.h"

static bool is_empty(yyjson_mut_val *v)
{
    return yyjson_mut_is_null(v) || (yyjson_mut_is_ctn(v) && unsafe_yyjson_get_len(v) == 0);
}

static bool same_quantity(yyjson_val *have, yyjson_mut_val *want)
{
    const char *a = yyjson_get_str(have), *b = yyjson_mut_get_str(want);
    int64_t x, y;

    return a && b && quantity_parse_milli(a, &x, NULL) == 0 &&
           quantity_parse_milli(b, &y, NULL) == 0 && x == y;
}

/* quantity: strings here are quantities, which servers rewrite ("1000m" to "1"). */
static bool contains(yyjson_val *have, yyjson_mut_val *want, bool quantity);

static bool contains_members(yyjson_val *have, yyjson_mut_val *want)
{
    yyjson_mut_val *k, *v;
    size_t i, max;

    yyjson_mut_obj_foreach(want, i, max, k, v)
    {
        const char *key = yyjson_mut_get_str(k);
        bool quantity = streq(key, "limits") || streq(key, "requests");
        yyjson_val *mine = yyjson_obj_get(have, key);
        if (mine && quantity && yyjson_is_obj(mine) && yyjson_mut_is_obj(v)) {
            yyjson_mut_val *qk, *qv;
            size_t qi, qmax;
            yyjson_mut_obj_foreach(v, qi, qmax, qk, qv)
            {
                if (!contains(yyjson_obj_get(mine, yyjson_mut_get_str(qk)), qv, true))
                    return false;
            }
        } else if (!contains(mine, v, false)) {
            return false;
        }
    }
    return true;
}

static bool contains_elements(yyjson_val *have, yyjson_mut_val *want)
{
    yyjson_mut_val *v;
    size_t i, max;

    if (yyjson_arr_size(have) != yyjson_mut_arr_size(want))
        return false;
    yyjson_mut_arr_foreach(want, i, max, v)
    {
        if (!contains(yyjson_arr_get(have, i), v, false))
            return false;
    }
    return true;
}

static bool contains_scalar(yyjson_val *have, yyjson_mut_val *want)
{
    yyjson_doc *d = yyjson_mut_val_imut_copy(want, NULL);
    bool same = json_equal(have, yyjson_doc_get_root(d));

    yyjson_doc_free(d);
    return same;
}

static bool contains(yyjson_val *have, yyjson_mut_val *want, bool quantity)
{
    if (!have || yyjson_is_null(have))
        return is_empty(want);
    if (yyjson_is_obj(have) && yyjson_mut_is_obj(want))
        return contains_members(have, want);
    if (yyjson_is_arr(have) && yyjson_mut_is_arr(want))
        return contains_elements(have, want);
    return (quantity && same_quantity(have, want)) || contains_scalar(have, want);
}

static void overlay(yyjson_mut_doc *d, yyjson_mut_val *to, yyjson_mut_val *want)
{
    yyjson_mut_val *k, *v;
    size_t i, max;

    yyjson_mut_obj_foreach(want, i, max, k, v)
    {
        const char *key = yyjson_mut_get_str(k);
        yyjson_mut_val *mine = yyjson_mut_obj_get(to, key);
        if (yyjson_mut_is_obj(mine) && yyjson_mut_is_obj(v))
            overlay(d, mine, v);
        else
            jm_set(d, to, yyjson_mut_val_mut_copy(d, v), key);
    }
}

static bool has_controller(const struct kmut *m)
{
    yyjson_mut_val *ref;
    size_t i, max;

    yyjson_mut_arr_foreach(jm_get(m->root, "metadata", "ownerReferences"), i, max, ref)
    {
        if (jm_get_bool(ref, false, "controller"))
            return true;
    }
    return false;
}

bool plan_apply_child(struct plan *p, const struct kube_resource *r, const struct kobj *owner,
                      const struct kobj *live, struct kmut *want)
{
    if (!live) {
        if (owner && !has_controller(want))
            kmut_set_controller(want, owner);
        plan_create(p, r, want);
        return true;
    }
    _cleanup_(kmut_freep) struct kmut *w = want;
    if (owner && !kobj_controlled_by(live, owner))
        return false;
    jm_del(w->root, "metadata",
           "ownerReferences"); /* checked above; others may have added theirs */
    if (contains(kobj_root(live), w->root, false))
        return true;
    struct kmut *m = kmut_from(live);
    overlay(m->d, m->root, w->root);
    plan_update(p, r, m);
    return true;
}
