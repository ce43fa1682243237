/* Nodes. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(taint, "Taint", STR(1, "key", .required = true), STR(2, "value"),
     STR(3, "effect", .words = WORDS("NoExecute", "NoSchedule", "PreferNoSchedule"),
         .required = true),
     TIME_P(4, "timeAdded"));
TYPE(config_map_node_config_source, "ConfigMapNodeConfigSource", STR(1, "namespace"),
     STR(2, "name"), STR(3, "uid"), STR(4, "resourceVersion"), STR(5, "kubeletConfigKey"));
TYPE(node_config_source, "NodeConfigSource", OBJ_P(2, "configMap", config_map_node_config_source));
TYPE(node_pod_preemption_policy, "NodePodPreemptionPolicy", STRS(1, "disableResizePreemption"));
TYPE(node_spec, "NodeSpec", STR(1, "podCIDR"), STRS(7, "podCIDRs", .key = ""), STR(3, "providerID"),
     BOOL(4, "unschedulable"), OBJS(5, "taints", taint),
     OBJ_P(6, "configSource", node_config_source), STR(2, "externalID"),
     OBJ_P(8, "podPreemptionPolicy", node_pod_preemption_policy));
TYPE(node_condition, "NodeCondition", STR(1, "type"), STR(2, "status"),
     TIME(3, "lastHeartbeatTime"), TIME(4, "lastTransitionTime"), STR(5, "reason"),
     STR(6, "message"));
TYPE(node_address, "NodeAddress", STR(1, "type"), STR(2, "address"));
TYPE(daemon_endpoint, "DaemonEndpoint", INT32(1, "Port"));
TYPE(node_daemon_endpoints, "NodeDaemonEndpoints", OBJ(1, "kubeletEndpoint", daemon_endpoint));
TYPE(node_swap_status, "NodeSwapStatus", INT64_P(1, "capacity"));
TYPE(node_system_info, "NodeSystemInfo", STR(1, "machineID"), STR(2, "systemUUID"),
     STR(3, "bootID"), STR(4, "kernelVersion"), STR(5, "osImage"),
     STR(6, "containerRuntimeVersion"), STR(7, "kubeletVersion"), STR(8, "kubeProxyVersion"),
     STR(9, "operatingSystem"), STR(10, "architecture"), OBJ_P(11, "swap", node_swap_status));
TYPE(container_image, "ContainerImage", STRS(1, "names"), INT64(2, "sizeBytes"));
TYPE(attached_volume, "AttachedVolume", STR(1, "name"), STR(2, "devicePath"));
TYPE(node_config_status, "NodeConfigStatus", OBJ_P(1, "assigned", node_config_source),
     OBJ_P(2, "active", node_config_source), OBJ_P(3, "lastKnownGood", node_config_source),
     STR(4, "error"));
TYPE(node_runtime_handler_features, "NodeRuntimeHandlerFeatures",
     BOOL_P(1, "recursiveReadOnlyMounts"), BOOL_P(2, "userNamespaces"));
TYPE(node_runtime_handler, "NodeRuntimeHandler", STR(1, "name"),
     OBJ_P(2, "features", node_runtime_handler_features));
TYPE(node_features, "NodeFeatures", BOOL_P(1, "supplementalGroupsPolicy"));
TYPE(node_status, "NodeStatus", QUANTITY_MAP(1, "capacity"), QUANTITY_MAP(2, "allocatable"),
     STR(3, "phase"), OBJS(4, "conditions", node_condition, .key = "type"),
     OBJS(5, "addresses", node_address, .key = "type"),
     OBJ(6, "daemonEndpoints", node_daemon_endpoints), OBJ(7, "nodeInfo", node_system_info),
     OBJS(8, "images", container_image), STRS(9, "volumesInUse"),
     OBJS(10, "volumesAttached", attached_volume), OBJ_P(11, "config", node_config_status),
     OBJS(12, "runtimeHandlers", node_runtime_handler), OBJ_P(13, "features", node_features),
     STRS(14, "declaredFeatures"));
SHARED_TYPE(kt_node, "Node", OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", node_spec),
            OBJ(3, "status", node_status));

static void node_state(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *text = "Unknown";
    yyjson_val *c;
    size_t i, n;

    yyjson_arr_foreach(jget(o, "status", "conditions"), i, n,
                       c) if (streq(jget_str(c, "type"), "Ready")) text =
        streq(jget_str(c, "status"), "True") ? "Ready" : "NotReady";
    if (jget_bool(o, false, "spec", "unschedulable"))
        cell_str(out,
                 streq(text, "Ready") ? "Ready,SchedulingDisabled" : "NotReady,SchedulingDisabled");
    else
        cell_str(out, text);
}

static void node_roles(struct buf *out, const yyjson_val *o, int64_t now)
{
    static const char prefix[] = "node-role.kubernetes.io/";
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    yyjson_val *k, *v;
    size_t i, n;

    yyjson_obj_foreach(jget(o, "metadata", "labels"), i, n, k, v)
    {
        (void)v;
        if (z_starts(yyjson_get_str(k), prefix))
            buf_addf(&b, "%s%s", b.n ? "," : "", yyjson_get_str(k) + sizeof(prefix) - 1);
    }
    cell_or(out, buf_z(&b), "<none>");
}

static void node_version(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "nodeInfo", "kubeletVersion"), "<unknown>");
}

static void node_first_address(struct buf *out, const yyjson_val *o, const char *type)
{
    yyjson_val *a;
    size_t i, n;

    yyjson_arr_foreach(jget(o, "status", "addresses"), i, n, a)
    {
        if (!streq(jget_str(a, "type"), type))
            continue;
        cell_or(out, jget_str(a, "address"), "<none>");
        return;
    }
    cell_str(out, "<none>");
}

static void node_internal(struct buf *out, const yyjson_val *o, int64_t now)
{
    node_first_address(out, o, "InternalIP");
}

static void node_external(struct buf *out, const yyjson_val *o, int64_t now)
{
    node_first_address(out, o, "ExternalIP");
}

static void node_os(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "nodeInfo", "osImage"), "<unknown>");
}

static void node_kernel(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "nodeInfo", "kernelVersion"), "<unknown>");
}

static void node_runtime(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "nodeInfo", "containerRuntimeVersion"), "<unknown>");
}

static const struct api_column columns_node[] = {
    {"Status", "string", "", "Whether pods can run there.", 0, node_state, NULL},
    {"Roles", "string", "", "Roles of the node.", 0, node_roles, NULL},
    COLUMN_AGE,
    {"Version", "string", "", "Version of the node agent.", 0, node_version, NULL},
    {"Internal-IP", "string", "", "Address inside.", 1, node_internal, NULL},
    {"External-IP", "string", "", "Address outside.", 1, node_external, NULL},
    {"OS-Image", "string", "", "Operating system.", 1, node_os, NULL},
    {"Kernel-Version", "string", "", "Kernel.", 1, node_kernel, NULL},
    {"Container-Runtime", "string", "", "OCI runtime.", 1, node_runtime, NULL},
    COLUMN_END,
};

const struct builtin builtin_node = {.type = &kt_node,
                                     .columns = columns_node,
                                     .fields = (const char *const[]){"spec.unschedulable", NULL}};
