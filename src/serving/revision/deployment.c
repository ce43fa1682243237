/*
 * The hash is over the whole wanted object before replicas are set, since those are the
 * autoscaler's. Builders emit members in a fixed order, so equal input gives an equal hash in every
 * process.
 */
#include "serving/revision/deployment.h"

#include "contract/annotations.h"
#include "contract/conditions.h"
#include "contract/names.h"
#include "contract/revision.h"
#include "serving/revision/meta.h"
#include "serving/revision/pod.h"

#define A_DEFAULT_CONTAINER "kubectl.kubernetes.io/default-container"

void deployment_name(const char *revision, char ret[static NAME_MAX_LABEL + 1])
{
    child_name(revision, "-deployment", ret);
}

/* ---- building ---- */
static void hash_label(struct kmut *m)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    size_t n;
    _cleanup_free_ char *text = kmut_text(m, &n);
    char out[16];
    size_t at = sizeof(out) - 1;
    uint32_t h = hash_fnv32(text, n);

    out[at] = '\0';
    do {
        out[--at] = digits[h % 36];
        h /= 36;
    } while (h);
    kmut_label(m, L_DEPLOYMENT_HASH, out + at);
}

static int64_t initial_scale(const struct kobj *revision, const struct contract_config *cfg)
{
    const char *v = annotation_get(jget(kobj_root(revision), "metadata", "annotations"),
                                   &AK_INITIAL_SCALE, NULL);
    int64_t n;

    return v && str_i64(str_of(v), &n) == 0 && n >= 0 ? n : cfg->autoscaler.initial_scale;
}

static void copy_meta(struct kmut *m, const char *field)
{
    yyjson_mut_val *from = jm_get(m->root, "metadata", field);

    if (from)
        jm_set(KM(m), yyjson_mut_val_mut_copy(m->d, from), "spec", "template", "metadata", field);
}

static void set_template(struct kmut *m, const struct kobj *revision, const yyjson_val *statuses,
                         const struct contract_config *cfg)
{
    yyjson_val *serving = revision_serving_container(jget(kobj_root(revision), "spec"), NULL);

    copy_meta(m, "labels");
    copy_meta(m, "annotations");
    jm_set_str(KM(m), jget_str(serving, "name"), "spec", "template", "metadata", "annotations",
               A_DEFAULT_CONTAINER);
    pod_spec(m, jm_obj(KM(m), "spec", "template", "spec"), revision, statuses, cfg);
}

struct kmut *deployment_build(const struct kobj *revision, const yyjson_val *statuses,
                              const struct contract_config *cfg)
{
    char name[NAME_MAX_LABEL + 1];
    int64_t deadline = annotation_seconds(jget(kobj_root(revision), "metadata", "annotations"),
                                          &AK_PROGRESS_DEADLINE);

    deployment_name(kobj_name(revision), name);
    struct kmut *m = kmut_new(&KR_DEPLOYMENT, kobj_namespace(revision), name);
    revision_child_labels(m, revision);
    revision_child_annotations(m, revision);
    jm_set_int(KM(m), deadline > 0 ? deadline : cfg->deployment.progress_deadline_s, "spec",
               "progressDeadlineSeconds");
    jm_set_int(KM(m), 0, "spec", "revisionHistoryLimit");
    jm_set_str(KM(m), kobj_uid(revision), "spec", "selector", "matchLabels", L_REVISION_UID);
    jm_set_int(KM(m), 0, "spec", "strategy", "rollingUpdate", "maxUnavailable");
    jm_set_str(KM(m), "RollingUpdate", "spec", "strategy", "type");
    set_template(m, revision, statuses, cfg);
    hash_label(m);
    jm_set_int(KM(m), initial_scale(revision, cfg), "spec", "replicas");
    kmut_set_controller(m, revision);
    return m;
}

/* ---- updating ---- */
static bool owned_key(const char *key)
{
    return strstr(key, "knative.dev/") || streq(key, L_APP) || streq(key, A_DEFAULT_CONTAINER);
}

/* The wanted map, plus what others put on the live one. */
static void merge_map(struct kmut *m, yyjson_val *want, yyjson_val *live, const char *const *path)
{
    yyjson_mut_val *merged = yyjson_mut_obj(m->d);
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(want, i, n, key, value)
        jm_set_copy(m->d, merged, value, yyjson_get_str(key));
    yyjson_obj_foreach(live, i, n, key, value)
    {
        if (!owned_key(yyjson_get_str(key)) && !yyjson_obj_get(want, yyjson_get_str(key)))
            jm_set_copy(m->d, merged, value, yyjson_get_str(key));
    }
    jm_set_p(m->d, m->root, merged, path);
}

struct kmut *deployment_update(const struct kobj *live, struct kmut *want)
{
    static const char *const fields[] = {"labels", "annotations"};
    _cleanup_kobj_ const struct kobj *target = kmut_freeze(want);
    yyjson_val *w = kobj_root(target), *l = kobj_root(live);

    kmut_free(want);
    if (streq(kobj_label(live, L_DEPLOYMENT_HASH), kobj_label(target, L_DEPLOYMENT_HASH)))
        return NULL;
    struct kmut *m = kmut_from(live);
    jm_set_copy(KM(m), jget(w, "spec"), "spec");
    if (jget(l, "spec", "replicas"))
        jm_set_copy(KM(m), jget(l, "spec", "replicas"), "spec", "replicas");
    jm_set_copy(KM(m), jget(l, "spec", "selector"), "spec", "selector");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        merge_map(m, jget(w, "metadata", fields[i]), jget(l, "metadata", fields[i]),
                  JPATH("metadata", fields[i]));
        merge_map(m, jget(w, "spec", "template", "metadata", fields[i]),
                  jget(l, "spec", "template", "metadata", fields[i]),
                  JPATH("spec", "template", "metadata", fields[i]));
    }
    return m;
}

/* ---- reading its status ---- */
static yyjson_val *condition(const struct kobj *deployment, const char *type)
{
    return kobj_condition(deployment, type);
}

void deployment_mark(struct cond *c, const struct kobj *deployment)
{
    yyjson_val *failure = condition(deployment, "ReplicaFailure"),
               *progress = condition(deployment, "Progressing");
    const char *status = jget_str(progress, "status");
    const char *reason = jget_str(progress, "reason"), *message = jget_str(progress, "message");

    if (streq(status, "False"))
        cs_false(c, COND_RESOURCES_AVAILABLE, reason, "%s", message ? message : "");
    else if (streq(jget_str(failure, "status"), "True"))
        cs_false(c, COND_RESOURCES_AVAILABLE, jget_str(failure, "reason"), "%s",
                 jget_str(failure, "message") ? jget_str(failure, "message") : "");
    else if (streq(status, "True"))
        cs_true(c, COND_RESOURCES_AVAILABLE);
    else if (progress)
        cs_unknown(c, COND_RESOURCES_AVAILABLE, reason, "%s", message ? message : "");
    else
        cs_unknown(c, COND_RESOURCES_AVAILABLE, "Deploying", NULL);
}

bool deployment_timed_out(const struct kobj *deployment)
{
    yyjson_val *progress = condition(deployment, "Progressing");

    return streq(jget_str(progress, "status"), "False") &&
           streq(jget_str(progress, "reason"), "ProgressDeadlineExceeded");
}

int64_t deployment_wants(const struct kobj *deployment)
{
    return jget_int(kobj_root(deployment), 1, "spec", "replicas");
}

int64_t deployment_ready(const struct kobj *deployment)
{
    return jget_int(kobj_root(deployment), 0, "status", "readyReplicas");
}

int64_t deployment_available(const struct kobj *deployment)
{
    return jget_int(kobj_root(deployment), 0, "status", "availableReplicas");
}
