/*
 * Input: an array [target, patch]. Every patch language is tried with it; and the merge patch from
 * one to the other must lead there, unless the goal has nulls or repeated names, which such a patch
 * cannot say.
 */
#include <stdint.h>
#include <stdlib.h>

#include "json/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *keys(void *ctx, const char *path)
{
    if (z_ends(path, "finalizers"))
        return "";
    return z_ends(path, "containers") || z_ends(path, "env") ? "name" : NULL;
}

static bool expressible(yyjson_val *v)
{
    size_t i, max;
    yyjson_val *k, *member;

    if (yyjson_is_null(v))
        return false;
    yyjson_arr_foreach(v, i, max, member)
    {
        if (yyjson_is_ctn(member) && !expressible(member))
            return false;
    }
    yyjson_obj_foreach(v, i, max, k, member)
    {
        if (!expressible(member) ||
            yyjson_obj_getn(v, yyjson_get_str(k), yyjson_get_len(k)) != member)
            return false;
    }
    return true;
}

static void check_diff(yyjson_val *from, yyjson_val *to)
{
    if (!expressible(from) || !expressible(to))
        return;
    _cleanup_jmut_ yyjson_mut_doc *diff = patch_diff(from, to);
    _cleanup_jdoc_ yyjson_doc *patch = yyjson_mut_doc_imut_copy(diff, NULL);
    _cleanup_jmut_ yyjson_mut_doc *merged = patch_merge(from, patch->root, NULL);
    _cleanup_jdoc_ yyjson_doc *got = yyjson_mut_doc_imut_copy(merged, NULL);
    if ((yyjson_is_obj(from) && !json_equal(got->root, to)) && yyjson_is_obj(to))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_jdoc_ yyjson_doc *d = json_parse((const char *)data, size, NULL);
    yyjson_val *target = d ? yyjson_arr_get(d->root, 0) : NULL;
    yyjson_val *patch = d ? yyjson_arr_get(d->root, 1) : NULL;
    struct err e = {0};

    if (!patch)
        return 0;
    yyjson_mut_doc_free(patch_merge(target, patch, &e));
    yyjson_mut_doc_free(patch_json(target, patch, &e));
    yyjson_mut_doc_free(patch_strategic(target, patch, keys, NULL, &e));
    check_diff(target, patch);
    return 0;
}
