/*
 * A write is durable and so costs a disk flush; on a cold start the only one that matters is the
 * one that says Ready. So the first write waits until the pod is ready, something is wrong, or
 * SLOW_MS have passed; after it every change is written, one request at a time.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/node/pod/pod_impl.h"
#include "cluster/node/pod/status_patch.h"

#define SLOW_MS  1000
#define RETRY_MS 1000

static enum run_state run_state_of(const struct container *c)
{
    switch (c->state) {
    case CT_RUNNING:
    case CT_STOPPING:
        return RUN_RUNNING;
    case CT_DONE:
        return c->now.set ? RUN_TERMINATED : RUN_WAITING;
    default:
        return RUN_WAITING;
    }
}

static const char *waits_for(const struct pod *p, const struct container *c)
{
    if (c->wait_reason)
        return c->wait_reason;
    return !c->init && p->containers[0].init ? "PodInitializing" : "ContainerCreating";
}

static void view_container(const struct pod *p, const struct container *c, struct container_view *v)
{
    *v = (struct container_view){.name = c->name,
                                 .image = jget_str(c->spec, "image"),
                                 .image_id = c->image_id,
                                 .init = c->init,
                                 .state = run_state_of(c),
                                 .wait_reason = waits_for(p, c),
                                 .wait_message = c->wait_message,
                                 .started_ns = c->started_ns,
                                 .container_id = c->started_ns ? c->id : NULL,
                                 .now = &c->now,
                                 .last = &c->last,
                                 .restarts = c->restarts,
                                 .ready = c->ready,
                                 .started = c->started,
                                 .done = c->state == CT_DONE};
}

/* Calls fn with the view; its arrays live that long. */
static void with_view(struct pod *p, void (*fn)(const struct pod_view *v, void *to), void *to)
{
    struct container_view *views = xcalloc(p->n ? p->n : 1, sizeof *views);
    for (size_t i = 0; i < p->n; i++)
        view_container(p, &p->containers[i], &views[i]);
    struct pod_view v = {.pod = p->box.obj,
                         .containers = views,
                         .n = p->n,
                         .host_ip = p->table->o.host_ip,
                         .pod_ip = p->box.ip,
                         .network_down = p->table->network_down,
                         .start_ns = p->start_ns,
                         .now_ns = clock_wall_ns()};
    fn(&v, to);
    free(views);
}

static void judge_ready(const struct pod_view *v, void *to)
{
    *(bool *)to = pod_status_ready(v);
}

bool pod_ready(struct pod *p)
{
    bool ready = false;
    with_view(p, judge_ready, &ready);
    return ready;
}

static const yyjson_val *before(const struct pod *p)
{
    const yyjson_val *root = p->written ? yyjson_doc_get_root(p->written) : kobj_root(p->box.obj);
    return jget(root, "status");
}

struct build {
    const yyjson_val *before;
    char *text;
};

static void build_patch(const struct pod_view *v, void *to)
{
    struct build *b = to;
    b->text = pod_status_patch(v, b->before);
}

/* ---- when to write ---- */
static bool has_news(const struct container *c)
{
    return c->state == CT_BACKOFF || c->state == CT_DONE || c->last.set;
}

static bool worth_writing(struct pod *p)
{
    if (p->written || p->slow || pod_ready(p))
        return true;
    /* From before this process: it may say more than is true now. */
    if (kobj_condition_is(p->box.obj, "Ready", "True"))
        return true;
    for (size_t i = 0; i < p->n; i++)
        if (!p->containers[i].init && has_news(&p->containers[i]))
            return true;
    return false;
}

/* ---- writing ---- */
static void retry(void *ctx)
{
    struct pod *p = ctx;
    p->slow = true;
    pod_status(p);
}

static void arm(struct pod *p, uint64_t ms)
{
    if (!p->status_timer)
        p->status_timer = timer_new(p->table->o.env.loop, retry, p);
    if (!timer_active(p->status_timer))
        timer_start(p->status_timer, ms);
}

static void wrote(void *ctx, const struct kube_status *st, struct str body)
{
    struct pod *p = ctx;
    p->writing = false;
    if (st->err.code && !kube_is_not_found(st)) {
        if (!kube_is_retryable(st))
            log_warn("node", "status of pod %s/%s refused: %s", kobj_namespace(p->box.obj),
                     kobj_name(p->box.obj), st->err.msg);
        free(p->written_text);
        p->written_text = NULL;
        arm(p, RETRY_MS);
    } else if (p->state == POD_ACTIVE) {
        pod_status(p);
    }
    pod_release(p);
}

static void send(struct pod *p, char *text)
{
    struct kube_request rq = {.verb = KUBE_PATCH_MERGE,
                              .res = &KR_POD,
                              .ns = kobj_namespace(p->box.obj),
                              .name = kobj_name(p->box.obj),
                              .subresource = "status",
                              .body = str_of(text)};
    yyjson_doc_free(p->written);
    p->written = yyjson_read(text, strlen(text), 0);
    free(p->written_text);
    p->written_text = text;
    p->writing = true;
    pod_hold(p);
    kube_do(p->table->client, &rq, wrote, p);
}

void pod_status(struct pod *p)
{
    if (p->writing || p->object_gone || p->freed || p->keep_object || p->settled || p->restoring)
        return;
    if (!worth_writing(p)) {
        arm(p, SLOW_MS);
        return;
    }
    struct build b = {.before = before(p)};
    with_view(p, build_patch, &b);
    if (p->written_text && streq(b.text, p->written_text)) {
        free(b.text);
        return;
    }
    if (pod_ready(p))
        pod_stage(p, POD_READY);
    send(p, b.text);
}
