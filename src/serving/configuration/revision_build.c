/* The template's metadata and spec, then what the Configuration itself knows over them. */
#include "serving/configuration/revision_build.h"

#include <stdio.h>

#include "base/clock.h"
#include "contract/names.h"
#include "contract/revision.h"
#include "kube/names.h"
#include "serving/configuration/byo.h"

static void set_labels(struct kmut *m, const struct kobj *configuration)
{
    const char *uid = kobj_uid(configuration);
    char generation[24];

    snprintf(generation, sizeof(generation), "%lld", (long long)kobj_generation(configuration));
    kmut_label(m, L_CONFIGURATION, kobj_name(configuration));
    kmut_label(m, L_CONFIGURATION_GEN, generation);
    kmut_label(m, L_CONFIGURATION_UID, uid && uid[0] ? uid : NULL);
    kmut_label(m, L_SERVICE, kobj_label(configuration, L_SERVICE));
    kmut_label(m, L_SERVICE_UID, kobj_label(configuration, L_SERVICE_UID));
}

static void set_annotations(struct kmut *m, const struct kobj *configuration, int64_t now_ns)
{
    const char *routes = kobj_annotation(configuration, A_ROUTES);
    const char *modifier = kobj_annotation(configuration, A_LAST_MODIFIER);
    bool routed = routes && routes[0];
    char now[RFC3339_LEN];

    clock_rfc3339(now_ns, now);
    if (modifier)
        kmut_annotation(m, A_CREATOR, modifier);
    if (routed)
        kmut_annotation(m, A_ROUTES, routes);
    kmut_label(m, L_ROUTING_STATE, routing_state_name(routed ? ROUTING_ACTIVE : ROUTING_PENDING));
    kmut_annotation(m, A_ROUTING_STATE_MODIFIED, now);
}

struct kmut *configuration_revision(const struct kobj *configuration, int64_t now_ns)
{
    yyjson_val *template = jget(kobj_root(configuration), "spec", "template");
    const char *name = byo_name(configuration);
    struct kmut *m = kmut_new(&KR_REVISION, NULL, NULL);
    char suffix[24], generated[NAME_MAX_LABEL + 1];

    snprintf(suffix, sizeof(suffix), "-%05lld", (long long)kobj_generation(configuration));
    child_name(kobj_name(configuration), suffix, generated);
    if (jget(template, "metadata"))
        jm_set_copy(KM(m), jget(template, "metadata"), "metadata");
    jm_del(m->root, "metadata", "creationTimestamp"); /* clients write it as null */
    jm_set_str(KM(m), name ? name : generated, "metadata", "name");
    jm_set_str(KM(m), kobj_namespace(configuration), "metadata", "namespace");
    set_labels(m, configuration);
    set_annotations(m, configuration, now_ns);
    kmut_set_controller(m, configuration);
    jm_set_copy(KM(m), jget(template, "spec"), "spec");
    return m;
}
