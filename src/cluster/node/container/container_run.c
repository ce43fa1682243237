/*
 * From an image to a process: the worker prepares, the runtime runs, and what it reports becomes
 * CT_RUNNING. A pod that is being stopped meanwhile lets the step under way finish and ends the
 * result.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "cluster/node/container/container.h"
#include "cluster/node/container/prepare.h"
#include "cluster/node/runtime/files.h"
#include "cluster/node/runtime/rootfs.h"

#define CONFIG_RETRY_MS 2000
#define ERROR_RETRY_MS  10000
#define MAX_MESSAGE     4096
#define EXIT_NOT_BEGUN  128

struct start {
    struct container *c;
    struct prepare *prepare;
    char *dir, *pid_file;
};

static void start_free(struct start *s)
{
    prepare_free(s->prepare);
    free(s->dir);
    free(s->pid_file);
    free(s);
}

/* A start that did not come about while the pod was being stopped. */
static void abandon(struct container *c)
{
    container_cleanup(c);
    container_set_state(c, CT_DONE);
    c->box->ops->step(c->box);
}

/* ---- preparing ---- */
static void config_failed(struct container *c, const struct err *why, bool ours)
{
    sandbox_warn(c->box, "Failed", "Error: %s", why->msg);
    container_wait_for(c, ours ? "CreateContainerConfigError" : "CreateContainerError", why->msg);
    container_backoff(c, ours ? CONFIG_RETRY_MS : ERROR_RETRY_MS);
}

static void new_id(struct container *c)
{
    uint8_t bytes[32];
    rand_bytes(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, c->id);
}

static int fill_prepare(struct container *c, struct prepare *p, struct err *e)
{
    struct sandbox *box = c->box;
    const struct container_env *env = box->env;
    struct pod_facts facts;
    char group[128];
    box->ops->facts(box, &facts);
    p->pod = kobj_ref(box->spec);
    p->container = c->spec;
    p->image = image_ref_get(c->image);
    int r = env_build(&facts, c->spec, yyjson_doc_get_root(c->image->config), &p->env, e);
    if (r == 0)
        r = volumes_plan(&facts, &p->volumes, e);
    if (r < 0)
        return r;
    p->make_volumes = !box->volumes_made;
    p->pod_dir = xstrdup(box->dir);
    p->dir = container_dir(c);
    p->log_path = container_log(c, c->attempt);
    p->hosts = box->ops->hosts(box);
    p->resolv_conf = box->ops->resolv_conf(box);
    p->netns = xstrdup(box->net->path);
    runtime_cgroup_of(env->runtime, c->id, group, sizeof group);
    p->cgroup = xstrdup(group);
    p->node_memory = env->memory;
    p->max_files = env->max_files;
    p->may_protect = env->may_protect;
    p->cgroup_v2 = runtime_cgroup_v2(env->runtime);
    return 0;
}

static void prepare_work(void *arg)
{
    struct start *s = arg;
    prepare_run(s->prepare);
}

static void launch(struct start *s);

static void prepared(void *arg)
{
    struct start *s = arg;
    struct container *c = s->c;
    struct sandbox *box = c->box;
    struct err why = s->prepare->err;
    if (!why.code && box->active) {
        launch(s);
        sandbox_release(box);
        return;
    }
    if (why.code && s->prepare->make_volumes)
        box->volumes_made = false;
    start_free(s);
    if (!box->active)
        abandon(c);
    else
        config_failed(c, &why, why.code == -EINVAL || why.code == -EACCES);
    sandbox_release(box);
}

void container_run(struct container *c)
{
    struct err why = {0};
    struct start *s = xnew(struct start);
    s->c = c;
    s->prepare = prepare_new();
    new_id(c);
    int r = fill_prepare(c, s->prepare, &why);
    if (r < 0) {
        start_free(s);
        config_failed(c, &why, true);
        return;
    }
    c->box->volumes_made = true;
    container_set_state(c, CT_PREPARING);
    sandbox_hold(c->box);
    runtime_worker_do(runtime_get_worker(c->box->env->runtime), prepare_work, prepared, s);
}

/* ---- running ---- */
static void unmount_work(void *arg)
{
    rootfs_unmount(arg);
}

/* The process has its own mount by now; ours would only be copied into every later container. */
static void drop_mount(struct runtime *r, char *dir)
{
    runtime_worker_do(runtime_get_worker(r), unmount_work, free, dir);
}

static void start_error(struct container *c, const char *why)
{
    struct container_termination t = {.set = true, .exit_code = EXIT_NOT_BEGUN};
    snprintf(t.reason, sizeof t.reason, "StartError");
    snprintf(t.container_id, sizeof t.container_id, "%s", c->id);
    t.message = xasprintf("failed to start container \"%s\": %s", c->name, why);
    t.started_ns = t.finished_ns = clock_wall_ns();
    container_ended(c, &t);
}

/* The runtime's complaint went into the log, which holds nothing else yet. */
static void not_begun(struct container *c, const struct proc_result *r)
{
    _cleanup_free_ char *log = container_log(c, c->attempt);
    _cleanup_free_ char *said = file_read(log, MAX_MESSAGE, NULL);
    start_error(c, r->err.code ? r->err.msg : said && *said ? said : "no reason given");
}

static pid_t read_pid(const char *path)
{
    _cleanup_free_ char *text = file_read(path, 32, NULL);
    return text ? (pid_t)strtol(text, NULL, 10) : 0;
}

static void set_image_id(struct container *c)
{
    struct image_ref ref;
    char text[800];
    if (!c->image || image_ref_parse(c->image->name, &ref, NULL) < 0)
        return;
    snprintf(ref.digest, sizeof ref.digest, "%s", c->image->digest);
    image_ref_format(&ref, text, sizeof text);
    free(c->image_id);
    c->image_id = xstrdup(text);
}

static int watch(struct container *c, pid_t pid, struct err *e)
{
    c->pid = pid;
    c->pid_start = runtime_process_start(pid);
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (c->pidfd < 0)
        return err_sys(e, errno, "opening process %d", pid);
    return container_watch(c, e);
}

static void running(struct container *c, pid_t pid)
{
    struct sandbox *box = c->box;
    struct err why = {0};
    if (watch(c, pid, &why) < 0) {
        start_error(c, why.msg); /* it goes with its control group */
        return;
    }
    c->started_ns = clock_wall_ns();
    set_image_id(c);
    container_set_state(c, CT_RUNNING);
    box->ops->begun(box, c);
    if (!box->active) {
        box->ops->step(box);
        return;
    }
    container_probes_start(c);
    box->ops->save(box);
    box->ops->changed(box);
}

static void launched(void *ctx, const struct proc_result *r)
{
    struct start *s = ctx;
    struct container *c = s->c;
    struct sandbox *box = c->box;
    pid_t pid = r->exit_code == 0 && !r->err.code ? read_pid(s->pid_file) : 0;
    runtime_reap_soon(box->env->runtime);
    drop_mount(box->env->runtime, steal(&s->dir));
    start_free(s);
    if (pid > 0)
        running(c, pid);
    else
        not_begun(c, r);
    sandbox_release(box);
}

static void launch(struct start *s)
{
    struct container *c = s->c;
    s->dir = container_dir(c);
    s->pid_file = xasprintf("%s/pid", s->dir);
    unlink(s->pid_file);
    container_set_state(c, CT_STARTING);
    sandbox_hold(c->box);
    runtime_run(c->box->env->runtime, c->id, s->dir, s->pid_file, s->prepare->log_fd, launched, s);
}
