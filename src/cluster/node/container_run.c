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
#include "base/coldtrace.h"
#include "base/rand.h"
#include "cluster/node/files.h"
#include "cluster/node/node_impl.h"
#include "cluster/node/prepare.h"
#include "cluster/node/rootfs.h"

#define CONFIG_RETRY_MS 2000
#define ERROR_RETRY_MS  10000
#define MAX_MESSAGE     4096
#define EXIT_NOT_BEGUN  128
#define REVISION_LABEL  "serving.knative.dev/revision"

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
    runtime_cleanup(c);
    container_set_state(c, CT_DONE);
    pod_stop_step(c->pod);
}

/* ---- preparing ---- */
static void config_failed(struct container *c, const struct err *why, bool ours)
{
    pod_warn(c->pod, "Failed", "Error: %s", why->msg);
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
    struct pod *pod = c->pod;
    struct pod_facts facts;
    char group[128];
    pod_facts_fill(pod, &facts);
    p->pod = kobj_ref(pod->spec);
    p->container = c->spec;
    p->image = image_ref_get(c->image);
    int r = env_build(&facts, c->spec, yyjson_doc_get_root(c->image->config), &p->env, e);
    if (r == 0)
        r = volumes_plan(&facts, &p->volumes, e);
    if (r < 0)
        return r;
    p->make_volumes = !pod->volumes_made;
    p->pod_dir = xstrdup(pod->dir);
    p->dir = container_dir(c);
    p->log_path = container_log(c, c->attempt);
    p->hosts = pod_hosts(pod);
    p->resolv_conf = pod_resolv_conf(pod);
    p->netns = xstrdup(pod->net->path);
    container_cgroup(c, group, sizeof group);
    p->cgroup = xstrdup(group);
    p->node_memory = pod->node->memory;
    p->max_files = pod->node->max_files;
    p->may_protect = pod->node->may_protect;
    p->cgroup_v2 = pod->node->cgroups == CGROUP_V2;
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
    struct pod *p = c->pod;
    struct err why = s->prepare->err;
    if (!why.code && p->state == POD_ACTIVE) {
        launch(s);
        pod_release(p);
        return;
    }
    if (why.code && s->prepare->make_volumes)
        p->volumes_made = false;
    start_free(s);
    if (p->state != POD_ACTIVE)
        abandon(c);
    else
        config_failed(c, &why, why.code == -EINVAL || why.code == -EACCES);
    pod_release(p);
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
    c->pod->volumes_made = true;
    container_set_state(c, CT_PREPARING);
    pod_hold(c->pod);
    worker_do(c->pod->node->worker, prepare_work, prepared, s);
}

/* ---- running ---- */
static void unmount_work(void *arg)
{
    rootfs_unmount(arg);
}

/* The process has its own mount by now; ours would only be copied into every later container. */
static void drop_mount(struct node *n, char *dir)
{
    worker_do(n->worker, unmount_work, free, dir);
}

/* The runtime's complaint went into the log, which holds nothing else yet. */
static void not_begun(struct container *c, const struct proc_result *r)
{
    _cleanup_free_ char *log = container_log(c, c->attempt);
    _cleanup_free_ char *said = file_read(log, MAX_MESSAGE, NULL);
    struct termination t = {.set = true, .exit_code = EXIT_NOT_BEGUN};
    snprintf(t.reason, sizeof t.reason, "StartError");
    snprintf(t.container_id, sizeof t.container_id, "%s", c->id);
    t.message = xasprintf("failed to start container \"%s\": %s", c->name,
                          r->err.code     ? r->err.msg
                          : said && *said ? said
                                          : "no reason given");
    t.started_ns = t.finished_ns = clock_wall_ns();
    container_ended(c, &t);
}

static pid_t read_pid(const char *path)
{
    _cleanup_free_ char *text = file_read(path, 32, NULL);
    return text ? (pid_t)strtol(text, NULL, 10) : 0;
}

static void mark(const struct container *c, enum cold_stage stage)
{
    const char *revision = kobj_label(c->pod->obj, REVISION_LABEL);
    if (revision && !c->init)
        coldtrace_mark(kobj_namespace(c->pod->obj), revision, stage);
}

static void launched(void *ctx, const struct proc_result *r)
{
    struct start *s = ctx;
    struct container *c = s->c;
    struct pod *p = c->pod;
    pid_t pid = r->exit_code == 0 && !r->err.code ? read_pid(s->pid_file) : 0;
    node_reap_soon(p->node);
    drop_mount(p->node, steal(&s->dir));
    start_free(s);
    if (pid > 0)
        container_running(c, pid);
    else
        not_begun(c, r);
    pod_release(p);
}

static void launch(struct start *s)
{
    struct container *c = s->c;
    s->dir = container_dir(c);
    s->pid_file = xasprintf("%s/pid", s->dir);
    unlink(s->pid_file);
    container_set_state(c, CT_STARTING);
    pod_hold(c->pod);
    runtime_run(c->pod->node, c->id, s->dir, s->pid_file, s->prepare->log_fd, launched, s);
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

void container_running(struct container *c, pid_t pid)
{
    struct pod *p = c->pod;
    c->pid = pid;
    c->pid_start = process_start_time(pid);
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    c->started_ns = clock_wall_ns();
    c->killed_by_probe = false;
    set_image_id(c);
    container_set_state(c, CT_RUNNING);
    mark(c, COLD_STARTED);
    if (p->state != POD_ACTIVE) {
        exit_watch_start(c);
        pod_stop_step(p);
        return;
    }
    container_probes_start(c);
    exit_watch_start(c);
    state_save(p);
    pod_status(p);
}

int container_adopt(struct container *c, struct err *e)
{
    int fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (fd < 0)
        return err_sys(e, errno, "adopting process %d of container %s", c->pid, c->name);
    if (process_start_time(c->pid) != c->pid_start) {
        close(fd);
        return err_set(e, -ESRCH, "process %d is not container %s's any more", c->pid, c->name);
    }
    c->pidfd = fd;
    const char *image = jget_str(c->spec, "image");
    c->image = image ? image_store_find(c->pod->node->o.images, image) : NULL;
    container_set_state(c, CT_RUNNING);
    return 0;
}
