/* The table of built-in kinds. All are stored and served in their one version. */
#include "cluster/apiserver/kinds/builtin.h"

#define SHORT(...)                                                                                 \
    .short_names = (const char *const[])                                                           \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define IN_ALL                                                                                     \
    .categories = (const char *const[])                                                            \
    {                                                                                              \
        "all", NULL                                                                                \
    }
#define SERVED              .storage = true, .served = true, .preferred = true
#define RES(g, v, p, k, ns) .res = {g, v, p, k, ns}

const struct api_kind api_builtin_kinds[] = {
    {RES("", "v1", "namespaces", "Namespace", false), .singular = "namespace",
     .list_kind = "NamespaceList", SHORT("ns"), .has_status = true, SERVED,
     .builtin = &builtin_namespace},
    {RES("", "v1", "pods", "Pod", true), .singular = "pod", .list_kind = "PodList", SHORT("po"),
     IN_ALL, .has_status = true, SERVED, .builtin = &builtin_pod},
    {RES("", "v1", "services", "Service", true), .singular = "service", .list_kind = "ServiceList",
     SHORT("svc"), IN_ALL, .has_status = true, SERVED, .builtin = &builtin_service},
    {RES("", "v1", "endpoints", "Endpoints", true), .singular = "endpoints",
     .list_kind = "EndpointsList", SHORT("ep"), SERVED, .builtin = &builtin_endpoints},
    {RES("", "v1", "configmaps", "ConfigMap", true), .singular = "configmap",
     .list_kind = "ConfigMapList", SHORT("cm"), SERVED, .builtin = &builtin_configmap},
    {RES("", "v1", "secrets", "Secret", true), .singular = "secret", .list_kind = "SecretList",
     SERVED, .builtin = &builtin_secret},
    {RES("", "v1", "serviceaccounts", "ServiceAccount", true), .singular = "serviceaccount",
     .list_kind = "ServiceAccountList", SHORT("sa"), SERVED, .builtin = &builtin_serviceaccount},
    {RES("", "v1", "events", "Event", true), .singular = "event", .list_kind = "EventList",
     SHORT("ev"), SERVED, .builtin = &builtin_event},
    {RES("", "v1", "nodes", "Node", false), .singular = "node", .list_kind = "NodeList",
     SHORT("no"), .has_status = true, SERVED, .builtin = &builtin_node},
    {RES("apps", "v1", "deployments", "Deployment", true), .singular = "deployment",
     .list_kind = "DeploymentList", SHORT("deploy"), IN_ALL, .has_status = true, .has_scale = true,
     .has_generation = true, SERVED, .builtin = &builtin_deployment},
    {RES("apps", "v1", "replicasets", "ReplicaSet", true), .singular = "replicaset",
     .list_kind = "ReplicaSetList", SHORT("rs"), IN_ALL, .has_status = true, .has_scale = true,
     .has_generation = true, SERVED, .builtin = &builtin_replicaset},
    {RES("coordination.k8s.io", "v1", "leases", "Lease", true), .singular = "lease",
     .list_kind = "LeaseList", SERVED, .builtin = &builtin_lease},
    {RES("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true),
     .singular = "endpointslice", .list_kind = "EndpointSliceList", .has_generation = true, SERVED,
     .builtin = &builtin_endpointslice},
    {.res = {.plural = NULL}},
};
