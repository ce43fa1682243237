/* Services: derived fields, checks and columns. Their addresses come from write/cluster_ips.c. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(service_port, "ServicePort", STR(1, "name"),
     STR(2, "protocol", .words = WORDS("SCTP", "TCP", "UDP"), .def = "TCP"),
     STR_P(6, "appProtocol"), INT32(3, "port", .required = true), INT_OR_STR(4, "targetPort"),
     INT32(5, "nodePort"));
TYPE(client_ip_config, "ClientIPConfig", INT32_P(1, "timeoutSeconds"));
TYPE(session_affinity_config, "SessionAffinityConfig", OBJ_P(1, "clientIP", client_ip_config));
TYPE(service_spec, "ServiceSpec", OBJS(1, "ports", service_port, .key = "port"),
     STR_MAP(2, "selector"), STR(3, "clusterIP"), STRS(18, "clusterIPs"),
     STR(4, "type", .words = WORDS("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
         .def = "ClusterIP"),
     STRS(5, "externalIPs"),
     STR(7, "sessionAffinity", .words = WORDS("ClientIP", "None"), .def = "None"),
     STR(8, "loadBalancerIP"), STRS(9, "loadBalancerSourceRanges"), STR(10, "externalName"),
     STR(11, "externalTrafficPolicy", .words = WORDS("Cluster", "Local")),
     INT32(12, "healthCheckNodePort"), BOOL(13, "publishNotReadyAddresses"),
     OBJ_P(14, "sessionAffinityConfig", session_affinity_config),
     STRS(19, "ipFamilies", .words = WORDS("IPv4", "IPv6")),
     STR_P(17, "ipFamilyPolicy",
           .words = WORDS("PreferDualStack", "RequireDualStack", "SingleStack")),
     BOOL_P(20, "allocateLoadBalancerNodePorts"), STR_P(21, "loadBalancerClass"),
     STR_P(22, "internalTrafficPolicy", .words = WORDS("Cluster", "Local")),
     STR_P(23, "trafficDistribution"));
TYPE(port_status, "PortStatus", INT32(1, "port"), STR(2, "protocol"), STR_P(3, "error"));
TYPE(load_balancer_ingress, "LoadBalancerIngress", STR(1, "ip"), STR(2, "hostname"),
     STR_P(3, "ipMode"), OBJS(4, "ports", port_status));
TYPE(load_balancer_status, "LoadBalancerStatus", OBJS(1, "ingress", load_balancer_ingress));
TYPE(service_status, "ServiceStatus", OBJ(1, "loadBalancer", load_balancer_status),
     OBJS(2, "conditions", kt_condition, .key = "type"));
SHARED_TYPE(kt_service, "Service", OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", service_spec),
            OBJ(3, "status", service_status));

/* ---- defaults ---- */
static void port_defaults(yyjson_mut_doc *d, yyjson_mut_val *p)
{
    yyjson_mut_val *target = jm_get(p, "targetPort");

    if (!yyjson_mut_is_obj(p))
        return;
    if (!target || (yyjson_mut_is_int(target) && !yyjson_mut_get_sint(target)) ||
        (yyjson_mut_is_str(target) && !yyjson_mut_get_len(target)))
        jm_set_int(d, p, jm_get_int(p, 0, "port"), "targetPort");
}

static void cluster_defaults(struct kmut *o, yyjson_mut_val *spec, const yyjson_val *old)
{
    const char *ip = jm_get_str(spec, "clusterIP"), *was = jget_str(old, "spec", "clusterIP");

    tree_default_str(o->d, spec, "internalTrafficPolicy", "Cluster");
    tree_default_str(o->d, spec, "ipFamilyPolicy", "SingleStack");
    if (!jm_get(spec, "ipFamilies"))
        jm_add_str(o->d, jm_arr(o->d, spec, "ipFamilies"), "IPv4");
    if ((!ip || !*ip) && was && !streq(jget_str(old, "spec", "type"), "ExternalName"))
        jm_set_str(o->d, spec, was, "clusterIP"); /* an allocated address is kept */
    ip = jm_get_str(spec, "clusterIP");
    if (ip && *ip && !jm_get(spec, "clusterIPs"))
        jm_add_str(o->d, jm_arr(o->d, spec, "clusterIPs"), ip);
    if (!streq(jm_get_str(spec, "type"), "ClusterIP"))
        tree_default_str(o->d, spec, "externalTrafficPolicy", "Cluster");
}

static void service_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec"), *ports = jm_get(spec, "ports");

    if (!yyjson_mut_is_obj(spec))
        return;
    TREE_EACH(p, ports)
    port_defaults(o->d, p);
    if (!streq(jm_get_str(spec, "type"), "ExternalName")) {
        cluster_defaults(o, spec, old);
    } else {
        static const char *const not_for_names[] = {"clusterIP", "clusterIPs", "ipFamilies",
                                                    "ipFamilyPolicy", "internalTrafficPolicy"};

        /* what was derived for the type before does not follow */
        for (size_t i = 0; old && i < ARRAY_LEN(not_for_names); i++)
            yyjson_mut_obj_remove_key(spec, not_for_names[i]);
    }
    if (!jm_get(o->root, "status"))
        jm_obj(KM(o), "status", "loadBalancer");
}

/* ---- validation ---- */
static void check_port(const yyjson_mut_val *p, bool need_name, struct field_path *path,
                       struct map *names, struct field_errors *errs)
{
    const char *name = jm_get_str(p, "name");
    yyjson_mut_val *target = jm_get(p, "targetPort");
    size_t at = path_key(path, "name");

    if ((!name || !*name) && need_name)
        field_required(errs, path_z(path), NULL);
    else if (name && *name && map_has(names, name))
        field_duplicate(errs, path_z(path), name);
    else if (name && *name)
        map_set(names, name, names);
    path_pop(path, at);
    port_number_validate(p, path, "port", errs);
    if (yyjson_mut_is_int(target))
        port_number_validate(p, path, "targetPort", errs);
}

static void check_ports(const yyjson_mut_val *spec, bool headless, struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *ports = jm_get(spec, "ports");
    struct map *names = map_new(NULL);
    size_t i = 0, n = yyjson_mut_arr_size(ports);

    path_key(&path, "spec.ports");
    if (!n && !headless)
        field_required(errs, "spec.ports", NULL);
    TREE_EACH(p, ports)
    {
        size_t mark = path_index(&path, i++);

        check_port(p, n > 1, &path, names, errs);
        path_pop(&path, mark);
    }
    map_free(names);
}

static void check_immutable(const yyjson_mut_val *spec, const yyjson_val *old,
                            struct field_errors *errs)
{
    const char *ip = jm_get_str(spec, "clusterIP"), *was = jget_str(old, "spec", "clusterIP");

    if (!was || !*was || streq(jget_str(old, "spec", "type"), "ExternalName") || streq(ip, was))
        return;
    _cleanup_free_ char *value = xasprintf("[]string{\"%s\"}", ip ? ip : "");

    field_error_add(errs, FE_INVALID, "spec.clusterIPs[0]", value, "may not change once set");
}

static void service_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");
    const char *type = jm_get_str(spec, "type"), *name = jm_get_str(spec, "externalName");
    bool external = streq(type, "ExternalName");

    if (!yyjson_mut_is_obj(spec)) {
        field_required(errs, "spec", NULL);
        return;
    }
    if (external && (!name || !*name))
        field_required(errs, "spec.externalName", NULL);
    if (external && jm_get_str(spec, "clusterIP") && *jm_get_str(spec, "clusterIP"))
        field_error_add(errs, FE_FORBIDDEN, "spec.clusterIPs", NULL,
                        "may not be set when `type` is 'ExternalName'");
    check_ports(spec, external || streq(jm_get_str(spec, "clusterIP"), "None"), errs);
    if (!external)
        check_immutable(spec, old, errs);
}

static const char *const service_fields[] = {"spec.clusterIP", "spec.type", NULL};

/* ---- columns ---- */
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
    cell_map(out, jget(o, "spec", "selector"));
}

static const struct api_column columns_service[] = {
    {"Type", "string", "", "How the service is reached.", 0, service_type, NULL},
    {"Cluster-IP", "string", "", "Address inside the cluster.", 0, service_cluster_ip, NULL},
    {"External-IP", "string", "", "Address from outside.", 0, service_external, NULL},
    {"Port(s)", "string", "", "Ports and their protocols.", 0, service_ports, NULL},
    COLUMN_AGE,
    {"Selector", "string", "", "Labels of its pods.", 1, service_selector, NULL},
    COLUMN_END,
};

const struct builtin builtin_service = {
    .type = &kt_service,
    .defaults = service_defaults,
    .validate = service_validate,
    .columns = columns_service,
    .name_rule = "dns1035",
    .fields = service_fields,
};
