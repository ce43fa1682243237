/*
 * crun is always called with its state beneath our own directory and with plain control group
 * files, in the worker's mount namespace. Its errors go where its output goes: into the container's
 * fresh log.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "cluster/node/files.h"
#include "cluster/node/node_impl.h"
#include "cluster/node/rootfs.h"

#define RUN_TIMEOUT_MS  60000
#define REAP_AFTER_MS   100
#define UNCLAIMED_TRIES 100

struct proc *runtime_run(struct node *n, const char *id, const char *bundle, const char *pid_file,
                         int log_fd, void (*done)(void *ctx, const struct proc_result *r),
                         void *ctx)
{
    const char *const argv[] = {"crun",       "--cgroup-manager=cgroupfs",
                                "--root",     n->runtime_root,
                                "run",        "--detach",
                                "--bundle",   bundle,
                                "--pid-file", pid_file,
                                id,           NULL};
    struct proc_opts o = {.argv = argv,
                          .timeout_ms = RUN_TIMEOUT_MS,
                          .out_fd = log_fd,
                          .mnt_ns_fd = worker_mnt_ns(n->worker)};
    return proc_start(n->loop, &o, done, ctx);
}

struct proc *runtime_exec(struct node *n, const char *id, const yyjson_val *command,
                          uint64_t timeout_ms, void (*done)(void *ctx, const struct proc_result *r),
                          void *ctx)
{
    VEC(const char *) argv = {0};
    const char *const head[] = {
        "crun", "--cgroup-manager=cgroupfs", "--root", n->runtime_root, "exec", id};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        vec_push(&argv, head[i]);
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach((yyjson_val *)command, i, max, v)
    {
        if (yyjson_is_str(v))
            vec_push(&argv, yyjson_get_str(v));
    }
    vec_push(&argv, NULL);
    struct proc_opts o = {
        .argv = argv.p, .timeout_ms = timeout_ms, .mnt_ns_fd = worker_mnt_ns(n->worker)};
    struct proc *p = proc_start(n->loop, &o, done, ctx);
    vec_done(&argv);
    return p;
}

void runtime_forget(struct node *n, const char *id)
{
    char group[128];
    snprintf(group, sizeof group, "%s/%s", n->cgroup_parent, id);
    for (int tries = 0; tries < 20 && !cgroup_remove(n->cgroups, group); tries++) {
        cgroup_kill(n->cgroups, group);
        usleep(2000);
    }
    _cleanup_free_ char *state = xasprintf("%s/%s", n->runtime_root, id);
    files_remove(state);
}

struct cleanup {
    struct pod *pod;
    char id[65];
    char *dir;
};

static void cleanup_work(void *arg)
{
    struct cleanup *k = arg;
    runtime_forget(k->pod->node, k->id);
    rootfs_unmount(k->dir);
}

static void cleanup_done(void *arg)
{
    struct cleanup *k = arg;
    pod_release(k->pod);
    free(k->dir);
    free(k);
}

void runtime_cleanup(struct container *c)
{
    if (!c->id[0])
        return;
    struct cleanup *k = xnew(struct cleanup);
    k->pod = c->pod;
    snprintf(k->id, sizeof k->id, "%s", c->id);
    k->dir = container_dir(c);
    pod_hold(k->pod);
    worker_do(c->pod->node->worker, cleanup_work, cleanup_done, k);
}

/*
 * The runtime leaves a helper process behind that becomes our child. Such children are in the
 * process group of another, while our programs and containers lead their own and are waited for by
 * id: so helpers alone are reaped here, and what nobody has claimed for long.
 */
static bool is_claimed(struct node *n, pid_t pid)
{
    if (getpgid(pid) != pid)
        return false;
    n->unclaimed_for = n->unclaimed == pid ? n->unclaimed_for + 1 : 0;
    n->unclaimed = pid;
    return n->unclaimed_for < UNCLAIMED_TRIES;
}

static void reap(void *ctx)
{
    struct node *n = ctx;
    siginfo_t si = {0};
    while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid) {
        if (is_claimed(n, si.si_pid)) {
            timer_start(n->reaper, REAP_AFTER_MS); /* others may lie behind it */
            return;
        }
        waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG);
        si = (siginfo_t){0};
    }
}

void node_reap_soon(struct node *n)
{
    if (!timer_active(n->reaper))
        timer_start(n->reaper, REAP_AFTER_MS);
}

struct timer *node_reaper(struct node *n)
{
    return timer_new(n->loop, reap, n);
}
