/* Every kind that a client may send. */
#include "cluster/apiserver/kinds/kind_types.h"

const struct ktype *kind_type(const char *api_version, const char *kind)
{
    static const struct {
        const char *api_version; /* NULL = any */
        const struct ktype *type;
    } all[] = {
        {"v1", &kt_namespace},
        {"v1", &kt_pod},
        {"v1", &kt_service},
        {"v1", &kt_endpoints},
        {"v1", &kt_config_map},
        {"v1", &kt_secret},
        {"v1", &kt_service_account},
        {"v1", &kt_event},
        {"v1", &kt_node},
        {"apps/v1", &kt_deployment},
        {"apps/v1", &kt_replica_set},
        {"coordination.k8s.io/v1", &kt_lease},
        {"discovery.k8s.io/v1", &kt_endpoint_slice},
        {"apiextensions.k8s.io/v1", &kt_custom_resource_definition},
        {"autoscaling/v1", &kt_scale},
        {"authorization.k8s.io/v1", &kt_self_subject_access_review},
        {"authorization.k8s.io/v1", &kt_self_subject_rules_review},
        {"authentication.k8s.io/v1", &kt_self_subject_review},
        {NULL, &kt_delete_options},
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (streq(all[i].type->name, kind) &&
            (!all[i].api_version || streq(all[i].api_version, api_version)))
            return all[i].type;
    return NULL;
}
