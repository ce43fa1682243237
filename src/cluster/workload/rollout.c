/*
 * The arithmetic is that of upstream's Deployment and ReplicaSet controllers put together. There
 * are no ReplicaSet objects in between: on the path of a start from zero they would cost one
 * durable write and one round through a watch, and what they record (which template a pod is of) is
 * in a label of the pod anyway. Rolling back by revision number is what is lost.
 */
#include "cluster/workload/rollout.h"

#include "base/clock.h"
#include "cluster/workload/pod_template.h"

#define A_DELETION_COST "controller.kubernetes.io/pod-deletion-cost"

struct pod {
    const struct kobj *obj;
    bool current, ready, available;
    int64_t cost;
};
typedef VEC(struct pod) pod_vec;

/* An IntOrString of the strategy: percentages are of the replicas. */
static int64_t amount(const yyjson_val *v, int64_t replicas, bool round_up, int64_t fallback)
{
    const char *s = yyjson_get_str((yyjson_val *)(uintptr_t)v);
    int64_t n;

    if (yyjson_is_int((yyjson_val *)(uintptr_t)v))
        return yyjson_get_sint((yyjson_val *)(uintptr_t)v);
    if (!s || !z_ends(s, "%") || str_i64((struct str){s, strlen(s) - 1}, &n) < 0 || n < 0 ||
        n > 10000)
        return fallback;
    return (n * replicas + (round_up ? 99 : 0)) / 100;
}

static void read_wanted(struct rollout *r, const struct kobj *deployment)
{
    yyjson_val *spec = jget(kobj_root(deployment), "spec"),
               *rolling = jget(spec, "strategy", "rollingUpdate");

    r->replicas = jget_int(spec, 1, "replicas");
    r->paused = jget_bool(spec, false, "paused");
    r->recreate = streq(jget_str(spec, "strategy", "type"), "Recreate");
    r->max_unavailable = amount(jget(rolling, "maxUnavailable"), r->replicas, false, 0);
    r->max_surge =
        amount(jget(rolling, "maxSurge"), r->replicas, true, (r->replicas * 25 + 99) / 100);
    /* With neither a roll-out could not begin. */
    if (r->max_surge == 0 && r->max_unavailable == 0)
        r->max_surge = 1;
}

static bool is_finished(const struct kobj *pod)
{
    const char *phase = jget_str(kobj_root(pod), "status", "phase");

    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

/* A stamp from the future is of a clock that was set back since: just now, then. */
static int64_t ready_since(const struct kobj *pod, int64_t now_ns)
{
    const char *t = jget_str(kobj_condition(pod, "Ready"), "lastTransitionTime");
    int64_t ns = 0;

    return t && clock_rfc3339_parse(t, &ns) == 0 && ns > now_ns ? now_ns : ns;
}

static struct pod look_at(struct rollout *r, const struct kobj *obj, const char *hash,
                          int64_t min_ready_ns, int64_t now_ns)
{
    struct pod p = {.obj = obj, .current = streq(kobj_label(obj, L_TEMPLATE_HASH), hash)};
    const char *cost = kobj_annotation(obj, A_DELETION_COST);

    if (cost)
        str_i64(str_of(cost), &p.cost);
    p.ready = kobj_condition_is(obj, "Ready", "True");
    if (!p.ready)
        return p;
    int64_t due = ready_since(obj, now_ns) + min_ready_ns;
    p.available = min_ready_ns == 0 || due <= now_ns;
    if (!p.available && (r->becomes_available_ns < 0 || due - now_ns < r->becomes_available_ns))
        r->becomes_available_ns = due - now_ns;
    return p;
}

static void count(struct rollout *r, const struct pod *p)
{
    if (p->current) {
        r->current++;
        r->current_ready += p->ready;
        r->current_available += p->available;
    } else {
        r->old++;
        r->old_ready += p->ready;
        r->old_available += p->available;
    }
}

static void take_stock(struct rollout *r, const struct kobj *deployment, const kobj_vec *all,
                       const char *hash, int64_t now_ns, pod_vec *pods)
{
    int64_t min_ready = jget_int(kobj_root(deployment), 0, "spec", "minReadySeconds") * NS_PER_SEC;

    for (size_t i = 0; i < all->n; i++) {
        if (kobj_deleting(all->p[i]))
            continue;
        if (is_finished(all->p[i])) {
            /* Its containers will not run again; it would stay for good. */
            vec_push(&r->remove, all->p[i]);
            continue;
        }
        struct pod p = look_at(r, all->p[i], hash, min_ready, now_ns);
        count(r, &p);
        vec_push(pods, p);
    }
}

/* Which of two goes first: not ready, cheap, young. The name last, so that the choice is the same
 * each time. */
static int by_worth(const void *a, const void *b)
{
    const struct pod *x = a, *y = b;
    const char *tx = jget_str(kobj_root(x->obj), "metadata", "creationTimestamp");
    const char *ty = jget_str(kobj_root(y->obj), "metadata", "creationTimestamp");
    int r = tx && ty ? strcmp(ty, tx) : 0;

    if (x->ready != y->ready)
        return x->ready ? 1 : -1;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return r ? r : strcmp(kobj_name(x->obj), kobj_name(y->obj));
}

/* Removes up to n pods of one template, the least worth first; pods are in the order of their
 * worth. */
static void remove_pods(struct rollout *r, const pod_vec *pods, bool current, int64_t n)
{

    for (size_t i = 0; i < pods->n && n > 0; i++) {
        if (pods->p[i].current != current)
            continue;
        vec_push(&r->remove, pods->p[i].obj);
        n--;
    }
}

static void decide_create(struct rollout *r)
{
    int64_t missing = r->replicas - r->current,
            room = r->replicas + r->max_surge - r->current - r->old;

    if (r->old > 0)
        missing = r->recreate ? 0 : missing < room ? missing : room;
    r->create = missing > 0 ? missing : 0;
}

/* The old ones go as far as enough pods stay available; those that are of no use go first. */
static void remove_old(struct rollout *r, const pod_vec *pods)
{
    int64_t must_stay = r->replicas - r->max_unavailable;
    int64_t spare = r->old + r->current_available - must_stay;
    int64_t available_spare = r->old_available + r->current_available - must_stay;
    int64_t useless = r->old - r->old_available;

    if (r->recreate || r->replicas == 0) {
        remove_pods(r, pods, false, r->old);
        return;
    }
    if (spare <= 0)
        return;
    useless = useless < spare ? useless : spare;
    int64_t good = spare - useless < available_spare ? spare - useless : available_spare;
    remove_pods(r, pods, false, useless + (good > 0 ? good : 0));
}

void deployment_rollout_decide(struct rollout *r, const struct kobj *deployment,
                               const kobj_vec *all, const char *hash, int64_t now_ns)
{
    pod_vec pods = {0};

    *r = (struct rollout){.becomes_available_ns = -1};
    read_wanted(r, deployment);
    take_stock(r, deployment, all, hash, now_ns, &pods);
    if (pods.n)
        qsort(pods.p, pods.n, sizeof(*pods.p), by_worth);
    if (!r->paused) {
        decide_create(r);
        if (r->current > r->replicas)
            remove_pods(r, &pods, true, r->current - r->replicas);
        if (r->old > 0)
            remove_old(r, &pods);
    }
    vec_done(&pods);
}

void deployment_rollout_done(struct rollout *r)
{
    vec_done(&r->remove);
}
