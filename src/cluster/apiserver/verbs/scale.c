/* The scale subresource: autoscaling/v1 Scale as a view of replicas, selector and observed
 * replicas. */
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/verbs/patching.h"
#include "cluster/apiserver/verbs/verbs.h"
#include "kube/selector.h"

static const char *const builtin_spec[] = {"spec", "replicas", NULL};
static const char *const builtin_status[] = {"status", "replicas", NULL};

static const char *const *spec_path(const struct api_kind *k)
{
    return k->scale_spec ? jsonpath_keys(k->scale_spec) : builtin_spec;
}

static void add_pairs(struct buf *out, yyjson_val *labels)
{
    yyjson_val *k, *v;
    size_t i, n;

    yyjson_obj_foreach(labels, i, n, k, v)
        buf_addf(out, "%s%s=%s", out->n ? "," : "", yyjson_get_str(k), yyjson_get_str(v));
}

static void add_expressions(struct buf *out, yyjson_val *list)
{
    yyjson_val *e, *v;
    size_t i, n, j, m;

    yyjson_arr_foreach(list, i, n, e)
    {
        const char *key = jget_str(e, "key"), *op = jget_str(e, "operator");

        if (streq(op, "Exists"))
            buf_addf(out, "%s%s", out->n ? "," : "", key);
        else if (streq(op, "DoesNotExist"))
            buf_addf(out, "%s!%s", out->n ? "," : "", key);
        else {
            buf_addf(out, "%s%s %s (", out->n ? "," : "", key, streq(op, "NotIn") ? "notin" : "in");
            yyjson_arr_foreach(jget(e, "values"), j, m, v)
                buf_addf(out, "%s%s", j ? "," : "", yyjson_get_str(v));
            buf_addc(out, ')');
        }
    }
}

static void selector_text(const struct api_kind *k, const yyjson_val *obj, struct buf *out)
{
    yyjson_val *s;

    if (k->scale_selector) {
        const char *text = yyjson_get_str(jget_p(obj, jsonpath_keys(k->scale_selector)));

        buf_addz(out, text ? text : "");
        return;
    }
    if (k->definition)
        return;
    s = jget(obj, "spec", "selector");
    add_pairs(out, jget(s, "matchLabels"));
    add_expressions(out, jget(s, "matchExpressions"));
}

static struct kmut *scale_of(const struct api_kind *k, const yyjson_val *obj)
{
    static const struct kube_resource scale = {"autoscaling", "v1", "scales", "Scale", true};
    static const char *const keys[] = {"uid", "resourceVersion", "creationTimestamp"};
    struct kmut *m =
        kmut_new(&scale, jget_str(obj, "metadata", "namespace"), jget_str(obj, "metadata", "name"));
    _cleanup_buf_ struct buf sel = BUF_INIT(64 * 1024);

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        jm_set_str(KM(m), jget_str(obj, "metadata", keys[i]), "metadata", keys[i]);
    jm_set_int(KM(m), jget_int_p(obj, 0, spec_path(k)), "spec", "replicas");
    jm_set_int(
        KM(m),
        jget_int_p(obj, 0, k->scale_status ? jsonpath_keys(k->scale_status) : builtin_status),
        "status", "replicas");
    selector_text(k, obj, &sel);
    if (sel.n)
        jm_set_str(KM(m), buf_z(&sel), "status", "selector");
    return m;
}

static void reply_scale(struct api_request *r, const yyjson_val *obj)
{
    _cleanup_(kmut_freep) struct kmut *m = scale_of(r->kind, obj);
    struct str text;
    _cleanup_free_ char *p = kmut_text(m, &text.n);

    text.p = p;
    request_reply(r, 200, "application/json", text);
}

static void reply_text(struct api_request *r, struct str object)
{
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object.p, object.n, NULL);

    reply_scale(r, yyjson_doc_get_root(d));
}

static void written(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct api_request *r = ctx;

    if (!fail) {
        reply_text(r, object);
        return;
    }
    api_status_move(&r->st, fail);
    request_fail(r);
}

/* The Scale that the client wants: its body, or the present one patched. */
static struct kmut *wanted(const struct api_request *r, const yyjson_val *obj,
                           struct api_status *st)
{
    _cleanup_(kmut_freep) struct kmut *now = scale_of(r->kind, obj);
    const struct kobj *frozen _cleanup_kobj_ = kmut_freeze(now);

    return patch_apply(r, kobj_root(frozen), st);
}

static int set_replicas(const struct api_request *r, struct kmut *obj, const struct kmut *scale,
                        struct api_status *st)
{
    yyjson_mut_val *n = jm_get(scale->root, "spec", "replicas");
    const char *rv = jm_get_str(scale->root, "metadata", "resourceVersion");

    if (n && (!yyjson_mut_is_int(n) || yyjson_mut_get_sint(n) < 0)) {
        _cleanup_errors_ struct field_errors errs = {0};

        field_invalid_int(&errs, "spec.replicas", yyjson_mut_get_sint(n),
                          "must be greater than or equal to 0");
        return api_fail_invalid(st, &r->kind->res, r->path.name, &errs);
    }
    version_to(obj, r->kind);
    jm_set_int_p(KM(obj), yyjson_mut_get_sint(n), spec_path(r->kind));
    if (rv && *rv)
        jm_set_str(KM(obj), rv, "metadata", "resourceVersion");
    else
        jm_del(obj->root, "metadata", "resourceVersion");
    return 0;
}

static struct kmut *change(void *ctx, const struct write *w, struct api_status *st)
{
    const struct api_request *r = ctx;
    _cleanup_(kmut_freep) struct kmut *made = r->patch ? wanted(r, kobj_root(w->old), st) : NULL;
    const struct kmut *scale = r->patch ? made : r->body;
    struct kmut *obj = scale ? kmut_from(w->old) : NULL;

    if (!obj || set_replicas(r, obj, scale, st) == 0)
        return obj;
    kmut_free(obj);
    return NULL;
}

static void get(struct api_request *r)
{
    _cleanup_free_ char *key = kind_key(&r->kind->res, r->path.ns, r->path.name);
    const struct store_obj *o = store_get(r->env->core->store, key);

    if (o) {
        reply_text(r, store_obj_bytes(o));
        return;
    }
    api_fail_not_found(&r->st, &r->kind->res, r->path.name);
    request_fail(r);
}

void verb_scale(struct api_request *r)
{
    if (str_eq(r->method, STR("GET"))) {
        get(r);
        return;
    }
    request_begin_write(r);
    if (str_eq(r->method, STR("PUT")))
        r->body = request_decode(r, false);
    else if (str_eq(r->method, STR("PATCH")))
        patch_read(r);
    else
        api_fail(&r->st, 405, "MethodNotAllowed",
                 "the server does not allow this method on the requested resource");
    if (r->st.code) {
        request_fail(r);
        return;
    }
    r->w.sub = "";
    r->w.change = change;
    r->w.change_ctx = r;
    r->w.done = written;
    write_update(&r->w);
}
