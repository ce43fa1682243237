/*
 * The end of a run: how it is noticed, what is told of it, and what follows by the pod's restart
 * policy.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cluster/node/container/container.h"
#include "cluster/node/runtime/files.h"
#include "cluster/node/runtime/rootfs.h"

#define MAX_MESSAGE      4096
#define MAX_LOG_TAIL     2048
#define EXIT_UNKNOWN     137
#define SIGNAL_OFFSET    128
#define BACKOFF_RESET_NS (600 * NS_PER_SEC)

/* ---- the message ---- */
/* What the log ends with: at most MAX_LOG_TAIL bytes, from the start of a line. */
static char *log_tail(const struct container *c)
{
    _cleanup_free_ char *path = container_log(c, c->attempt);
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    char *text = xcalloc(1, MAX_LOG_TAIL + 1);
    bool cut = fseek(f, -MAX_LOG_TAIL, SEEK_END) == 0;
    if (!cut)
        rewind(f);
    size_t n = fread(text, 1, MAX_LOG_TAIL, f);
    fclose(f);
    char *line = cut ? memchr(text, '\n', n) : NULL;
    if (line)
        memmove(text, line + 1, strlen(line + 1) + 1);
    return text;
}

static char *message_of(const struct container *c, bool failed)
{
    _cleanup_free_ char *dir = container_dir(c);
    _cleanup_free_ char *path = xasprintf("%s/termination-log", dir);
    char *text = file_read(path, MAX_MESSAGE, NULL);
    const char *policy = jget_str(c->spec, "terminationMessagePolicy");
    if (!failed || (text && *text) || !streq(policy, "FallbackToLogsOnError"))
        return text;
    free(text);
    return log_tail(c);
}

/* ---- what is told ---- */
static const char *reason_of(const struct container *c, int code)
{
    if (code && runtime_was_oom(c->box->env->runtime, c->id))
        return "OOMKilled";
    return code ? "Error" : "Completed";
}

/* Of a process that is no child of ours nobody can say how it ended. */
static void describe_unknown(struct container_termination *t, const char *message)
{
    t->exit_code = EXIT_UNKNOWN;
    snprintf(t->reason, sizeof t->reason, "ContainerStatusUnknown");
    t->message = xstrdup(message);
}

static void describe(const struct container *c, const siginfo_t *si,
                     struct container_termination *t)
{
    bool by_signal = si->si_code != CLD_EXITED;
    t->signal = by_signal ? si->si_status : 0;
    t->exit_code = by_signal ? SIGNAL_OFFSET + si->si_status : si->si_status;
    snprintf(t->reason, sizeof t->reason, "%s", reason_of(c, t->exit_code));
    t->message = message_of(c, t->exit_code != 0);
}

static void begin(const struct container *c, struct container_termination *t)
{
    t->set = true;
    t->started_ns = c->started_ns;
    t->finished_ns = clock_wall_ns();
    snprintf(t->container_id, sizeof t->container_id, "%s", c->id);
}

/* ---- noticing it ---- */
static void on_exit_event(void *ctx, const siginfo_t *si)
{
    struct container *c = ctx;
    struct container_termination t = {0};
    begin(c, &t);
    if (si)
        describe(c, si, &t);
    else
        describe_unknown(&t, "the exit code is not known: the container ended while it was not a "
                             "child of this process, which was restarted after it began");
    container_ended(c, &t);
}

int container_watch(struct container *c, struct err *e)
{
    c->watch = exit_watch_start(c->box->env->loop, c->pidfd, on_exit_event, c, e);
    return c->watch ? 0 : e->code;
}

void container_unwatch(struct container *c)
{
    exit_watch_stop(steal(&c->watch));
    closep(&c->pidfd);
    c->pidfd = -1;
}

void container_lost(struct container *c)
{
    struct container_termination t = {0};
    begin(c, &t);
    describe_unknown(&t, "the container ended while the node agent was not running; its exit code "
                         "is not known");
    container_ended(c, &t);
}

/* ---- what follows ---- */
struct cleanup {
    struct sandbox *box;
    char id[RUNTIME_ID_LEN];
    char *dir;
};

static void cleanup_work(void *arg)
{
    struct cleanup *k = arg;
    runtime_forget(k->box->env->runtime, k->id);
    rootfs_unmount(k->dir);
}

static void cleanup_done(void *arg)
{
    struct cleanup *k = arg;
    sandbox_release(k->box);
    free(k->dir);
    free(k);
}

void container_cleanup(struct container *c)
{
    if (!c->id[0])
        return;
    struct cleanup *k = xnew(struct cleanup);
    k->box = c->box;
    snprintf(k->id, sizeof k->id, "%s", c->id);
    k->dir = container_dir(c);
    sandbox_hold(k->box);
    runtime_worker_do(runtime_get_worker(c->box->env->runtime), cleanup_work, cleanup_done, k);
}

static bool wants_restart(const struct container *c)
{
    const char *policy = sandbox_restart_policy(c->box);
    bool failed = c->now.exit_code != 0;
    if (c->init)
        return failed && !streq(policy, "Never");
    return streq(policy, "Always") || (failed && streq(policy, "OnFailure"));
}

static void restart(struct container *c)
{
    const struct kobj *pod = c->box->obj;
    if (c->now.finished_ns - c->now.started_ns >= BACKOFF_RESET_NS)
        c->crashes = 0;
    c->crashes++;
    c->restarts++;
    c->attempt++;
    int64_t ms = container_backoff_ms(c->crashes);
    char text[160];
    snprintf(text, sizeof text, "back-off %llds restarting failed container=%s pod=%s",
             (long long)ms / 1000, c->name, kobj_name(pod));
    container_termination_move(&c->last, &c->now);
    if (ms)
        sandbox_warn(c->box, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
                     c->name, kobj_name(pod), kobj_namespace(pod), kobj_uid(pod));
    container_wait_for(c, ms ? "CrashLoopBackOff" : "ContainerCreating", ms ? text : NULL);
    container_backoff(c, ms);
}

void container_ended(struct container *c, struct container_termination *t)
{
    struct sandbox *box = c->box;
    container_probes_stop(c);
    container_unwatch(c);
    timer_free(steal(&c->timer));
    c->pid = 0;
    container_termination_move(&c->now, t);
    container_cleanup(c);
    if (!box->active || !wants_restart(c))
        container_set_state(c, CT_DONE);
    else
        restart(c);
    box->ops->save(box);
    box->ops->step(box);
}
