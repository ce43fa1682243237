/* Pods: what is derived at creation, what may change later, and how they are listed. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_pod, "Pod", OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", kt_pod_spec),
            OBJ(3, "status", kt_pod_status));

/* ---- defaults ---- */
/* A limit without a request asks for as much. */
static void requests_from_limits(yyjson_mut_doc *d, yyjson_mut_val *c)
{
    yyjson_mut_val *limits = jm_get(c, "resources", "limits");
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(limits);

    for (yyjson_mut_val *k; limits && (k = yyjson_mut_obj_iter_next(&it));) {
        const char *name = yyjson_mut_get_str(k);

        if (!jm_get(c, "resources", "requests", name))
            jm_set(d, c, yyjson_mut_val_mut_copy(d, yyjson_mut_obj_iter_get_val(k)), "resources",
                   "requests", name);
    }
}

static const char *qos_class(yyjson_mut_val *containers)
{
    bool any = false, all = true;

    TREE_EACH(c, containers)
    {
        yyjson_mut_val *req = jm_get(c, "resources", "requests");
        yyjson_mut_val *lim = jm_get(c, "resources", "limits");

        any |= yyjson_mut_obj_size(req) || yyjson_mut_obj_size(lim);
        all &= jm_get(lim, "cpu") && jm_get(lim, "memory") &&
               tree_same(jm_get(lim, "cpu"), jm_get(req, "cpu")) &&
               tree_same(jm_get(lim, "memory"), jm_get(req, "memory"));
    }
    return !any ? "BestEffort" : all ? "Guaranteed" : "Burstable";
}

static void pod_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");
    yyjson_mut_val *containers = jm_get(spec, "containers");

    if (!yyjson_mut_is_obj(spec))
        return;
    pod_spec_defaults(o->d, spec);
    tree_default_bool(o->d, spec, "enableServiceLinks", true);
    if (!old && !jm_get_str(spec, "serviceAccountName")) {
        jm_set_str(o->d, spec, "default", "serviceAccountName");
        jm_set_str(o->d, spec, "default", "serviceAccount");
    }
    TREE_EACH(c, containers)
    requests_from_limits(o->d, c);
    if (!jm_get(o->root, "status", "phase"))
        jm_set_str(KM(o), "Pending", "status", "phase");
    if (!jm_get(o->root, "status", "qosClass"))
        jm_set_str(KM(o), qos_class(containers), "status", "qosClass");
}

/* ---- validation ---- */
/* What may change on a pod is put back to what it was; then nothing may differ. */
static void check_update(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    static const char *const mutable[] = {"activeDeadlineSeconds", "tolerations",
                                          "terminationGracePeriodSeconds"};
    static const char *const lists[] = {"containers", "initContainers"};
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *spec = yyjson_mut_val_mut_copy(d, yyjson_mut_obj_get(o->root, "spec"));
    yyjson_val *was = jget(old, "spec");
    const char *node = jget_str(was, "nodeName");

    for (size_t i = 0; i < ARRAY_LEN(mutable); i++)
        jm_set_copy(d, spec, jget(was, mutable[i]), mutable[i]);
    if (!node || !*node)
        jm_set_copy(d, spec, jget(was, "nodeName"), "nodeName");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        yyjson_mut_val *list = yyjson_mut_obj_get(spec, lists[i]);
        size_t n = 0;

        TREE_EACH(c, list)
        {
            yyjson_val *image = jget(yyjson_arr_get(jget(was, lists[i]), n++), "image");

            if (yyjson_mut_is_obj(c))
                jm_set_copy(d, c, image, "image");
        }
    }
    if (!tree_equal(spec, was))
        field_error_add(errs, FE_FORBIDDEN, "spec", NULL,
                        "pod updates may not change fields other than `spec.containers[*].image`,"
                        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
                        "`spec.tolerations` (only additions to existing tolerations),"
                        "`spec.terminationGracePeriodSeconds`");
}

static void pod_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");

    path_key(&path, "spec");
    if (!yyjson_mut_is_obj(spec))
        field_required(errs, "spec", NULL);
    else {
        pod_spec_validate(spec, &path, errs);
        pod_spec_refuse(spec, jget(old, "spec"), &path, errs);
    }
    if (old && !errs->v.n)
        check_update(o, old, errs);
}

static const char *const pod_fields[] = {"spec.nodeName",
                                         "spec.restartPolicy",
                                         "spec.schedulerName",
                                         "spec.serviceAccountName",
                                         "spec.hostNetwork",
                                         "status.phase",
                                         "status.podIP",
                                         "status.nominatedNodeName",
                                         NULL};

/* ---- columns ---- */
static const char *waiting_reason(const yyjson_val *status, const char *list)
{
    yyjson_val *c;
    size_t i, n;
    const char *reason = NULL;

    yyjson_arr_foreach(jget(status, list), i, n, c)
    {
        const char *wait = jget_str(c, "state", "waiting", "reason");
        const char *term = jget_str(c, "state", "terminated", "reason");

        if (wait && *wait)
            reason = wait;
        else if (term && *term)
            reason = term;
    }
    return reason;
}

static void pod_status(struct buf *out, const yyjson_val *o, int64_t now)
{
    yyjson_val *status = jget(o, "status");
    const char *text = jget_str(status, "phase"), *reason = jget_str(status, "reason");
    const char *container = waiting_reason(status, "containerStatuses");

    if (reason && *reason)
        text = reason;
    if (container)
        text = container;
    if (jget(o, "metadata", "deletionTimestamp"))
        text = "Terminating";
    cell_or(out, text, "Unknown");
}

static void pod_ready(struct buf *out, const yyjson_val *o, int64_t now)
{
    size_t i, n, ready = 0;
    yyjson_val *c;

    yyjson_arr_foreach(jget(o, "status", "containerStatuses"), i, n, c) ready +=
        jget_bool(c, false, "ready");
    buf_addf(out, "\"%zu/%zu\"", ready, yyjson_arr_size(jget(o, "spec", "containers")));
}

static void pod_restarts(struct buf *out, const yyjson_val *o, int64_t now)
{
    size_t i, n;
    yyjson_val *c;
    long long total = 0;

    yyjson_arr_foreach(jget(o, "status", "containerStatuses"), i, n, c) total +=
        jget_int(c, 0, "restartCount");
    buf_addf(out, "\"%lld\"", total);
}

static void pod_ip(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "podIP"), "<none>");
}

static void pod_node(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "spec", "nodeName"), "<none>");
}

static void pod_nominated(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "nominatedNodeName"), "<none>");
}

static void pod_gates(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, "<none>");
}

static const struct api_column columns_pod[] = {
    {"Ready", "string", "", "Containers that are ready, of all.", 0, pod_ready, NULL},
    {"Status", "string", "", "What the pod is doing.", 0, pod_status, NULL},
    {"Restarts", "string", "", "Restarts of its containers.", 0, pod_restarts, NULL},
    COLUMN_AGE,
    {"IP", "string", "", "Address of the pod.", 1, pod_ip, NULL},
    {"Node", "string", "", "Where it runs.", 1, pod_node, NULL},
    {"Nominated Node", "string", "", "Where it may run.", 1, pod_nominated, NULL},
    {"Readiness Gates", "string", "", "Conditions beyond its containers.", 1, pod_gates, NULL},
    COLUMN_END,
};

const struct builtin builtin_pod = {
    .type = &kt_pod,
    .defaults = pod_defaults,
    .validate = pod_validate,
    .columns = columns_pod,
    .fields = pod_fields,
};
