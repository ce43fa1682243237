/* Deployments and ReplicaSets: defaults of apps/v1, and a selector that matches its own template
 * and never changes. */
#include "cluster/apiserver/kinds/builtin.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "kube/selector.h"

static void template_defaults(struct kmut *o)
{
    yyjson_mut_val *spec = jm_get(o->root, "spec", "template", "spec");

    if (yyjson_mut_is_obj(spec))
        pod_spec_defaults(o->d, spec);
}

static void replicaset_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");

    if (!yyjson_mut_is_obj(spec))
        return;
    tree_default_int(o->d, spec, "replicas", 1);
    template_defaults(o);
    if (!old)
        jm_set_int(KM(o), 0, "status", "replicas");
}

static void deployment_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");

    if (!yyjson_mut_is_obj(spec))
        return;
    tree_default_int(o->d, spec, "replicas", 1);
    tree_default_int(o->d, spec, "revisionHistoryLimit", 10);
    tree_default_int(o->d, spec, "progressDeadlineSeconds", 600);
    if (!jm_get_str(spec, "strategy", "type"))
        jm_set_str(o->d, spec, "RollingUpdate", "strategy", "type");
    if (streq(jm_get_str(spec, "strategy", "type"), "RollingUpdate")) {
        yyjson_mut_val *r = jm_obj(o->d, spec, "strategy", "rollingUpdate");

        if (!jm_get(r, "maxUnavailable"))
            jm_set_str(o->d, r, "25%", "maxUnavailable");
        if (!jm_get(r, "maxSurge"))
            jm_set_str(o->d, r, "25%", "maxSurge");
    }
    template_defaults(o);
    if (!jm_get(o->root, "status"))
        jm_obj(KM(o), "status");
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

static void check_template(const yyjson_mut_val *spec, struct field_errors *errs)
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
    if (restart && !streq(restart, "Always"))
        field_unsupported(errs, "spec.template.spec.restartPolicy", restart, always);
}

static void workload_validate(const struct kmut *o, const yyjson_val *old,
                              struct field_errors *errs)
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
    check_template(spec, errs);
    if (old && !tree_equal(jm_get(spec, "selector"), jget(old, "spec", "selector"))) {
        _cleanup_buf_ struct buf v = BUF_INIT(8192);

        go_value(&v, jm_get(spec, "selector"));
        field_error_add(errs, FE_INVALID, "spec.selector", buf_z(&v), "field is immutable");
    }
}

static void deployment_validate(const struct kmut *o, const yyjson_val *old,
                                struct field_errors *errs)
{
    static const char *const types[] = {"Recreate", "RollingUpdate", NULL};
    const char *type = jm_get_str(o->root, "spec", "strategy", "type");

    workload_validate(o, old, errs);
    if (yyjson_mut_is_obj(yyjson_mut_obj_get(o->root, "spec")) && !streq(type, types[0]) &&
        !streq(type, types[1]))
        field_unsupported(errs, "spec.strategy.type", type, types);
}

const struct builtin builtin_deployment = {
    .defaults = deployment_defaults,
    .validate = deployment_validate,
    .columns = columns_deployment,
};
const struct builtin builtin_replicaset = {
    .defaults = replicaset_defaults,
    .validate = workload_validate,
    .columns = columns_replicaset,
    .fields = (const char *const[]){"status.replicas", NULL},
};
