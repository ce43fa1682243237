/* ReplicaSets. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/kinds/workload.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.apps.v1"

TYPE(replica_set_spec, "ReplicaSetSpec", INT32_P(1, "replicas", .def = "1"),
     INT32(4, "minReadySeconds"), OBJ_P(2, "selector", kt_label_selector),
     OBJ(3, "template", kt_pod_template_spec));
TYPE(replica_set_condition, "ReplicaSetCondition", STR(1, "type"), STR(2, "status"),
     TIME(3, "lastTransitionTime"), STR(4, "reason"), STR(5, "message"));
TYPE(replica_set_status, "ReplicaSetStatus", INT32(1, "replicas"), INT32(2, "fullyLabeledReplicas"),
     INT32(4, "readyReplicas"), INT32(5, "availableReplicas"), INT32_P(7, "terminatingReplicas"),
     INT64(3, "observedGeneration"), OBJS(6, "conditions", replica_set_condition, .key = "type"));
SHARED_TYPE(kt_replica_set, "ReplicaSet", OBJ(1, "metadata", kt_object_meta),
            OBJ(2, "spec", replica_set_spec), OBJ(3, "status", replica_set_status));

static void replicaset_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");

    if (!yyjson_mut_is_obj(spec))
        return;
    template_defaults(o);
    if (!old)
        jm_set_int(KM(o), 0, "status", "replicas");
}

static void workload_desired(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%lld", (long long)jget_int(o, 0, "spec", "replicas"));
}

static void workload_current(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%lld", (long long)jget_int(o, 0, "status", "replicas"));
}

static void workload_ready_count(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%lld", (long long)jget_int(o, 0, "status", "readyReplicas"));
}

static const struct api_column columns_replicaset[] = {
    {"Desired", "integer", "", "Pods wanted.", 0, workload_desired, NULL},
    {"Current", "integer", "", "Pods that exist.", 0, workload_current, NULL},
    {"Ready", "integer", "", "Pods that are ready.", 0, workload_ready_count, NULL},
    COLUMN_AGE,
    WORKLOAD_WIDE,
    COLUMN_END,
};

const struct builtin builtin_replicaset = {
    .type = &kt_replica_set,
    .defaults = replicaset_defaults,
    .validate = workload_validate,
    .columns = columns_replicaset,
    .fields = (const char *const[]){"status.replicas", NULL},
};
