/*
 * Removing a pod: requests in it end first (as drain.h says), then its processes are asked to end,
 * then killed, then what is left on disk goes, and at last the object. When the node itself stops,
 * the object stays, for the next start.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cluster/node/pod/pod_impl.h"

#define POLL_MS         50
#define DELETE_RETRY_MS 1000

static void on_timer(void *ctx)
{
    pod_stop_step(ctx);
}

static void arm(struct pod *p, uint64_t ms)
{
    if (!p->stop_timer)
        p->stop_timer = timer_new(p->table->o.env.loop, on_timer, p);
    timer_start(p->stop_timer, ms);
}

static int64_t left_ms(const struct pod *p)
{
    int64_t ms = (p->deadline_ns - clock_mono_ns()) / NS_PER_MS;
    return ms > 0 ? ms : 0;
}

/* ---- draining ---- */
static bool drained(struct pod *p)
{
    const struct pod_table_opts *o = &p->table->o;
    uint64_t running = p->box.ip[0] ? o->in_flight(o->ctx, p->box.obj, p->box.ip) : 0;
    return pod_drain_over(&p->drain, clock_mono_ns(), p->deadline_ns, running);
}

static bool can_drain(const struct pod *p)
{
    return p->table->o.in_flight && pod_alive(p);
}

/* ---- removing ---- */
/*
 * Not on the worker, where starts would wait behind large trees. Mounts that the worker's namespace
 * still has beneath go with their directories.
 */
static void remove_work(void *arg)
{
    struct pod *p = arg;
    file_remove_tree(AT_FDCWD, p->box.dir, &p->remove_err);
    if (!p->keep_object)
        file_remove_tree(AT_FDCWD, p->box.log_dir, p->remove_err.code ? NULL : &p->remove_err);
}

static void deleted(void *ctx, const struct kube_status *st, struct str body)
{
    struct pod *p = ctx;
    bool gone = !st->err.code || kube_is_not_found(st) || kube_is_conflict(st);
    if (gone) {
        pod_forget(p);
    } else {
        log_warn("node", "deleting pod %s/%s, trying again: %s", kobj_namespace(p->box.obj),
                 kobj_name(p->box.obj), st->err.msg);
        arm(p, DELETE_RETRY_MS);
    }
    pod_release(p);
}

static void delete_object(struct pod *p)
{
    _cleanup_free_ char *body =
        xasprintf("{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0,"
                  "\"preconditions\":{\"uid\":\"%s\"}}",
                  kobj_uid(p->box.obj));
    struct kube_request rq = {.verb = KUBE_DELETE,
                              .res = &KR_POD,
                              .ns = kobj_namespace(p->box.obj),
                              .name = kobj_name(p->box.obj),
                              .body = str_of(body)};
    pod_hold(p);
    kube_do(p->table->client, &rq, deleted, p);
}

static void removed(void *arg)
{
    struct pod *p = arg;
    if (p->remove_err.code)
        log_warn("node", "something of pod %s/%s stays on disk until the next start: %s",
                 kobj_namespace(p->box.obj), kobj_name(p->box.obj), p->remove_err.msg);
    netns_release(p->table->o.nets, steal(&p->box.net));
    pod_set_state(p, POD_FORGET);
    if (p->object_gone || p->keep_object)
        pod_forget(p);
    else
        delete_object(p);
    pod_release(p);
}

/* ---- steps ---- */
static void stop_processes(struct pod *p)
{
    int64_t grace = left_ms(p);
    if (p->state != POD_STOPPING)
        pod_set_state(p, POD_STOPPING);
    for (size_t i = 0; i < p->n; i++)
        container_stop(&p->containers[i], grace);
    pod_stop_step(p);
}

static void drain_step(struct pod *p)
{
    if (can_drain(p) && !drained(p))
        arm(p, POLL_MS);
    else
        stop_processes(p);
}

static void stopping_step(struct pod *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->containers[i].state == CT_RUNNING)
            container_stop(&p->containers[i], left_ms(p));
    if (pod_alive(p) || p->box.holds > 0)
        return;
    pod_set_state(p, POD_REMOVING);
    pod_hold(p);
    loop_work(p->table->o.env.loop, remove_work, removed, p);
}

void pod_stop_step(struct pod *p)
{
    if (p->state == POD_DRAINING)
        drain_step(p);
    else if (p->state == POD_STOPPING)
        stopping_step(p);
    else if (p->state == POD_FORGET && !p->freed)
        delete_object(p);
}

void pod_stop(struct pod *p, int64_t grace_ms)
{
    int64_t now = clock_mono_ns(), deadline = now + grace_ms * NS_PER_MS;
    if (p->state == POD_ACTIVE) {
        pod_set_state(p, POD_DRAINING);
        p->deadline_ns = deadline;
        pod_drain_begin(&p->drain, now);
    } else if (deadline < p->deadline_ns) {
        p->deadline_ns = deadline;
        if (p->state == POD_STOPPING)
            stop_processes(p);
    }
    pod_stop_step(p);
}
