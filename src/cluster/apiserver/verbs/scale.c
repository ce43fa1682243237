/* The scale subresource: autoscaling/v1 Scale as a view of replicas, selector and observed
 * replicas. */
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/verbs/patching.h"
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

static void answered(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct api_request *r = ctx;

    if (fail) {
        api_fail(&r->st, fail->code, fail->reason, "%s", fail->message);
        request_fail(r);
        return;
    }
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object.p, object.n, NULL);

    reply_scale(r, yyjson_doc_get_root(d));
}

/* The Scale that the client wants: its body, or the present one patched. */
static struct kmut *wanted(struct api_request *r)
{
    _cleanup_(kmut_freep) struct kmut *now = NULL;

    if (str_eq(r->method, STR("PUT")))
        return decode_body(r, false, &r->st);
    now = scale_of(r->kind, kobj_root(r->w.old));
    const struct kobj *frozen _cleanup_kobj_ = kmut_freeze(now);

    return patched(r, kobj_root(frozen), &r->st);
}

static int change(struct api_request *r)
{
    char api[600];
    struct write *w = &r->w;

    if (write_load(w, r->path.ns, r->path.name, &r->st) < 0)
        return -1;
    _cleanup_(kmut_freep) struct kmut *want = wanted(r);

    if (!want)
        return -1;
    yyjson_mut_val *n = jm_get(want->root, "spec", "replicas");
    const char *rv = jm_get_str(want->root, "metadata", "resourceVersion");

    if (n && (!yyjson_mut_is_int(n) || yyjson_mut_get_sint(n) < 0)) {
        _cleanup_errors_ struct field_errors errs = {0};

        field_invalid_int(&errs, "spec.replicas", yyjson_mut_get_sint(n),
                          "must be greater than or equal to 0");
        return api_fail_invalid(&r->st, &r->kind->res, r->path.name, &errs);
    }
    w->obj = kmut_from(w->old);
    kube_api_version(&r->kind->res, api, sizeof(api));
    jm_set_str(KM(w->obj), api, "apiVersion");
    jm_set_int_p(KM(w->obj), yyjson_mut_get_sint(n), spec_path(r->kind));
    if (rv && *rv)
        jm_set_str(KM(w->obj), rv, "metadata", "resourceVersion");
    w->sub = "";
    return write_update(w, r->path.ns, r->path.name, &r->st);
}

static void get(struct api_request *r)
{
    _cleanup_free_ char *key = kind_key(&r->kind->res, r->path.ns, r->path.name);
    const struct store_obj *o = store_get(r->a->store, key);

    if (!o) {
        api_fail_not_found(&r->st, &r->kind->res, r->path.name);
        request_fail(r);
        return;
    }
    struct str b = store_obj_bytes(o);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(b.p, b.n, NULL);

    reply_scale(r, yyjson_doc_get_root(d));
}

void verb_scale(struct api_request *r)
{
    if (str_eq(r->method, STR("GET"))) {
        get(r);
        return;
    }
    request_begin_write(r);
    r->w.done = answered;
    if (change(r) < 0)
        request_fail(r);
}
