/*
 * One function per part. Condition rules are the kubelet's: Initialized when every init container
 * completed, ContainersReady when all app containers are ready, Ready also when the readiness gates
 * are.
 */
#include "cluster/node/pod/status_patch.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cluster/node/runtime/oci_spec.h"

/* ---- judging ---- */
static bool initialized(const struct pod_view *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct container_view *c = &v->containers[i];
        if (c->init && !(c->state == RUN_TERMINATED && c->now->exit_code == 0))
            return false;
    }
    return true;
}

const char *pod_status_phase(const struct pod_view *v)
{
    bool all_done = true, failed = false, begun = false;
    for (size_t i = 0; i < v->n; i++) {
        const struct container_view *c = &v->containers[i];
        bool bad = c->done && c->state == RUN_TERMINATED && c->now->exit_code != 0;
        if (c->init) {
            if (bad)
                return "Failed";
            continue;
        }
        all_done &= c->done;
        failed |= bad;
        begun |= c->state != RUN_WAITING || c->last->set;
    }
    if (all_done)
        return failed ? "Failed" : "Succeeded";
    return begun && initialized(v) ? "Running" : "Pending";
}

static bool containers_ready(const struct pod_view *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (!v->containers[i].init && !v->containers[i].ready)
            return false;
    return initialized(v);
}

static bool gates_ready(const struct pod_view *v)
{
    size_t i, max;
    yyjson_val *gate;
    yyjson_arr_foreach(jget(kobj_root(v->pod), "spec", "readinessGates"), i, max, gate)
    {
        const char *type = jget_str(gate, "conditionType");
        if (type && !kobj_condition_is(v->pod, type, "True"))
            return false;
    }
    return true;
}

bool pod_status_ready(const struct pod_view *v)
{
    return containers_ready(v) && gates_ready(v) && !v->network_down;
}

/* ---- conditions ---- */
struct conditions {
    yyjson_mut_doc *d;
    yyjson_mut_val *list;
    const yyjson_val *before;
    int64_t now_ns;
};

static yyjson_val *condition_before(const yyjson_val *before, const char *type)
{
    size_t i, max;
    yyjson_val *c;
    yyjson_arr_foreach(jget(before, "conditions"), i, max, c)
    {
        if (streq(jget_str(c, "type"), type))
            return c;
    }
    return NULL;
}

static void add_condition(struct conditions *k, const char *type, bool ok, const char *reason,
                          const char *message)
{
    const char *status = ok ? "True" : "False";
    yyjson_val *old = condition_before(k->before, type);
    const char *since = jget_str(old, "lastTransitionTime");
    char now[RFC3339_LEN];
    clock_rfc3339(k->now_ns, now);
    yyjson_mut_val *c = jm_add_obj(k->d, k->list);
    jm_set_str(k->d, c, type, "type");
    jm_set_str(k->d, c, status, "status");
    jm_set_str(k->d, c, since && streq(jget_str(old, "status"), status) ? since : now,
               "lastTransitionTime");
    jm_set_str(k->d, c, ok ? NULL : reason, "reason");
    jm_set_str(k->d, c, ok ? NULL : message, "message");
}

static bool is_ours(const char *type)
{
    static const char *const ours[] = {"PodScheduled", "Initialized", "ContainersReady", "Ready"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (streq(ours[i], type))
            return true;
    return false;
}

static void keep_foreign(struct conditions *k)
{
    size_t i, max;
    yyjson_val *c;
    yyjson_arr_foreach(jget(k->before, "conditions"), i, max, c)
    {
        if (!is_ours(jget_str(c, "type")))
            yyjson_mut_arr_append(k->list, yyjson_val_mut_copy(k->d, c));
    }
}

/* "containers with unready status: [a b]" */
static char *name_unready(const struct pod_view *v, bool init)
{
    struct buf out = BUF_INIT(16 * 1024);
    const char *sep = "";
    buf_addf(&out, "containers with %s status: [", init ? "incomplete" : "unready");
    for (size_t i = 0; i < v->n; i++) {
        const struct container_view *c = &v->containers[i];
        bool good = init ? c->state == RUN_TERMINATED && c->now->exit_code == 0 : c->ready;
        if (c->init != init || good)
            continue;
        buf_addf(&out, "%s%s", sep, c->name);
        sep = " ";
    }
    buf_addc(&out, ']');
    return buf_steal(&out, NULL);
}

static void set_conditions(const struct pod_view *v, struct conditions *k)
{
    bool completed = streq(pod_status_phase(v), "Succeeded");
    const char *reason = completed                              ? "PodCompleted"
                         : streq(pod_status_phase(v), "Failed") ? "PodFailed"
                                                                : "ContainersNotReady";
    _cleanup_free_ char *unready = name_unready(v, false);
    _cleanup_free_ char *incomplete = name_unready(v, true);
    keep_foreign(k);
    add_condition(k, "PodScheduled", true, NULL, NULL);
    add_condition(k, "Initialized", completed || initialized(v), "ContainersNotInitialized",
                  incomplete);
    add_condition(k, "ContainersReady", containers_ready(v), reason, unready);
    if (containers_ready(v) && v->network_down)
        add_condition(k, "Ready", false, "NetworkUnavailable", v->network_down);
    else if (containers_ready(v))
        add_condition(k, "Ready", pod_status_ready(v), "ReadinessGatesNotReady",
                      "a condition named in readinessGates is not True");
    else
        add_condition(k, "Ready", false, reason, unready);
}

/* ---- containers ---- */
static void set_time(yyjson_mut_doc *d, yyjson_mut_val *o, int64_t ns, const char *key)
{
    char text[RFC3339_LEN];
    if (!ns)
        return;
    clock_rfc3339(ns, text);
    jm_set_str(d, o, text, key);
}

static void set_id(yyjson_mut_doc *d, yyjson_mut_val *o, const char *id)
{
    _cleanup_free_ char *text = id && *id ? xasprintf("crun://%s", id) : NULL;
    jm_set_str(d, o, text, "containerID");
}

static void set_termination(yyjson_mut_doc *d, yyjson_mut_val *o,
                            const struct container_termination *t)
{
    jm_set_int(d, o, t->exit_code, "exitCode");
    if (t->signal)
        jm_set_int(d, o, t->signal, "signal");
    jm_set_str(d, o, t->reason, "reason");
    jm_set_str(d, o, t->message && *t->message ? t->message : NULL, "message");
    set_time(d, o, t->started_ns, "startedAt");
    set_time(d, o, t->finished_ns, "finishedAt");
    set_id(d, o, t->container_id);
}

static void set_state(yyjson_mut_doc *d, yyjson_mut_val *o, const struct container_view *c)
{
    if (c->state == RUN_RUNNING) {
        set_time(d, jm_obj(d, o, "state", "running"), c->started_ns, "startedAt");
    } else if (c->state == RUN_TERMINATED) {
        set_termination(d, jm_obj(d, o, "state", "terminated"), c->now);
    } else {
        yyjson_mut_val *w = jm_obj(d, o, "state", "waiting");
        jm_set_str(d, w, c->wait_reason ? c->wait_reason : "ContainerCreating", "reason");
        jm_set_str(d, w, c->wait_message, "message");
    }
}

static void add_container(yyjson_mut_doc *d, yyjson_mut_val *list, const struct container_view *c)
{
    yyjson_mut_val *o = jm_add_obj(d, list);
    jm_set_str(d, o, c->name, "name");
    set_state(d, o, c);
    yyjson_mut_val *last = jm_obj(d, o, "lastState");
    if (c->last->set)
        set_termination(d, jm_obj(d, last, "terminated"), c->last);
    jm_set_bool(d, o, c->ready, "ready");
    jm_set_int(d, o, c->restarts, "restartCount");
    jm_set_str(d, o, c->image, "image");
    jm_set_str(d, o, c->image_id ? c->image_id : "", "imageID");
    set_id(d, o, c->container_id);
    jm_set_bool(d, o, c->started, "started");
}

static void set_containers(const struct pod_view *v, yyjson_mut_doc *d, yyjson_mut_val *status)
{
    yyjson_mut_val *app = jm_arr(d, status, "containerStatuses");
    for (size_t i = 0; i < v->n; i++) {
        const struct container_view *c = &v->containers[i];
        add_container(d, c->init ? jm_arr(d, status, "initContainerStatuses") : app, c);
    }
}

/* ---- the whole ---- */
static void set_addresses(const struct pod_view *v, yyjson_mut_doc *d, yyjson_mut_val *status)
{
    jm_set_str(d, status, v->host_ip, "hostIP");
    jm_set_str(d, jm_add_obj(d, jm_arr(d, status, "hostIPs")), v->host_ip, "ip");
    if (!*v->pod_ip)
        return;
    jm_set_str(d, status, v->pod_ip, "podIP");
    jm_set_str(d, jm_add_obj(d, jm_arr(d, status, "podIPs")), v->pod_ip, "ip");
}

char *pod_status_patch(const struct pod_view *v, const yyjson_val *before)
{
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    jm_set_str(d, root, kobj_uid(v->pod), "metadata", "uid");
    yyjson_mut_val *status = jm_obj(d, root, "status");
    jm_set_str(d, status, pod_status_phase(v), "phase");
    struct conditions k = {d, jm_arr(d, status, "conditions"), before, v->now_ns};
    set_conditions(v, &k);
    set_addresses(v, d, status);
    set_time(d, status, v->start_ns, "startTime");
    jm_set_str(d, status, pod_qos_class(kobj_root(v->pod)), "qosClass");
    set_containers(v, d, status);
    return json_mut_text(root, NULL);
}
