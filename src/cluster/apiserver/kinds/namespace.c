/* Namespaces. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(namespace_spec, "NamespaceSpec", STRS(1, "finalizers"));
TYPE(namespace_condition, "NamespaceCondition", STR(1, "type"), STR(2, "status"),
     TIME(4, "lastTransitionTime"), STR(5, "reason"), STR(6, "message"));
TYPE(namespace_status, "NamespaceStatus", STR(1, "phase"),
     OBJS(2, "conditions", namespace_condition, .key = "type"));
SHARED_TYPE(kt_namespace, "Namespace", OBJ(1, "metadata", kt_object_meta),
            OBJ(2, "spec", namespace_spec), OBJ(3, "status", namespace_status));

static void namespace_defaults(struct kmut *o, const yyjson_val *old)
{
    const char *name = jm_get_str(o->root, "metadata", "name");

    if (old) /* only the finalize subresource changes them, and it hands them in */
        tree_default_obj(o->d, o->root, "spec");
    if (!jm_get(o->root, "spec", "finalizers") && old)
        jm_set_copy(KM(o), jget(old, "spec", "finalizers"), "spec", "finalizers");
    if (!old && !jm_get(o->root, "spec", "finalizers"))
        jm_add_str(o->d, jm_arr(KM(o), "spec", "finalizers"), "kubernetes");
    if (!jm_get(o->root, "status", "phase"))
        jm_set_str(KM(o), "Active", "status", "phase");
    if (name)
        jm_set_str(KM(o), name, "metadata", "labels", "kubernetes.io/metadata.name");
}

static void namespace_phase(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "phase"), "Active");
}

static const struct api_column columns_namespace[] = {
    {"Status", "string", "", "Phase of the namespace.", 0, namespace_phase, NULL},
    COLUMN_AGE,
    COLUMN_END};

const struct builtin builtin_namespace = {
    .type = &kt_namespace,
    .defaults = namespace_defaults,
    .columns = columns_namespace,
    .name_rule = "label",
    .fields = (const char *const[]){"status.phase", NULL},
};
