/*
 * What Deployments and ReplicaSets share: a selector that matches its own template and never
 * changes, the template itself, and columns.
 */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/kinds/workload.h"
#include "cluster/apiserver/schema/tree.h"
#include "kube/selector.h"

void template_defaults(struct kmut *o)
{
    yyjson_mut_val *spec = jm_get(o->root, "spec", "template", "spec");

    if (yyjson_mut_is_obj(spec))
        pod_spec_defaults(o->d, spec);
}

static void check_selector(const struct kmut *o, struct field_errors *errs)
{
    _cleanup_jdoc_ yyjson_doc *d =
        yyjson_mut_val_imut_copy(yyjson_mut_obj_get(o->root, "spec"), NULL);
    const yyjson_val *spec = yyjson_doc_get_root(d);
    const yyjson_val *labels = jget(spec, "template", "metadata", "labels");
    yyjson_val *want = jget(spec, "selector");
    struct err e = {0};

    if (!yyjson_is_obj(want) || !yyjson_obj_size(want)) {
        field_required(errs, "spec.selector", NULL);
        return;
    }
    _cleanup_(selector_freep) struct selector *s = selector_from_object(want, &e);

    if (!s) {
        field_error_add(errs, FE_INVALID, "spec.selector", "\"\"", "invalid label selector: %s",
                        e.msg);
    } else if (!selector_matches(s, labels)) {
        _cleanup_buf_ struct buf v = BUF_INIT(8192);
        yyjson_mut_val *m = jm_get(o->root, "spec", "template", "metadata", "labels");

        go_value(&v, m);
        field_error_add(errs, FE_INVALID, "spec.template.metadata.labels", buf_z(&v),
                        "`selector` does not match template `labels`");
    }
}

static void check_template(const yyjson_mut_val *spec, const yyjson_val *old,
                           struct field_errors *errs)
{
    static const char *const always[] = {"Always", NULL};
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *pod = jm_get(spec, "template", "spec");
    const char *restart = jm_get_str(pod, "restartPolicy");

    path_key(&path, "spec.template.spec");
    if (!yyjson_mut_is_obj(pod)) {
        field_required(errs, "spec.template.spec", NULL);
        return;
    }
    pod_spec_validate(pod, &path, errs);
    pod_spec_refuse(pod, jget(old, "spec", "template", "spec"), &path, errs);
    if (restart && !streq(restart, "Always"))
        field_unsupported(errs, "spec.template.spec.restartPolicy", restart, always);
}

void workload_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");
    int64_t replicas = jm_get_int(spec, 0, "replicas");

    if (!yyjson_mut_is_obj(spec)) {
        field_required(errs, "spec", NULL);
        return;
    }
    if (replicas < 0)
        field_invalid_int(errs, "spec.replicas", replicas, "must be greater than or equal to 0");
    check_selector(o, errs);
    check_template(spec, old, errs);
    if (old && !tree_equal(jm_get(spec, "selector"), jget(old, "spec", "selector"))) {
        _cleanup_buf_ struct buf v = BUF_INIT(8192);

        go_value(&v, jm_get(spec, "selector"));
        field_error_add(errs, FE_INVALID, "spec.selector", buf_z(&v), "field is immutable");
    }
}

static void containers(struct buf *out, const yyjson_val *o, const char *field)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    yyjson_val *c;
    size_t i, n;

    yyjson_arr_foreach(jget(o, "spec", "template", "spec", "containers"), i, n, c)
    {
        const char *s = jget_str(c, field);

        buf_addf(&b, "%s%s", i ? "," : "", s ? s : "");
    }
    cell_str(out, buf_z(&b));
}

void workload_containers(struct buf *out, const yyjson_val *o, int64_t now)
{
    containers(out, o, "name");
}

void workload_images(struct buf *out, const yyjson_val *o, int64_t now)
{
    containers(out, o, "image");
}

void workload_selector(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_map(out, jget(o, "spec", "selector", "matchLabels"));
}
