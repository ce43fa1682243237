/* Children are built whole; an existing PodAutoscaler takes over the parts that follow the
 * Revision. */
#include "serving/revision/contracts.h"

#include "contract/annotations.h"
#include "contract/names.h"
#include "contract/revision.h"
#include "serving/revision/deployment.h"
#include "serving/revision/meta.h"

#define AUTOSCALING_PREFIX "autoscaling.knative.dev"

/* ---- PodAutoscaler ---- */
static const char *const reach_names[] = {
    [REACH_UNKNOWN] = NULL, [REACH_REACHABLE] = "Reachable", [REACH_UNREACHABLE] = "Unreachable"};

struct kmut *podautoscaler_build(const struct kobj *revision, enum reachability reach,
                                 const struct contract_config *cfg)
{
    yyjson_val *spec = jget(kobj_root(revision), "spec");
    struct kmut *m = kmut_new(&KR_PODAUTOSCALER, kobj_namespace(revision), kobj_name(revision));
    char target[NAME_MAX_LABEL + 1];

    deployment_name(kobj_name(revision), target);
    revision_child_labels(m, revision);
    revision_scaler_annotations(m, revision);
    if (!kobj_annotation(revision, A_AUTOSCALER_CLASS))
        kmut_annotation(m, A_AUTOSCALER_CLASS, cfg->autoscaler.autoscaler_class);
    kmut_set_controller(m, revision);
    if (revision_concurrency(spec) != 0)
        jm_set_int(KM(m), revision_concurrency(spec), "spec", "containerConcurrency");
    jm_set_str(KM(m), "apps/v1", "spec", "scaleTargetRef", "apiVersion");
    jm_set_str(KM(m), "Deployment", "spec", "scaleTargetRef", "kind");
    jm_set_str(KM(m), target, "spec", "scaleTargetRef", "name");
    jm_set_str(KM(m), revision_protocol(spec), "spec", "protocolType");
    jm_set_str(KM(m), reach_names[reach], "spec", "reachability");
    return m;
}

/* Class and metric may have been filled in by others; a class that the Revision names wins all the
 * same. */
static bool kept_alone(const char *key)
{
    return streq(key, A_AUTOSCALER_CLASS) || streq(key, AK_METRIC.names[0]);
}

static bool sync_annotations(struct kmut *m, yyjson_val *live, const struct kobj *target)
{
    yyjson_val *key, *value;
    bool changed = false;
    size_t i, n;

    yyjson_obj_foreach(live, i, n, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (z_starts(name, AUTOSCALING_PREFIX) && !kept_alone(name) &&
            !kobj_annotation(target, name)) {
            kmut_annotation(m, name, NULL);
            changed = true;
        }
    }
    yyjson_obj_foreach(jget(kobj_root(target), "metadata", "annotations"), i, n, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (!z_starts(name, AUTOSCALING_PREFIX) ||
            streq(jget_str(live, name), yyjson_get_str(value)))
            continue;
        kmut_annotation(m, name, yyjson_get_str(value));
        changed = true;
    }
    return changed;
}

struct kmut *podautoscaler_update(const struct kobj *live, struct kmut *want)
{
    _cleanup_kobj_ const struct kobj *target = kmut_freeze(want);
    struct kmut *m = kmut_from(live);
    bool changed = sync_annotations(m, jget(kobj_root(live), "metadata", "annotations"), target);

    kmut_free(want);
    if (!json_equal(jget(kobj_root(live), "spec"), jget(kobj_root(target), "spec"))) {
        jm_set_copy(KM(m), jget(kobj_root(target), "spec"), "spec");
        changed = true;
    }
    if (changed)
        return m;
    kmut_free(m);
    return NULL;
}

/* ---- Image ---- */
void image_name(const char *revision, const char *container, char ret[static NAME_MAX_LABEL + 1])
{
    char cache[NAME_MAX_LABEL + 1];
    _cleanup_free_ char *suffix = xasprintf("-%s", container);

    child_name(revision, "-cache", cache);
    child_name(cache, suffix, ret);
}

struct kmut *image_build(const struct kobj *revision, const yyjson_val *status,
                         const struct contract_config *cfg)
{
    yyjson_val *spec = jget(kobj_root(revision), "spec");
    const char *digest = jget_str(status, "imageDigest"), *container = jget_str(status, "name");
    char name[NAME_MAX_LABEL + 1];

    image_name(kobj_name(revision), container ? container : "", name);
    struct kmut *m = kmut_new(&KR_IMAGE, kobj_namespace(revision), name);
    revision_child_labels(m, revision);
    revision_child_annotations(m, revision);
    if (!kobj_annotation(revision, A_IMAGE_CLASS))
        kmut_annotation(m, A_IMAGE_CLASS, cfg->image_class);
    kmut_set_controller(m, revision);
    jm_set_str(KM(m), digest ? digest : "", "spec", "image");
    jm_set_str(KM(m), jget_str(spec, "serviceAccountName"), "spec", "serviceAccountName");
    if (jget(spec, "imagePullSecrets"))
        jm_set_copy(KM(m), jget(spec, "imagePullSecrets"), "spec", "imagePullSecrets");
    return m;
}
