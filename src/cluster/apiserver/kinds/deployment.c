/* Deployments. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/kinds/workload.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.apps.v1"

TYPE(rolling_update_deployment, "RollingUpdateDeployment", INT_OR_STR_P(1, "maxUnavailable"),
     INT_OR_STR_P(2, "maxSurge"));
TYPE(deployment_strategy, "DeploymentStrategy",
     STR(1, "type", .words = WORDS("Recreate", "RollingUpdate")),
     OBJ_P(2, "rollingUpdate", rolling_update_deployment));
TYPE(deployment_spec, "DeploymentSpec", INT32_P(1, "replicas", .def = "1"),
     OBJ_P(2, "selector", kt_label_selector), OBJ(3, "template", kt_pod_template_spec),
     OBJ(4, "strategy", deployment_strategy), INT32(5, "minReadySeconds"),
     INT32_P(6, "revisionHistoryLimit", .def = "10"), BOOL(7, "paused"),
     INT32_P(9, "progressDeadlineSeconds", .def = "600"));
TYPE(deployment_condition, "DeploymentCondition", STR(1, "type"), STR(2, "status"),
     TIME(6, "lastUpdateTime"), TIME(7, "lastTransitionTime"), STR(4, "reason"), STR(5, "message"));
TYPE(deployment_status, "DeploymentStatus", INT64(1, "observedGeneration"), INT32(2, "replicas"),
     INT32(3, "updatedReplicas"), INT32(7, "readyReplicas"), INT32(4, "availableReplicas"),
     INT32(5, "unavailableReplicas"), INT32_P(9, "terminatingReplicas"),
     OBJS(6, "conditions", deployment_condition, .key = "type"), INT32_P(8, "collisionCount"));
SHARED_TYPE(kt_deployment, "Deployment", OBJ(1, "metadata", kt_object_meta),
            OBJ(2, "spec", deployment_spec), OBJ(3, "status", deployment_status));

static void deployment_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");

    if (!yyjson_mut_is_obj(spec))
        return;
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

static void workload_ready(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "\"%lld/%lld\"", (long long)jget_int(o, 0, "status", "readyReplicas"),
             (long long)jget_int(o, 0, "spec", "replicas"));
}

static void workload_updated(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%lld", (long long)jget_int(o, 0, "status", "updatedReplicas"));
}

static void workload_available(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%lld", (long long)jget_int(o, 0, "status", "availableReplicas"));
}

static const struct api_column columns_deployment[] = {
    {"Ready", "string", "", "Pods that are ready, of those wanted.", 0, workload_ready, NULL},
    {"Up-to-date", "string", "", "Pods of the newest template.", 0, workload_updated, NULL},
    {"Available", "string", "", "Pods that are available.", 0, workload_available, NULL},
    COLUMN_AGE,
    WORKLOAD_WIDE,
    COLUMN_END,
};

const struct builtin builtin_deployment = {
    .type = &kt_deployment,
    .defaults = deployment_defaults,
    .validate = workload_validate,
    .columns = columns_deployment,
};
