/* The columns of built-in kinds, as kubectl users know them. */
#include <stdio.h>

#include "base/clock.h"
#include "cluster/apiserver/table.h"
#include "kube/selector.h"

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

static void text_or(struct buf *out, const char *s, const char *none)
{
    cell_str(out, s && *s ? s : none);
}

/* "k=v,k2=v2", "<none>" when empty. */
static void map_cell(struct buf *out, const yyjson_val *map)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    yyjson_val *k, *v;
    size_t i, n;

    yyjson_obj_foreach((yyjson_val *)(uintptr_t)map, i, n, k, v)
        buf_addf(&b, "%s%s=%s", i ? "," : "", yyjson_get_str(k), yyjson_get_str(v));
    text_or(out, buf_z(&b), "<none>");
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
    text_or(out, text, "Unknown");
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
    text_or(out, jget_str(o, "status", "podIP"), "<none>");
}

static void pod_node(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "spec", "nodeName"), "<none>");
}

static void pod_nominated(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "status", "nominatedNodeName"), "<none>");
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
    text_or(out, jget_str(o, "spec", "type"), "ClusterIP");
}

static void service_cluster_ip(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "spec", "clusterIP"), "<none>");
}

static void service_external(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *type = jget_str(o, "spec", "type");
    yyjson_val *first = yyjson_arr_get_first(jget(o, "status", "loadBalancer", "ingress"));
    const char *ip = jget_str(first, "ip");

    if (streq(type, "ExternalName"))
        text_or(out, jget_str(o, "spec", "externalName"), "<none>");
    else if (streq(type, "LoadBalancer"))
        text_or(out, ip ? ip : jget_str(first, "hostname"), "<pending>");
    else
        text_or(out, yyjson_get_str(yyjson_arr_get_first(jget(o, "spec", "externalIPs"))),
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
    text_or(out, buf_z(&b), "<none>");
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
    text_or(out, jget_str(o, "type"), "Opaque");
}

static void account_secrets(struct buf *out, const yyjson_val *o, int64_t now)
{
    count(out, jget(o, "secrets"));
}

static void namespace_phase(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "status", "phase"), "Active");
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

/* ---- nodes ---- */
static void node_status(struct buf *out, const yyjson_val *o, int64_t now)
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
    text_or(out, buf_z(&b), "<none>");
}

static void node_version(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "status", "nodeInfo", "kubeletVersion"), "<unknown>");
}

static void node_address(struct buf *out, const yyjson_val *o, const char *type)
{
    yyjson_val *a;
    size_t i, n;

    yyjson_arr_foreach(jget(o, "status", "addresses"), i, n, a)
    {
        if (!streq(jget_str(a, "type"), type))
            continue;
        text_or(out, jget_str(a, "address"), "<none>");
        return;
    }
    cell_str(out, "<none>");
}

static void node_internal(struct buf *out, const yyjson_val *o, int64_t now)
{
    node_address(out, o, "InternalIP");
}

static void node_external(struct buf *out, const yyjson_val *o, int64_t now)
{
    node_address(out, o, "ExternalIP");
}

static void node_os(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "status", "nodeInfo", "osImage"), "<unknown>");
}

static void node_kernel(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "status", "nodeInfo", "kernelVersion"), "<unknown>");
}

static void node_runtime(struct buf *out, const yyjson_val *o, int64_t now)
{
    text_or(out, jget_str(o, "status", "nodeInfo", "containerRuntimeVersion"), "<unknown>");
}

const struct api_column columns_node[] = {
    {"Status", "string", "", "Whether pods can run there.", 0, node_status, NULL},
    {"Roles", "string", "", "Roles of the node.", 0, node_roles, NULL},
    AGE,
    {"Version", "string", "", "Version of the node agent.", 0, node_version, NULL},
    {"Internal-IP", "string", "", "Address inside.", 1, node_internal, NULL},
    {"External-IP", "string", "", "Address outside.", 1, node_external, NULL},
    {"OS-Image", "string", "", "Operating system.", 1, node_os, NULL},
    {"Kernel-Version", "string", "", "Kernel.", 1, node_kernel, NULL},
    {"Container-Runtime", "string", "", "OCI runtime.", 1, node_runtime, NULL},
    END,
};

/* ---- events ---- */
static void event_seen(struct buf *out, const yyjson_val *o, int64_t now)
{
    static const char *const keys[] = {"lastTimestamp", "eventTime", "firstTimestamp"};
    const char *stamp = NULL;
    char age[32];

    for (size_t i = 0; i < ARRAY_LEN(keys) && !stamp; i++)
        stamp = jget_str(o, keys[i]);
    human_age(stamp ? stamp : jget_str(o, "metadata", "creationTimestamp"), now, age);
    cell_str(out, age);
}

static void event_type(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "type"));
}

static void event_reason(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "reason"));
}

static void event_object(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *kind = jget_str(o, "involvedObject", "kind");
    const char *name = jget_str(o, "involvedObject", "name");
    _cleanup_free_ char *lower = xstrdup(kind);

    for (char *c = lower; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    _cleanup_free_ char *text = xasprintf("%s/%s", lower, name ? name : "");

    cell_str(out, text);
}

static void event_source(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "source", "component"));
}

static void event_message(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *m = jget_str(o, "message");
    _cleanup_free_ char *text = xstrdup(m);
    size_t n = strlen(text);

    while (n && text[n - 1] == '\n')
        text[--n] = '\0';
    cell_str(out, text);
}

static void event_count(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%lld", (long long)jget_int(o, 1, "count"));
}

const struct api_column columns_event[] = {
    {"Last Seen", "string", "", "Time since it was last seen.", 0, event_seen, NULL},
    {"Type", "string", "", "Normal or Warning.", 0, event_type, NULL},
    {"Reason", "string", "", "Why, in one word.", 0, event_reason, NULL},
    {"Object", "string", "", "What it is about.", 0, event_object, NULL},
    {"Source", "string", "", "Who reported it.", 1, event_source, NULL},
    {"Message", "string", "", "What happened.", 0, event_message, NULL},
    {"Count", "integer", "", "How often it happened.", 1, event_count, NULL},
    END,
};

/* ---- endpoints ---- */
static void endpoints_cell(struct buf *out, const yyjson_val *o, int64_t now)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    yyjson_val *s, *a, *p;
    size_t i, n, j, m, k, l, shown = 0, total = 0;

    yyjson_arr_foreach(jget(o, "subsets"), i, n, s)
    {
        yyjson_arr_foreach(jget(s, "addresses"), j, m, a)
        {
            yyjson_arr_foreach(jget(s, "ports"), k, l, p)
            {
                if (total++ >= 3)
                    continue;
                buf_addf(&b, "%s%s:%lld", shown++ ? "," : "", jget_str(a, "ip"),
                         (long long)jget_int(p, 0, "port"));
            }
        }
    }
    if (total > 3)
        buf_addf(&b, " + %zu more...", total - 3);
    text_or(out, buf_z(&b), "<none>");
}

static void slice_type(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "addressType"));
}

static void slice_ports(struct buf *out, const yyjson_val *o, int64_t now)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    yyjson_val *p;
    size_t i, n;

    yyjson_arr_foreach(jget(o, "ports"), i, n, p)
        buf_addf(&b, "%s%lld", i ? "," : "", (long long)jget_int(p, 0, "port"));
    text_or(out, buf_z(&b), "<unset>");
}

static void slice_endpoints(struct buf *out, const yyjson_val *o, int64_t now)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    yyjson_val *ep, *a;
    size_t i, n, j, m;

    yyjson_arr_foreach(jget(o, "endpoints"), i, n, ep)
    {
        yyjson_arr_foreach(jget(ep, "addresses"), j, m, a)
            buf_addf(&b, "%s%s", b.n ? "," : "", yyjson_get_str(a));
    }
    text_or(out, buf_z(&b), "<unset>");
}

const struct api_column columns_endpoints[] = {
    {"Endpoints", "string", "", "Addresses and ports.", 0, endpoints_cell, NULL}, AGE, END};
const struct api_column columns_endpointslice[] = {
    {"AddressType", "string", "", "Family of the addresses.", 0, slice_type, NULL},
    {"Ports", "string", "", "Ports of the endpoints.", 0, slice_ports, NULL},
    {"Endpoints", "string", "", "Addresses.", 0, slice_endpoints, NULL},
    AGE,
    END};

static void lease_holder(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "spec", "holderIdentity"));
}

static void crd_created(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "metadata", "creationTimestamp"));
}

const struct api_column columns_lease[] = {
    {"Holder", "string", "", "Who holds the lease.", 0, lease_holder, NULL}, AGE, END};
const struct api_column columns_crd[] = {
    {"Created At", "date", "", "When it was created.", 0, crd_created, NULL}, END};
