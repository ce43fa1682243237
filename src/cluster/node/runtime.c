/*
 * crun is always called with its state beneath our own directory and with plain control group
 * files, in the worker's mount namespace. Its errors go where its output goes: into the container's
 * fresh log.
 *
 * crun protects itself from the containers by running from a copy that cannot be written to: unless
 * it is one already it makes one at each start and executes itself a second time. So it is kept as
 * such a copy, a sealed memory file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "cluster/node/files.h"
#include "cluster/node/node_impl.h"
#include "cluster/node/rootfs.h"

#define RUN_TIMEOUT_MS  60000
#define REAP_AFTER_MS   100
#define UNCLAIMED_TRIES 100

#define PROGRAM "crun"
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

/* ---- the program ---- */
static int open_program(void)
{
    const char *path = getenv("PATH");
    struct str rest = str_of(path ? path : "/usr/bin:/usr/local/bin"), dir;
    while (str_split(&rest, ':', &dir)) {
        _cleanup_free_ char *file = xasprintf(STR_FMT "/" PROGRAM, STR_ARG(dir));
        int fd = access(file, X_OK) == 0 ? open(file, O_RDONLY | O_CLOEXEC) : -1;
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static int new_memory_file(void)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(PROGRAM, flags | MFD_EXEC);
    return fd >= 0 ? fd : memfd_create(PROGRAM, flags); /* before Linux 6.3 */
}

static bool copy_sealed(int from, int to)
{
    struct stat st;
    off_t at = 0;
    if (fstat(from, &st) < 0)
        return false;
    while (at < st.st_size)
        if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0)
            return false;
    return fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
}

void runtime_load(struct node *n)
{
    _cleanup_close_ int from = open_program();
    _cleanup_close_ int to = from < 0 ? -1 : new_memory_file();
    n->runtime_fd = -1;
    n->runtime = xstrdup(PROGRAM);
    if (to < 0 || !copy_sealed(from, to))
        return; /* then it copies itself */
    n->runtime_fd = steal_fd(&to);
    free(n->runtime);
    n->runtime = xasprintf("/proc/%d/fd/%d", getpid(), n->runtime_fd);
    const char *const argv[] = {n->runtime, "--version", NULL};
    if (proc_run(&(struct proc_opts){.argv = argv}, NULL, NULL) == 0)
        return;
    free(n->runtime); /* memory files may not be executed here */
    n->runtime = xstrdup(PROGRAM);
}

/* ---- calling it ---- */
struct proc *runtime_run(struct node *n, const char *id, const char *bundle, const char *pid_file,
                         int log_fd, void (*done)(void *ctx, const struct proc_result *r),
                         void *ctx)
{
    const char *const argv[] = {n->runtime,   "--cgroup-manager=cgroupfs",
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
        n->runtime, "--cgroup-manager=cgroupfs", "--root", n->runtime_root, "exec", id};
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
