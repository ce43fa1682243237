/*
 * Three conditions. Available and ReplicaFailure say what is. Progressing has a memory: it is kept
 * once a roll-out is complete (scaling later does not touch it), its lastUpdateTime moves with
 * every step forward, and standing still for progressDeadlineSeconds turns it False. Which roll-out
 * it speaks of is in its message, by the name that the ReplicaSet would have.
 */
#include "cluster/workload/deployment_status.h"

#include "base/clock.h"
#include "cluster/workload/pod_template.h"

#define DEFAULT_DEADLINE_S 600

struct counts {
    int64_t replicas, updated, ready, available;
};

struct building {
    const struct kobj *live;
    const struct deployment_facts *f;
    struct kmut *m;
    yyjson_mut_val *conditions;
    struct counts was, is;
    char now[RFC3339_LEN];
    char *set_name; /* "DEPLOYMENT-HASH" */
};

/* What the pods to be removed are part of. */
static struct counts count_removed(const struct rollout *r, const char *hash)
{
    struct counts c = {0};

    for (size_t i = 0; i < r->remove.n; i++) {
        const struct kobj *pod = r->remove.p[i];
        const char *phase = jget_str(kobj_root(pod), "status", "phase");
        if (streq(phase, "Succeeded") || streq(phase, "Failed"))
            continue;
        bool ready = kobj_condition_is(pod, "Ready", "True");
        c.replicas++;
        c.updated += streq(kobj_label(pod, L_TEMPLATE_HASH), hash);
        c.ready += ready;
    }
    return c;
}

static struct counts count_after(const struct rollout *r, const char *hash, bool created)
{
    struct counts gone = count_removed(r, hash);
    int64_t create = created ? r->create : 0, available = r->current_available + r->old_available;
    struct counts c = {
        .replicas = r->current + r->old + create - gone.replicas,
        .updated = r->current + create - gone.updated,
        .ready = r->current_ready + r->old_ready - gone.ready,
    };

    c.available = available < c.ready ? available : c.ready;
    return c;
}

/* bump: a step forward was made, so the condition counts as updated even if it reads the same. */
static void set_condition(struct building *b, const char *type, const char *status,
                          const char *reason, const char *message, bool bump)
{
    yyjson_val *old = kobj_condition(b->live, type);
    const char *since = jget_str(old, "lastTransitionTime"),
               *updated = jget_str(old, "lastUpdateTime");
    bool same_status = streq(jget_str(old, "status"), status);
    bool same = same_status && streq(jget_str(old, "reason"), reason) &&
                streq(jget_str(old, "message"), message);
    yyjson_mut_val *c = jm_add_obj(b->m->d, b->conditions);

    jm_set_str(b->m->d, c, type, "type");
    jm_set_str(b->m->d, c, status, "status");
    jm_set_str(b->m->d, c, same && !bump && updated ? updated : b->now, "lastUpdateTime");
    jm_set_str(b->m->d, c, same_status && since ? since : b->now, "lastTransitionTime");
    jm_set_str(b->m->d, c, reason, "reason");
    jm_set_str(b->m->d, c, message, "message");
}

static void keep_condition(struct building *b, yyjson_val *old)
{
    yyjson_mut_arr_append(b->conditions, yyjson_val_mut_copy(b->m->d, old));
}

static void set_available(struct building *b)
{
    const struct rollout *r = b->f->rollout;

    if (b->is.available >= r->replicas - r->max_unavailable)
        set_condition(b, "Available", "True", "MinimumReplicasAvailable",
                      "Deployment has minimum availability.", false);
    else
        set_condition(b, "Available", "False", "MinimumReplicasUnavailable",
                      "Deployment does not have minimum availability.", false);
}

static void set_replica_failure(struct building *b)
{
    if (b->f->create_failure)
        set_condition(b, "ReplicaFailure", "True", "FailedCreate", b->f->create_failure, false);
}

/* ---- Progressing ---- */

static bool is_complete(const struct building *b)
{
    int64_t want = b->f->rollout->replicas;

    return b->is.updated == want && b->is.replicas == want && b->is.available == want;
}

static bool has_advanced(const struct building *b)
{
    return b->is.updated > b->was.updated ||
           b->is.replicas - b->is.updated < b->was.replicas - b->was.updated ||
           b->is.ready > b->was.ready || b->is.available > b->was.available;
}

static bool speaks_of(const struct building *b, yyjson_val *condition)
{
    _cleanup_free_ char *quoted = xasprintf("\"%s\"", b->set_name);
    const char *message = jget_str(condition, "message");

    return message && strstr(message, quoted);
}

/* Time left until the deadline, counted from the last step forward. */
static int64_t time_left(const struct building *b, yyjson_val *condition)
{
    int64_t deadline =
        jget_int(kobj_root(b->live), DEFAULT_DEADLINE_S, "spec", "progressDeadlineSeconds") *
        NS_PER_SEC;
    const char *t = jget_str(condition, "lastUpdateTime");
    int64_t since = b->f->now_ns;

    if (t)
        clock_rfc3339_parse(t, &since);
    if (since > b->f->now_ns)
        since = b->f->now_ns; /* the clock was set back */
    return since + deadline - b->f->now_ns;
}

static void set_progressing(struct building *b, struct plan *p)
{
    yyjson_val *old = kobj_condition(b->live, "Progressing");
    const char *reason = jget_str(old, "reason");
    bool ours = speaks_of(b, old);

    if (ours && streq(reason, "NewReplicaSetAvailable") && b->is.replicas == b->is.updated) {
        keep_condition(b, old);
        return;
    }
    _cleanup_free_ char *done =
        xasprintf("ReplicaSet \"%s\" has successfully progressed.", b->set_name);
    _cleanup_free_ char *under_way = xasprintf("ReplicaSet \"%s\" is progressing.", b->set_name);
    _cleanup_free_ char *late =
        xasprintf("ReplicaSet \"%s\" has timed out progressing.", b->set_name);
    if (is_complete(b)) {
        set_condition(b, "Progressing", "True", "NewReplicaSetAvailable", done, false);
    } else if (!ours || has_advanced(b)) {
        set_condition(b, "Progressing", "True", "ReplicaSetUpdated", under_way, true);
        plan_requeue_after(p, time_left(b, NULL) + NS_PER_SEC);
    } else if (streq(reason, "ProgressDeadlineExceeded") || time_left(b, old) <= 0) {
        set_condition(b, "Progressing", "False", "ProgressDeadlineExceeded", late, false);
    } else {
        keep_condition(b, old);
        plan_requeue_after(p, time_left(b, old) + NS_PER_SEC);
    }
}

/* ---- the whole ---- */

static struct counts live_counts(const struct kobj *live)
{
    yyjson_val *s = jget(kobj_root(live), "status");

    return (struct counts){jget_int(s, 0, "replicas"), jget_int(s, 0, "updatedReplicas"),
                           jget_int(s, 0, "readyReplicas"), jget_int(s, 0, "availableReplicas")};
}

/* Zeros are left out, as upstream does. */
static void set_count(struct building *b, int64_t n, const char *name)
{
    if (n > 0)
        jm_set_int(KM(b->m), n, "status", name);
    else
        jm_del(b->m->root, "status", name);
}

static void set_counts(struct building *b)
{
    jm_set_int(KM(b->m), kobj_generation(b->live), "status", "observedGeneration");
    set_count(b, b->is.replicas, "replicas");
    set_count(b, b->is.updated, "updatedReplicas");
    set_count(b, b->is.ready, "readyReplicas");
    set_count(b, b->is.available, "availableReplicas");
    set_count(b, b->is.replicas - b->is.available, "unavailableReplicas");
}

static bool is_changed(const struct building *b)
{
    _cleanup_kobj_ const struct kobj *fresh = kmut_freeze(b->m);

    return !json_equal(jget(kobj_root(fresh), "status"), jget(kobj_root(b->live), "status"));
}

void deployment_status(struct plan *p, const struct kobj *deployment,
                       const struct deployment_facts *f)
{
    struct building b = {.live = deployment, .f = f, .m = kmut_from(deployment)};

    clock_rfc3339(f->now_ns, b.now);
    b.set_name = xasprintf("%s-%s", kobj_name(deployment), f->hash);
    b.was = live_counts(deployment);
    b.is = count_after(f->rollout, f->hash, !f->create_failure);
    jm_del(b.m->root, "status", "conditions");
    set_counts(&b);
    b.conditions = jm_arr(KM(b.m), "status", "conditions");
    set_available(&b);
    set_progressing(&b, p);
    set_replica_failure(&b);
    if (is_changed(&b))
        plan_update_status(p, &KR_DEPLOYMENT, b.m);
    else
        kmut_free(b.m);
    free(b.set_name);
}
