/*
 * The target is found by kind, as any kind with a scale subresource can be one. Kinds other than
 * Deployment are kept for the life of the process in a short list, since plans and caches point at
 * them.
 */
#include "plugin/autoscaler/actuation/actuation.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>

#include "contract/names.h"

#define BY_REVISION "revision"
#define KINDS_MAX   64

static pthread_mutex_t kinds_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kube_resource kinds[KINDS_MAX];
static size_t n_kinds;

/* The plural as Kubernetes guesses it from the kind. */
static char *plural_of(const char *kind)
{
    size_t n = strlen(kind);
    char last = n ? kind[n - 1] : '\0';
    char *s = last == 'y'                         ? xasprintf("%.*sies", (int)n - 1, kind)
              : last == 's' || z_ends(kind, "ch") ? xasprintf("%ses", kind)
                                                  : xasprintf("%ss", kind);

    for (char *c = s; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return s;
}

static const struct kube_resource *kind_of(struct str group, const char *version, const char *kind)
{
    const struct kube_resource *r = NULL;

    pthread_mutex_lock(&kinds_lock);
    for (size_t i = 0; i < n_kinds && !r; i++) {
        if (str_eq(group, str_of(kinds[i].group)) && streq(kinds[i].kind, kind))
            r = &kinds[i];
    }
    if (!r && n_kinds < KINDS_MAX) {
        kinds[n_kinds] = (struct kube_resource){.group = xstrndup(group.p, group.n),
                                                .version = xstrdup(version),
                                                .plural = plural_of(kind),
                                                .kind = xstrdup(kind),
                                                .namespaced = true};
        r = &kinds[n_kinds++];
    }
    pthread_mutex_unlock(&kinds_lock);
    return r;
}

static const struct kube_resource *target_resource(const struct kobj *pa)
{
    const yyjson_val *ref = jget(kobj_root(pa), "spec", "scaleTargetRef");
    const char *api = jget_str(ref, "apiVersion"), *kind = jget_str(ref, "kind");
    const char *slash = api ? strrchr(api, '/') : NULL;
    struct str group = {api, slash ? (size_t)(slash - api) : 0};

    if (!api || !kind)
        return NULL;
    if (str_eq(group, str_of(KR_DEPLOYMENT.group)) && streq(kind, KR_DEPLOYMENT.kind))
        return &KR_DEPLOYMENT;
    return kind_of(group, slash ? slash + 1 : api, kind);
}

static void revision_of(const struct kobj *pod, void (*emit)(void *to, const char *key), void *to)
{
    const char *revision = kobj_label(pod, L_REVISION);
    char key[512];

    if (!revision)
        return;
    snprintf(key, sizeof(key), "%s/%s", kobj_namespace(pod), revision);
    emit(to, key);
}

void actuation_watch(struct manager *m)
{
    cache_add_index(manager_cache(m, &KR_POD), BY_REVISION, revision_of);
    manager_cache(m, &KR_DEPLOYMENT);
    manager_cache(m, &KR_SKS);
}

/* ---- scale ---- */
const struct kobj *actuation_target(struct manager *m, const struct kobj *pa)
{
    const struct kube_resource *r = target_resource(pa);
    const char *name = jget_str(kobj_root(pa), "spec", "scaleTargetRef", "name");

    return r && name ? cache_get(manager_cache(m, r), kobj_namespace(pa), name) : NULL;
}

int actuation_replicas(const struct kobj *target)
{
    return (int)jget_int(kobj_root(target), 1, "spec", "replicas");
}

bool actuation_scale(struct plan *p, const struct kobj *pa, const struct kobj *target, int n)
{
    char body[96];

    if (actuation_replicas(target) == n)
        return false;
    snprintf(body, sizeof(body), "[{\"op\":\"add\",\"path\":\"/spec/replicas\",\"value\":%d}]", n);
    plan_patch(p, target_resource(pa), kobj_namespace(pa), kobj_name(target), "scale",
               KUBE_PATCH_JSON, body);
    return true;
}

/* ---- ServerlessService ---- */
static void copy_metadata(struct kmut *m, const struct kobj *pa)
{
    yyjson_val *meta = jget(kobj_root(pa), "metadata");

    jm_set_copy(KM(m), jget(meta, "labels"), "metadata", "labels");
    jm_set_copy(KM(m), jget(meta, "annotations"), "metadata", "annotations");
    jm_del(m->root, "metadata", "annotations", "autoscaling.knative.dev/metric");
    kmut_set_controller(m, pa);
}

static struct kmut *build_sks(const struct kobj *pa, bool fresh, enum actuation_mode mode,
                              int activators)
{
    struct kmut *m = kmut_new(&KR_SKS, kobj_namespace(pa), kobj_name(pa));
    yyjson_val *spec = jget(kobj_root(pa), "spec");

    if (fresh)
        copy_metadata(m, pa); /* later only the spec is kept in step */
    jm_set_str(KM(m), mode == ACTUATION_SERVE ? "Serve" : "Proxy", "spec", "mode");
    jm_set_copy(KM(m), jget(spec, "scaleTargetRef"), "spec", "objectRef");
    jm_set_str(KM(m), jget_str(spec, "protocolType"), "spec", "protocolType");
    jm_set_int(KM(m), activators, "spec", "numActivators");
    return m;
}

bool actuation_sks(struct plan *p, const struct kobj *pa, const struct kobj *live,
                   enum actuation_mode mode, int activators)
{
    return plan_apply_child(p, &KR_SKS, pa, live, build_sks(pa, live == NULL, mode, activators));
}

/* ---- pods ---- */
static bool is_ready(const struct kobj *pod)
{
    return streq(jget_str(kobj_root(pod), "status", "phase"), "Running") &&
           kobj_condition_is(pod, "Ready", "True");
}

static bool is_over(const struct kobj *pod)
{
    const char *phase = jget_str(kobj_root(pod), "status", "phase");

    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

static int count(void *ctx, const struct kobj *pod)
{
    struct actuation_pods *n = ctx;

    if (kobj_deleting(pod))
        n->terminating++;
    else if (is_ready(pod))
        n->ready++;
    else if (!is_over(pod))
        n->starting++;
    return 0;
}

void actuation_count(struct manager *m, const char *ns, const char *revision,
                     struct actuation_pods *ret)
{
    char key[512];

    *ret = (struct actuation_pods){0};
    snprintf(key, sizeof(key), "%s/%s", ns, revision);
    cache_each_by(manager_cache(m, &KR_POD), BY_REVISION, key, count, ret);
}

void actuation_pod_key(void *ctx, const struct kobj *pod,
                       void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    const char *revision = kobj_label(pod, L_REVISION);

    if (revision)
        emit(to, kobj_namespace(pod), revision);
}
