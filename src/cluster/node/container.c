/*
 * The life of one container: CT_WAIT -> (image) -> CT_PREPARING -> CT_STARTING -> CT_RUNNING ->
 * ended, and from there CT_BACKOFF or CT_DONE by the restart policy. The parts that wait for others
 * are in container_*.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster/node/node_impl.h"

#define BACKOFF_FIRST_MS 10000
#define BACKOFF_MAX_MS   300000
#define BACKOFF_RESET_NS (600 * NS_PER_SEC)

void container_init(struct container *c, struct pod *p, const yyjson_val *spec, bool init)
{
    *c = (struct container){.pod = p, .spec = spec, .init = init, .pidfd = -1};
    c->name = jget_str(spec, "name");
    if (!c->name)
        c->name = "";
}

void container_done(struct container *c)
{
    container_probes_stop(c);
    exit_watch_stop(c);
    if (c->pull)
        image_pull_cancel(c->pull);
    timer_free(c->timer);
    image_unref(c->image);
    free(c->image_id);
    free(c->wait_reason);
    free(c->wait_message);
    termination_done(&c->now);
    termination_done(&c->last);
}

void container_set_state(struct container *c, enum container_state s)
{
    c->state = s;
    if (s != CT_RUNNING)
        c->ready = c->started = false;
    if (s == CT_RUNNING || s == CT_DONE)
        container_wait_for(c, NULL, NULL);
}

void container_wait_for(struct container *c, const char *reason, const char *message)
{
    char *old_reason = c->wait_reason, *old_message = c->wait_message; /* may be what is given */
    c->wait_reason = reason ? xstrdup(reason) : NULL;
    c->wait_message = message ? xstrdup(message) : NULL;
    free(old_reason);
    free(old_message);
}

bool container_alive(const struct container *c)
{
    return c->state == CT_PREPARING || c->state == CT_STARTING || c->state == CT_RUNNING ||
           c->state == CT_STOPPING;
}

char *container_dir(const struct container *c)
{
    return xasprintf("%s/c/%s", c->pod->dir, c->name);
}

char *container_log(const struct container *c, int attempt)
{
    return xasprintf("%s/%s/%d.log", c->pod->log_dir, c->name, attempt);
}

void container_cgroup(const struct container *c, char *ret, size_t size)
{
    snprintf(ret, size, "%s/%s", c->pod->node->cgroup_parent, c->id);
}

/* ---- starting ---- */
void container_start(struct container *c)
{
    const char *image = jget_str(c->spec, "image");
    const char *policy = jget_str(c->spec, "imagePullPolicy");
    bool pinned = image && strstr(image, "@sha256:");
    bool ask = streq(policy, "Always") && !pinned;
    image_unref(c->image);
    c->image = image && !ask ? image_store_find(c->pod->node->o.images, image) : NULL;
    if (c->image)
        container_run(c);
    else
        container_pull(c);
}

/* ---- back-off ---- */
int64_t crash_backoff_ms(int crashes)
{
    if (crashes <= 1)
        return 0;
    int64_t ms = BACKOFF_FIRST_MS;
    for (int i = 2; i < crashes && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
}

static void backoff_over(void *ctx)
{
    struct container *c = ctx;
    container_set_state(c, CT_WAIT);
    pod_step(c->pod);
}

static void arm(struct container *c, void (*fn)(void *ctx), int64_t ms)
{
    timer_free(c->timer);
    c->timer = timer_new(c->pod->node->loop, fn, c);
    timer_start(c->timer, (uint64_t)ms);
}

void container_backoff(struct container *c, int64_t ms)
{
    container_set_state(c, CT_BACKOFF);
    arm(c, backoff_over, ms);
    pod_status(c->pod);
}

/* ---- ending ---- */
static bool wants_restart(const struct container *c)
{
    const char *policy = pod_restart_policy(c->pod);
    bool failed = c->now.exit_code != 0;
    if (c->init)
        return failed && !streq(policy, "Never");
    return streq(policy, "Always") || (failed && streq(policy, "OnFailure"));
}

static void restart(struct container *c)
{
    if (c->now.finished_ns - c->now.started_ns >= BACKOFF_RESET_NS)
        c->crashes = 0;
    c->crashes++;
    c->restarts++;
    c->attempt++;
    int64_t ms = crash_backoff_ms(c->crashes);
    char text[160];
    snprintf(text, sizeof text, "back-off %llds restarting failed container=%s pod=%s",
             (long long)ms / 1000, c->name, kobj_name(c->pod->obj));
    termination_move(&c->last, &c->now);
    if (ms)
        pod_warn(c->pod, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
                 c->name, kobj_name(c->pod->obj), kobj_namespace(c->pod->obj),
                 kobj_uid(c->pod->obj));
    container_wait_for(c, ms ? "CrashLoopBackOff" : "ContainerCreating", ms ? text : NULL);
    container_backoff(c, ms);
}

void container_ended(struct container *c, struct termination *t)
{
    struct pod *p = c->pod;
    container_probes_stop(c);
    exit_watch_stop(c);
    timer_free(c->timer);
    c->timer = NULL;
    c->pid = 0;
    termination_move(&c->now, t);
    runtime_cleanup(c);
    if (p->state != POD_ACTIVE || !wants_restart(c))
        container_set_state(c, CT_DONE);
    else
        restart(c);
    state_save(p);
    pod_step(p);
}

/* ---- stopping ---- */
void container_kill(struct container *c, int signum)
{
    if (c->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, c->pidfd, signum, NULL, 0);
}

static void grace_over(void *ctx)
{
    container_kill(ctx, SIGKILL);
}

static void stop_process(struct container *c, int64_t grace_ms)
{
    bool again = c->state == CT_STOPPING;
    container_probes_stop(c);
    container_set_state(c, CT_STOPPING);
    if (grace_ms <= 0) {
        container_kill(c, SIGKILL);
        return;
    }
    if (!again)
        container_kill(c, stop_signal(c->image));
    arm(c, grace_over, grace_ms);
}

void container_stop(struct container *c, int64_t grace_ms)
{
    switch (c->state) {
    case CT_RUNNING:
    case CT_STOPPING:
        stop_process(c, grace_ms);
        return;
    case CT_PREPARING:
    case CT_STARTING:
        return; /* ends by itself once it comes back and sees the pod's state */
    case CT_PULLING:
    case CT_WAIT:
    case CT_BACKOFF:
        if (c->pull)
            image_pull_cancel(steal(&c->pull));
        timer_free(c->timer);
        c->timer = NULL;
        if (!c->now.set && c->last.set)
            termination_move(&c->now, &c->last);
        container_set_state(c, CT_DONE);
        return;
    case CT_DONE:
        return;
    }
}
