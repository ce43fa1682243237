/*
 * Input: an object with a kind. What a kind's table reads, it must read again without a change, its
 * checks must stand, and the node's rows must be able to judge it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/kinds.h"
#include "kube/podspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *ctx, const char *path, const char *why)
{
    ++*(size_t *)ctx;
}

static void unknown(void *ctx, const char *path)
{
    ++*(size_t *)ctx;
}

static void judge(const struct ktype *t, yyjson_mut_val *o)
{
    _cleanup_errors_ struct field_errors errs = {0};
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    _cleanup_jdoc_ yyjson_doc *d = yyjson_mut_val_imut_copy(o, NULL);
    size_t n = 0;

    ktype_check(t, o, &path, &errs);
    kube_podspec_check(jget(yyjson_doc_get_root(d), "spec"), ignore, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_jdoc_ yyjson_doc *in = json_parse((const char *)data, size, NULL);
    const char *api = jget_str(in ? yyjson_doc_get_root(in) : NULL, "apiVersion");
    const char *kind = jget_str(in ? yyjson_doc_get_root(in) : NULL, "kind");
    const struct ktype *t = kind_type(api, kind);
    size_t dropped = 0, again = 0;
    struct kdecode how = {unknown, &dropped, true, NULL}, twice = {unknown, &again, true, NULL};
    struct err e = {0};

    if (!t)
        return 0;
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_doc_mut_copy(in, NULL);
    yyjson_mut_val *o = yyjson_mut_doc_get_root(d);

    if (ktype_decode(t, d, o, &how, &e) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    _cleanup_free_ char *once = json_mut_text(o, NULL);

    if (ktype_decode(t, d, o, &twice, &e) < 0 || again)
        abort();
    _cleanup_free_ char *more = json_mut_text(o, NULL);

    if (!streq(once, more))
        abort();
    judge(t, o);
    return 0;
}
