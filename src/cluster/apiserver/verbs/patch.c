/*
 * PATCH: the newest version, changed by one of the patch languages, goes the way of an update.
 * Without a resourceVersion in the patch there is nothing to conflict with. Strategic merge knows
 * the merge keys of built-in kinds only, so custom resources refuse it (415), as Kubernetes does.
 */
#include "json/patch.h"

#include <errno.h>

#include "base/limits.h"
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/types/ktype.h"
#include "cluster/apiserver/verbs/patching.h"

static int fail_type(struct api_status *st, bool strategic)
{
    return api_fail(st, 415, "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted media types "
                    "include: application/json-patch+json, application/merge-patch+json%s",
                    strategic ? ", application/strategic-merge-patch+json" : "");
}

static int language(const struct api_request *r, enum patch_language *ret, struct api_status *st)
{
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

static const char *merge_key(void *type, const char *path)
{
    return ktype_merge_key(type, path);
}

struct kmut *patched(const struct api_request *r, const yyjson_val *target, struct api_status *st)
{
    struct str body = http_body(r->x);
    enum patch_language lang = LANG_MERGE;
    struct err e = {0};
    yyjson_mut_doc *d;

    if (language(r, &lang, st) < 0)
        return NULL;
    if (body.n > LIMIT_API_BODY) {
        api_fail(st, 413, "RequestEntityTooLarge", "Request entity too large: limit is %d",
                 LIMIT_API_BODY);
        return NULL;
    }
    _cleanup_jdoc_ yyjson_doc *patch = json_parse(body.p, body.n, &e);

    if (!patch) {
        api_fail_bad(st, "error decoding patch: %s", e.msg);
        return NULL;
    }
    const yyjson_val *p = yyjson_doc_get_root(patch);

    if (lang == LANG_JSON)
        d = patch_json(target, p, &e);
    else if (lang == LANG_MERGE)
        d = patch_merge(target, p, &e);
    else
        d = patch_strategic(target, p, merge_key, (void *)(uintptr_t)r->kind->builtin->type, &e);
    if (!d) {
        if (lang == LANG_JSON && e.code != -EINVAL)
            api_fail(st, 422, "Invalid",
                     "the server rejected our request due to an error in our request: %s", e.msg);
        else
            api_fail_bad(st, "error applying patch: %s", e.msg);
        return NULL;
    }
    struct kmut *m = xnew(struct kmut);

    m->d = d;
    m->root = yyjson_mut_doc_get_root(d);
    if (yyjson_mut_is_obj(m->root))
        return m;
    kmut_free(m);
    api_fail_bad(st, "error applying patch: the result is not an object");
    return NULL;
}

static void answered(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct api_request *r = ctx;

    if (!fail) {
        request_reply_object(r, 200, object);
        return;
    }
    api_fail(&r->st, fail->code, fail->reason, "%s", fail->message);
    request_fail(r);
}

void verb_patch(struct api_request *r)
{
    char want[600];

    request_begin_write(r);
    r->w.done = answered;
    if (write_load(&r->w, r->path.ns, r->path.name, &r->st) < 0 ||
        !(r->w.obj = patched(r, kobj_root(r->w.old), &r->st))) {
        request_fail(r);
        return;
    }
    /* What was stored in another version of the API is addressed in the request's. */
    if (streq(jm_get_str(r->w.obj->root, "apiVersion"),
              jget_str(kobj_root(r->w.old), "apiVersion"))) {
        kube_api_version(&r->kind->res, want, sizeof(want));
        jm_set_str(KM(r->w.obj), want, "apiVersion");
    }
    if (write_update(&r->w, r->path.ns, r->path.name, &r->st) < 0)
        request_fail(r);
}
