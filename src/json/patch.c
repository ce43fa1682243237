/*
 * JSON merge patch (RFC 7396) and its inverse. Both walk the two documents side by side and build
 * the result in a new one. The depth is that of the documents, which json_parse bounds.
 */
#include "json/patch.h"

#include <errno.h>

#include "json/jindex.h"

static yyjson_val *unconst(const yyjson_val *v)
{
    return (yyjson_val *)(uintptr_t)v;
}

static yyjson_mut_val *merge(yyjson_mut_doc *d, yyjson_val *target, yyjson_val *patch)
{
    size_t i, max;
    yyjson_val *k, *v;

    if (!yyjson_is_obj(patch))
        return yyjson_val_mut_copy(d, patch);
    _cleanup_jindex_ struct jindex old = jindex_of(target), changes = jindex_of(patch);
    yyjson_mut_val *out = yyjson_mut_obj(d);
    yyjson_obj_foreach(old.obj, i, max, k, v)
    {
        yyjson_val *change = jindex_get(&changes, k);
        if (yyjson_is_null(change))
            continue;
        yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k),
                           change ? merge(d, v, change) : yyjson_val_mut_copy(d, v));
    }
    yyjson_obj_foreach(patch, i, max, k, v)
    {
        if (!yyjson_is_null(v) && !jindex_get(&old, k))
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k), merge(d, NULL, v));
    }
    return out;
}

yyjson_mut_doc *patch_merge(const yyjson_val *target, const yyjson_val *patch, struct err *e)
{
    if (!patch) {
        err_set(e, -EINVAL, "cannot apply the merge patch: it is empty");
        return NULL;
    }
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(d, merge(d, unconst(target), unconst(patch)));
    return d;
}

/* NULL when the two are equal. */
static yyjson_mut_val *diff(yyjson_mut_doc *d, yyjson_val *from, yyjson_val *to)
{
    size_t i, max;
    yyjson_val *k, *v;

    if (!yyjson_is_obj(from) || !yyjson_is_obj(to))
        return json_equal(from, to) ? NULL : yyjson_val_mut_copy(d, to);
    _cleanup_jindex_ struct jindex before = jindex_of(from), after = jindex_of(to);
    yyjson_mut_val *out = yyjson_mut_obj(d);
    yyjson_obj_foreach(from, i, max, k, v)
    {
        if (!jindex_get(&after, k))
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k), yyjson_mut_null(d));
    }
    yyjson_obj_foreach(to, i, max, k, v)
    {
        yyjson_val *old = jindex_get(&before, k);
        yyjson_mut_val *change = old ? diff(d, old, v) : yyjson_val_mut_copy(d, v);
        if (change)
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k), change);
    }
    return yyjson_mut_obj_size(out) ? out : NULL;
}

yyjson_mut_doc *patch_diff(const yyjson_val *from, const yyjson_val *to)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = diff(d, unconst(from), unconst(to));

    yyjson_mut_doc_set_root(d, root ? root : yyjson_mut_obj(d));
    return d;
}
