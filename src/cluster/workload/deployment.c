/*
 * Deployment -> Pods. One run decides the whole step (rollout.c) and plans it: pods first, since a
 * request may be waiting for one, the status behind them.
 *
 * When a pod cannot be created the run after it only says so in the status; the back-off of the key
 * paces further attempts.
 */
#include "cluster/workload/deployment_status.h"
#include "cluster/workload/pod_template.h"
#include "cluster/workload/workload_internal.h"

static void plan_pods(struct plan *p, const struct kobj *deployment, const struct rollout *r,
                      const char *hash)
{
    for (int64_t i = 0; i < r->create; i++)
        plan_create(p, &KR_POD, pod_from_template(deployment, hash));
    for (size_t i = 0; i < r->remove.n; i++)
        plan_delete(p, &KR_POD, kobj_namespace(r->remove.p[i]), kobj_name(r->remove.p[i]),
                    kobj_uid(r->remove.p[i]));
}

static const char *create_failure(const struct reconcile_ctx *rc)
{
    if (!rc->failure || !rc->failed || rc->failed->op != PLAN_CREATE)
        return NULL;
    return rc->failure->err.msg;
}

void deployment_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct deployment_facts facts = {.now_ns = rc->now_ns, .create_failure = create_failure(rc)};
    char hash[TEMPLATE_HASH_MAX];
    struct rollout r;
    kobj_vec pods = {0};

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    template_hash(jget(kobj_root(rc->obj), "spec", "template"), hash);
    cache_list_by(manager_cache(rc->m, &KR_POD), "owner", kobj_uid(rc->obj), &pods);
    deployment_rollout_decide(&r, rc->obj, &pods, hash, rc->now_ns);
    facts.rollout = &r;
    facts.hash = hash;
    if (facts.create_failure)
        plan_event(p, &KR_DEPLOYMENT, rc->obj, "Warning", "FailedCreate", "Error creating: %s",
                   facts.create_failure);
    else
        plan_pods(p, rc->obj, &r, hash);
    deployment_status(p, rc->obj, &facts);
    if (r.becomes_available_ns >= 0)
        plan_requeue_after(p, r.becomes_available_ns);
    deployment_rollout_done(&r);
    vec_done(&pods);
}

void deployment_controller_register(struct workload *w)
{
    struct controller *c =
        controller_new(w->m, &(struct controller_opts){.name = "deployment",
                                                       .res = &KR_DEPLOYMENT,
                                                       .reconcile = deployment_reconcile,
                                                       .ctx = w});

    controller_watch_owned(c, &KR_POD);
}
