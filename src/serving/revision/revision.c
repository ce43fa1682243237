/*
 * One run: digests first, since everything else names the image by them; then Deployment,
 * PodAutoscaler and Images in one plan, so that a new Revision starts after a single run.
 * Conditions are marked in the order of what may overrule what: the Deployment, its pods, ready
 * replicas, and last the PodAutoscaler, which never turns a False into a True.
 *
 * Images come last: a cache that cannot take one must not keep the Revision from running.
 */
#include "serving/revision/revision.h"

#include "contract/conditions.h"
#include "contract/revision.h"
#include "serving/child.h"
#include "serving/revision/contracts.h"
#include "serving/revision/deployment.h"
#include "serving/revision/digests.h"
#include "serving/revision/status.h"

#define INDEX "revision"

struct run {
    struct serving *s;
    const struct reconcile_ctx *rc;
    struct plan *p;
    const struct kobj *revision; /* its spec was defaulted at birth and is immutable since */
    struct cond c;
};

/* ---- digests ---- */
static bool has_digests(const struct kobj *revision)
{
    yyjson_val *status = jget(kobj_root(revision), "status");

    return yyjson_arr_size(jget(status, "containerStatuses")) +
               yyjson_arr_size(jget(status, "initContainerStatuses")) ==
           revision_container_count(jget(kobj_root(revision), "spec"));
}

static void say_digest_failure(struct run *r, const struct digest_answer *a)
{
    cs_false(&r->c, COND_CONTAINER_HEALTHY, "ContainerMissing",
             "Unable to fetch image \"%s\": failed to resolve image to digest: %s", a->image,
             a->why.msg);
    plan_fail(r->p, "failed to resolve image \"%s\" to digest: %s", a->image, a->why.msg);
}

static void take_statuses(struct run *r, const struct kmut *statuses)
{
    static const char *const fields[] = {"containerStatuses", "initContainerStatuses"};

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        yyjson_mut_val *list = jm_get(statuses->root, fields[i]);
        if (list)
            jm_set(KM(r->c.obj), yyjson_mut_val_mut_copy(r->c.obj->d, list), "status", fields[i]);
    }
}

static void answer_done(struct digest_answer *a)
{
    kmut_free(a->statuses);
    free(a->image);
}

/* False while they are not known. */
static bool do_digests(struct run *r)
{
    _cleanup_(answer_done) struct digest_answer a = {0};

    if (has_digests(r->rc->obj)) {
        digests_forget(r->s->digests, r->rc->key);
        return true;
    }
    digests_ask(r->s->digests, r->revision, r->rc->mono_ns, &a);
    if (a.retry_ns >= 0)
        plan_requeue_after(r->p, a.retry_ns);
    if (a.state == DIGESTS_READY) {
        take_statuses(r, a.statuses);
        return true;
    }
    cs_unknown(&r->c, COND_RESOURCES_AVAILABLE, "ResolvingDigests", NULL);
    if (a.state == DIGESTS_FAILED)
        say_digest_failure(r, &a);
    return false;
}

/* ---- children ---- */
static bool not_owned(struct run *r, const struct kube_resource *res, const struct kobj *live)
{
    if (!live || kobj_controlled_by(live, r->revision))
        return false;
    cs_false(&r->c, COND_RESOURCES_AVAILABLE, REASON_NOT_OWNED,
             "There is an existing %s \"%s\" that we do not own.", res->kind, kobj_name(live));
    plan_fail(r->p, "revision: \"%s\" does not own %s: \"%s\"", r->rc->name, res->kind,
              kobj_name(live));
    return true;
}

static bool refused(struct run *r, const struct kube_resource *res)
{
    bool create = child_refused(r->rc, PLAN_CREATE, res);

    if (!create && !child_refused(r->rc, PLAN_UPDATE, res))
        return false;
    cs_false(&r->c, COND_RESOURCES_AVAILABLE, create ? "FailedCreate" : "FailedUpdate", "%s",
             r->rc->failure->err.msg);
    plan_fail(r->p, "failed to %s %s \"%s\": %s", create ? "create" : "update", res->kind,
              r->rc->failed->name, r->rc->failure->err.msg);
    return true;
}

static const struct kobj *any_pod(struct run *r)
{
    kobj_vec pods = {0};

    cache_list_by(manager_cache(r->s->m, &KR_POD), INDEX, r->rc->key, &pods);
    const struct kobj *pod = pods.n ? pods.p[0] : NULL;
    vec_done(&pods);
    return pod;
}

static void read_deployment(struct run *r, const struct kobj *live)
{
    deployment_mark(&r->c, live);
    if (deployment_wants(live) > 0 && deployment_available(live) == 0) {
        const struct kobj *pod = any_pod(r);
        if (pod)
            revision_mark_pod(&r->c, pod, deployment_timed_out(live), r->s->config);
    }
    if (deployment_ready(live) > 0)
        cs_true(&r->c, COND_CONTAINER_HEALTHY);
}

/* The statuses as they are in the status being built. */
static yyjson_doc *statuses_of(struct run *r, const char *field)
{
    yyjson_mut_val *list = jm_get(r->c.obj->root, "status", field);

    return list ? yyjson_mut_val_imut_copy(list, NULL) : NULL;
}

/* False: stop, the Deployment is not ours or was refused. `ret_live` is NULL when it is being
 * created. */
static bool do_deployment(struct run *r, const struct kobj **ret_live)
{
    char name[NAME_MAX_LABEL + 1];

    deployment_name(r->rc->name, name);
    const struct kobj *live = *ret_live = serving_get(r->s, &KR_DEPLOYMENT, r->rc->ns, name);
    if (not_owned(r, &KR_DEPLOYMENT, live))
        return false;
    if (!live) {
        cs_unknown(&r->c, COND_RESOURCES_AVAILABLE, "Deploying", NULL);
        cs_unknown(&r->c, COND_CONTAINER_HEALTHY, "Deploying", NULL);
    }
    if (refused(r, &KR_DEPLOYMENT))
        return false;
    _cleanup_jdoc_ yyjson_doc *statuses = statuses_of(r, "containerStatuses");
    struct kmut *want = deployment_build(r->revision, yyjson_doc_get_root(statuses), r->s->config);
    if (!live) {
        plan_create(r->p, &KR_DEPLOYMENT, want);
        return true;
    }
    if ((want = deployment_update(live, want)))
        plan_update(r->p, &KR_DEPLOYMENT, want);
    read_deployment(r, live);
    return true;
}

static enum reachability reach_of(struct run *r, const struct kobj *deployment)
{
    bool failed = streq(cs_status(&r->c, COND_RESOURCES_AVAILABLE), "False") ||
                  streq(cs_status(&r->c, COND_CONTAINER_HEALTHY), "False");

    if (failed && deployment && deployment_wants(deployment) > 0 &&
        deployment_ready(deployment) == 0)
        return REACH_UNREACHABLE;
    switch (revision_routing_state(r->revision)) {
    case ROUTING_ACTIVE:
        return REACH_REACHABLE;
    case ROUTING_RESERVE:
        return REACH_UNREACHABLE;
    case ROUTING_UNSET:
    case ROUTING_PENDING:
        break;
    }
    return REACH_UNKNOWN;
}

static void do_autoscaler(struct run *r, const struct kobj *deployment)
{
    const struct kobj *live = serving_get(r->s, &KR_PODAUTOSCALER, r->rc->ns, r->rc->name);

    if (not_owned(r, &KR_PODAUTOSCALER, live))
        return;
    if (!refused(r, &KR_PODAUTOSCALER)) {
        struct kmut *want = podautoscaler_build(r->revision, reach_of(r, deployment), r->s->config);
        if (!live)
            plan_create(r->p, &KR_PODAUTOSCALER, want);
        else if ((want = podautoscaler_update(live, want)))
            plan_update(r->p, &KR_PODAUTOSCALER, want);
    }
    revision_mark_autoscaler(&r->c, live);
}

static void do_images(struct run *r)
{
    static const char *const fields[] = {"containerStatuses", "initContainerStatuses"};
    char name[NAME_MAX_LABEL + 1];
    yyjson_val *status;
    size_t i, n;

    if (child_refused(r->rc, PLAN_CREATE, &KR_IMAGE)) {
        plan_fail(r->p, "failed to create Image \"%s\": %s", r->rc->failed->name,
                  r->rc->failure->err.msg);
        return;
    }
    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        _cleanup_jdoc_ yyjson_doc *statuses = statuses_of(r, fields[f]);
        yyjson_arr_foreach(yyjson_doc_get_root(statuses), i, n, status)
        {
            const char *container = jget_str(status, "name");
            image_name(r->rc->name, container ? container : "", name);
            if (serving_get(r->s, &KR_IMAGE, r->rc->ns, name))
                continue;
            plan_create_or_keep(r->p, &KR_IMAGE, image_build(r->revision, status, r->s->config));
            plan_aside(r->p);
        }
    }
}

static void decide(struct run *r)
{
    const struct kobj *deployment;

    if (!do_digests(r) || !do_deployment(r, &deployment))
        return;
    do_autoscaler(r, deployment);
    do_images(r);
}

void revision_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct serving *s = ctx;
    struct run r = {.s = s, .rc = rc, .p = p, .revision = rc->obj};

    if (!rc->obj || kobj_deleting(rc->obj)) {
        digests_forget(s->digests, rc->key);
        return;
    }
    cs_begin(&r.c, &CS_REVISION, rc->obj, rc->now_ns);
    decide(&r);
    if (streq(cs_status(&r.c, COND_READY), "True") &&
        !kobj_condition_is(rc->obj, COND_READY, "True"))
        plan_event(p, &KR_REVISION, rc->obj, "Normal", "RevisionReady",
                   "Revision becomes ready upon all resources being ready");
    cs_end(&r.c, p, &KR_REVISION);
}

/* ---- registration ---- */
static void index_revision(const struct kobj *o, void (*emit)(void *to, const char *key), void *to)
{
    const char *name = kobj_label(o, L_REVISION);

    if (!name)
        return;
    _cleanup_free_ char *key = kube_key(kobj_namespace(o), name);
    emit(to, key);
}

void revision_add_index(struct manager *m)
{
    cache_add_index(manager_cache(m, &KR_POD), INDEX, index_revision);
}

/* Pods that run well say all they have to say through the Deployment. */
static void map_pod(void *ctx, const struct kobj *pod,
                    void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    const char *name = kobj_label(pod, L_REVISION);

    if (name && pod_is_troubled(pod))
        emit(to, kobj_namespace(pod), name);
}

void revision_reconciler_register(struct serving *s)
{
    revision_add_index(s->m);
    s->revision = controller_new(s->m, &(struct controller_opts){.name = "revision-controller",
                                                                 .res = &KR_REVISION,
                                                                 .reconcile = revision_reconcile,
                                                                 .ctx = s});
    controller_watch_owned(s->revision, &KR_DEPLOYMENT);
    controller_watch_owned(s->revision, &KR_PODAUTOSCALER);
    controller_watch_mapped(s->revision, &KR_POD, map_pod, s);
    s->resync[CONFIG_DEPLOYMENT] |= SERVING_RESYNC_REVISION;
    s->resync[CONFIG_DEFAULTS] |= SERVING_RESYNC_REVISION;
    manager_cache(s->m, &KR_IMAGE); /* read by every run, so listed before the first */
}
