/* The columns of built-in kinds, as kubectl users know them. */
#include "cluster/apiserver/kinds/table.h"

#define AGE                                                                                        \
    {                                                                                              \
        "Age", "string", "", "Time since creation.", 0, cell_age, NULL                             \
    }
#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static void count(struct buf *out, const yyjson_val *v)
{
    buf_addf(out, "%zu", yyjson_get_len((void *)(uintptr_t)v));
}

/* "k=v,k2=v2", "<none>" when empty. */
static void map_cell(struct buf *out, const yyjson_val *map)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    yyjson_val *k, *v;
    size_t i, n;

    yyjson_obj_foreach((yyjson_val *)(uintptr_t)map, i, n, k, v)
        buf_addf(&b, "%s%s=%s", i ? "," : "", yyjson_get_str(k), yyjson_get_str(v));
    cell_or(out, buf_z(&b), "<none>");
}

/* ---- pods ---- */
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

const struct api_column columns_pod[] = {
    {"Ready", "string", "", "Containers that are ready, of all.", 0, pod_ready, NULL},
    {"Status", "string", "", "What the pod is doing.", 0, pod_status, NULL},
    {"Restarts", "string", "", "Restarts of its containers.", 0, pod_restarts, NULL},
    AGE,
    {"IP", "string", "", "Address of the pod.", 1, pod_ip, NULL},
    {"Node", "string", "", "Where it runs.", 1, pod_node, NULL},
    {"Nominated Node", "string", "", "Where it may run.", 1, pod_nominated, NULL},
    {"Readiness Gates", "string", "", "Conditions beyond its containers.", 1, pod_gates, NULL},
    END,
};

/* ---- services ---- */
static void service_type(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "spec", "type"), "ClusterIP");
}

static void service_cluster_ip(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "spec", "clusterIP"), "<none>");
}

static void service_external(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *type = jget_str(o, "spec", "type");
    yyjson_val *first = yyjson_arr_get_first(jget(o, "status", "loadBalancer", "ingress"));
    const char *ip = jget_str(first, "ip");

    if (streq(type, "ExternalName"))
        cell_or(out, jget_str(o, "spec", "externalName"), "<none>");
    else if (streq(type, "LoadBalancer"))
        cell_or(out, ip ? ip : jget_str(first, "hostname"), "<pending>");
    else
        cell_or(out, yyjson_get_str(yyjson_arr_get_first(jget(o, "spec", "externalIPs"))),
                "<none>");
}

static void service_ports(struct buf *out, const yyjson_val *o, int64_t now)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    yyjson_val *p;
    size_t i, n;

    yyjson_arr_foreach(jget(o, "spec", "ports"), i, n, p)
    {
        const char *proto = jget_str(p, "protocol");
        long long node = jget_int(p, 0, "nodePort");

        buf_addf(&b, "%s%lld", i ? "," : "", (long long)jget_int(p, 0, "port"));
        if (node)
            buf_addf(&b, ":%lld", node);
        buf_addf(&b, "/%s", proto ? proto : "TCP");
    }
    cell_or(out, buf_z(&b), "<none>");
}

static void service_selector(struct buf *out, const yyjson_val *o, int64_t now)
{
    map_cell(out, jget(o, "spec", "selector"));
}

const struct api_column columns_service[] = {
    {"Type", "string", "", "How the service is reached.", 0, service_type, NULL},
    {"Cluster-IP", "string", "", "Address inside the cluster.", 0, service_cluster_ip, NULL},
    {"External-IP", "string", "", "Address from outside.", 0, service_external, NULL},
    {"Port(s)", "string", "", "Ports and their protocols.", 0, service_ports, NULL},
    AGE,
    {"Selector", "string", "", "Labels of its pods.", 1, service_selector, NULL},
    END,
};

/* ---- deployments and replica sets ---- */
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

static void workload_containers(struct buf *out, const yyjson_val *o, int64_t now)
{
    containers(out, o, "name");
}

static void workload_images(struct buf *out, const yyjson_val *o, int64_t now)
{
    containers(out, o, "image");
}

static void workload_selector(struct buf *out, const yyjson_val *o, int64_t now)
{
    map_cell(out, jget(o, "spec", "selector", "matchLabels"));
}

#define WORKLOAD_WIDE                                                                              \
    {"Containers", "string", "", "Names of the containers.", 1, workload_containers, NULL},        \
        {"Images", "string", "", "Images of the containers.", 1, workload_images, NULL},           \
    {                                                                                              \
        "Selector", "string", "", "Labels of the pods.", 1, workload_selector, NULL                \
    }

const struct api_column columns_deployment[] = {
    {"Ready", "string", "", "Pods that are ready, of those wanted.", 0, workload_ready, NULL},
    {"Up-to-date", "string", "", "Pods of the newest template.", 0, workload_updated, NULL},
    {"Available", "string", "", "Pods that are available.", 0, workload_available, NULL},
    AGE,
    WORKLOAD_WIDE,
    END,
};

const struct api_column columns_replicaset[] = {
    {"Desired", "integer", "", "Pods wanted.", 0, workload_desired, NULL},
    {"Current", "integer", "", "Pods that exist.", 0, workload_current, NULL},
    {"Ready", "integer", "", "Pods that are ready.", 0, workload_ready_count, NULL},
    AGE,
    WORKLOAD_WIDE,
    END,
};

/* ---- plain data ---- */
static void data_count(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%zu", yyjson_obj_size(jget(o, "data")) + yyjson_obj_size(jget(o, "binaryData")));
}

static void secret_type(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "type"), "Opaque");
}

static void account_secrets(struct buf *out, const yyjson_val *o, int64_t now)
{
    count(out, jget(o, "secrets"));
}

static void namespace_phase(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "phase"), "Active");
}

const struct api_column columns_configmap[] = {
    {"Data", "integer", "", "Number of keys.", 0, data_count, NULL}, AGE, END};
const struct api_column columns_secret[] = {
    {"Type", "string", "", "What the secret is for.", 0, secret_type, NULL},
    {"Data", "integer", "", "Number of keys.", 0, data_count, NULL},
    AGE,
    END};
const struct api_column columns_serviceaccount[] = {
    {"Secrets", "integer", "", "Number of secrets.", 0, account_secrets, NULL}, AGE, END};
const struct api_column columns_namespace[] = {
    {"Status", "string", "", "Phase of the namespace.", 0, namespace_phase, NULL}, AGE, END};
