/* The columns of what runs the cluster: nodes, events, endpoints, leases, definitions. */
#include "cluster/apiserver/kinds/table.h"

#define AGE                                                                                        \
    {                                                                                              \
        "Age", "string", "", "Time since creation.", 0, cell_age, NULL                             \
    }
#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

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
    cell_or(out, buf_z(&b), "<none>");
}

static void node_version(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "status", "nodeInfo", "kubeletVersion"), "<unknown>");
}

static void node_address(struct buf *out, const yyjson_val *o, const char *type)
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
    node_address(out, o, "InternalIP");
}

static void node_external(struct buf *out, const yyjson_val *o, int64_t now)
{
    node_address(out, o, "ExternalIP");
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
static void event_first(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *stamp = jget_str(o, "firstTimestamp");
    char age[32];

    human_age(stamp ? stamp : jget_str(o, "eventTime"), now, age);
    cell_str(out, age);
}

static void event_name(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "metadata", "name"));
}

static void event_subobject(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "involvedObject", "fieldPath"), "");
}

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
    {"Subobject", "string", "", "Which part of it.", 1, event_subobject, NULL},
    {"Source", "string", "", "Who reported it.", 1, event_source, NULL},
    {"Message", "string", "", "What happened.", 0, event_message, NULL},
    {"First Seen", "string", "", "Time since it was first seen.", 1, event_first, NULL},
    {"Count", "integer", "", "How often it happened.", 1, event_count, NULL},
    {"Name", "string", "name", "Name of the event.", 1, event_name, NULL},
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
    cell_or(out, buf_z(&b), "<none>");
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
    cell_or(out, buf_z(&b), "<unset>");
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
    cell_or(out, buf_z(&b), "<unset>");
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
