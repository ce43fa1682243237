/* The built-in kinds: what Kubernetes defaults, derives and checks for each. Pure. */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_BUILTIN_H
#define NONAGON_CLUSTER_APISERVER_KINDS_BUILTIN_H

#include "cluster/apiserver/kinds/kinds.h"

extern const struct builtin builtin_pod, builtin_service, builtin_deployment, builtin_replicaset,
    builtin_configmap, builtin_secret, builtin_namespace, builtin_node, builtin_event,
    builtin_endpoints, builtin_endpointslice, builtin_serviceaccount, builtin_lease;

/* ---- shared by pods and pod templates ---- */
void pod_spec_defaults(yyjson_mut_doc *d, yyjson_mut_val *spec);
void pod_spec_validate(const yyjson_mut_val *spec, struct field_path *path,
                       struct field_errors *errs);
/* Fields that the node would drop silently (kube/podspec.h), unless the spec is as it was. */
void pod_spec_refuse(const yyjson_mut_val *spec, const yyjson_val *old, struct field_path *path,
                     struct field_errors *errs);
/* 1 … 65535, or nothing */
void port_number_validate(const yyjson_mut_val *v, struct field_path *path, const char *key,
                          struct field_errors *errs);

#endif
