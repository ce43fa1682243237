/* Patches are read before anything is looked up: what is no patch is no matter of the object. */
#include "cluster/apiserver/verbs/patching.h"

#include <errno.h>

#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/types/ktype.h"
#include "json/patch.h"

static int fail_type(struct api_status *st, bool strategic)
{
    return api_fail(st, 415, "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted media types "
                    "include: application/json-patch+json, application/merge-patch+json%s",
                    strategic ? ", application/strategic-merge-patch+json" : "");
}

static int language(struct api_request *r)
{
    enum patch_language *ret = &r->patch_language;
    struct api_status *st = &r->st;
    struct str type = http_request_header(r->x, "Content-Type");
    bool strategic = r->kind->builtin != NULL;
    size_t semi;

    if (str_find(type, ';', &semi))
        type.n = semi;
    type = str_trim(type);
    if (str_ieq(type, STR("application/merge-patch+json")))
        *ret = LANG_MERGE;
    else if (str_ieq(type, STR("application/json-patch+json")))
        *ret = LANG_JSON;
    else if (strategic && str_ieq(type, STR("application/strategic-merge-patch+json")))
        *ret = LANG_STRATEGIC;
    else if (str_ieq(type, STR("application/apply-patch+yaml")))
        return api_fail(st, 415, "UnsupportedMediaType",
                        "server-side apply (application/apply-patch+yaml) is not served by this "
                        "API server: apply on the client's side, without --server-side");
    else
        return fail_type(st, strategic);
    return 0;
}

int patch_read(struct api_request *r)
{
    struct str body = http_body(r->x);
    struct err e = {0};

    if (language(r) < 0)
        return -1;
    if (body.n > LIMIT_API_BODY)
        return api_fail(&r->st, 413, "RequestEntityTooLarge",
                        "Request entity too large: limit is %d", LIMIT_API_BODY);
    r->patch = json_parse(body.p, body.n, &e);
    if (!r->patch)
        return api_fail_bad(&r->st, "error decoding patch: %s", e.msg);
    size_t n = r->patch_language == LANG_JSON ? yyjson_arr_size(yyjson_doc_get_root(r->patch)) : 0;

    if (n > LIMIT_PATCH_OPS)
        return api_fail(&r->st, 413, "RequestEntityTooLarge",
                        "Request entity too large: The allowed maximum operations in a JSON patch "
                        "is %d, got %zu",
                        LIMIT_PATCH_OPS, n);
    return 0;
}

static const char *merge_key(void *type, const char *path)
{
    return ktype_merge_key(type, path);
}

static yyjson_mut_doc *apply(const struct api_request *r, const yyjson_val *target, struct err *e)
{
    const yyjson_val *p = yyjson_doc_get_root(r->patch);

    switch (r->patch_language) {
    case LANG_JSON:
        return patch_json(target, p, e);
    case LANG_STRATEGIC:
        return patch_strategic(target, p, merge_key, (void *)(uintptr_t)r->kind->builtin->type, e);
    default:
        return patch_merge(target, p, e);
    }
}

struct kmut *patch_apply(const struct api_request *r, const yyjson_val *target,
                         struct api_status *st)
{
    struct err e = {0};
    yyjson_mut_doc *d = apply(r, target, &e);

    if (!d && r->patch_language == LANG_JSON && e.code != -EINVAL)
        api_fail(st, 422, "Invalid",
                 "the server rejected our request due to an error in our request: %s", e.msg);
    else if (!d)
        api_fail_bad(st, "error applying patch: %s", e.msg);
    if (!d)
        return NULL;
    struct kmut *m = xnew(struct kmut);

    m->d = d;
    m->root = yyjson_mut_doc_get_root(d);
    if (yyjson_mut_is_obj(m->root))
        return m;
    kmut_free(m);
    api_fail_bad(st, "error applying patch: the result is not an object");
    return NULL;
}
