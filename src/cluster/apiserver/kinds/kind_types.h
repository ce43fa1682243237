/* The tables of kinds, and the one of a kind by its name. */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_KIND_TYPES_H
#define NONAGON_CLUSTER_APISERVER_KINDS_KIND_TYPES_H

#include "cluster/apiserver/types/shared_types.h"

extern const struct ktype kt_namespace, kt_pod, kt_service, kt_endpoints, kt_config_map, kt_secret,
    kt_service_account, kt_event, kt_node, kt_deployment, kt_replica_set, kt_lease,
    kt_endpoint_slice, kt_custom_resource_definition, kt_self_subject_access_review,
    kt_self_subject_rules_review, kt_self_subject_review, kt_scale;

/* NULL when there is no table for it. Options of a deletion come in any API version. */
const struct ktype *kind_type(const char *api_version, const char *kind);

#endif
