/*
 * crun is always called with its state beneath our own directory and with plain control group
 * files, in the worker's mount namespace. Its errors go where its output goes: into the container's
 * fresh log.
 *
 * crun protects itself from the containers by running from a copy that cannot be written to: unless
 * it is one already it makes one at each start and executes itself a second time. So it is kept as
 * such a copy, a sealed memory file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "cluster/node/runtime/files.h"
#include "cluster/node/runtime/runtime.h"

#define RUN_TIMEOUT_MS  60000
#define REAP_AFTER_MS   100
#define UNCLAIMED_TRIES 100

#define PROGRAM "crun"
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

struct runtime {
    struct loop *loop;
    struct runtime_worker *worker;
    enum cgroup_mode cgroups;
    char cgroup_parent[32]; /* "/nonagon-1a2b3c4d": this data directory's own */
    char *root;             /* its state */
    char *scratch;          /* the worker's */
    char *program;          /* what to execute */
    int program_fd;
    struct timer *reaper;
    pid_t unclaimed; /* a dead child nobody has come for yet, and for how long */
    int unclaimed_for;
};

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

static void load(struct runtime *r)
{
    _cleanup_close_ int from = open_program();
    _cleanup_close_ int to = from < 0 ? -1 : new_memory_file();
    r->program_fd = -1;
    r->program = xstrdup(PROGRAM);
    if (to < 0 || !copy_sealed(from, to))
        return; /* then it copies itself */
    r->program_fd = steal_fd(&to);
    free(r->program);
    r->program = xasprintf("/proc/%d/fd/%d", getpid(), r->program_fd);
    const char *const argv[] = {r->program, "--version", NULL};
    if (proc_run(&(struct proc_opts){.argv = argv}, NULL, NULL) == 0)
        return;
    free(r->program); /* memory files may not be executed here */
    r->program = xstrdup(PROGRAM);
}

/* ---- calling it ---- */
struct proc *runtime_run(struct runtime *r, const char *id, const char *bundle,
                         const char *pid_file, int log_fd,
                         void (*done)(void *ctx, const struct proc_result *res), void *ctx)
{
    const char *const argv[] = {r->program,   "--cgroup-manager=cgroupfs",
                                "--root",     r->root,
                                "run",        "--detach",
                                "--bundle",   bundle,
                                "--pid-file", pid_file,
                                id,           NULL};
    struct proc_opts o = {.argv = argv,
                          .timeout_ms = RUN_TIMEOUT_MS,
                          .out_fd = log_fd,
                          .mnt_ns_fd = runtime_worker_mnt_ns(r->worker)};
    return proc_start(r->loop, &o, done, ctx);
}

struct proc *runtime_exec(struct runtime *r, const char *id, const yyjson_val *command,
                          uint64_t timeout_ms,
                          void (*done)(void *ctx, const struct proc_result *res), void *ctx)
{
    VEC(const char *) argv = {0};
    const char *const head[] = {r->program, "--cgroup-manager=cgroupfs", "--root", r->root, "exec",
                                id};
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
        .argv = argv.p, .timeout_ms = timeout_ms, .mnt_ns_fd = runtime_worker_mnt_ns(r->worker)};
    struct proc *p = proc_start(r->loop, &o, done, ctx);
    vec_done(&argv);
    return p;
}

void runtime_forget(struct runtime *r, const char *id)
{
    char group[128];
    snprintf(group, sizeof group, "%s/%s", r->cgroup_parent, id);
    for (int tries = 0; tries < 20 && !cgroup_remove(r->cgroups, group); tries++) {
        cgroup_kill(r->cgroups, group);
        usleep(2000);
    }
    _cleanup_free_ char *state = xasprintf("%s/%s", r->root, id);
    (void)file_remove_tree(AT_FDCWD, state, NULL); /* what stays is removed at the next start */
}

/*
 * The runtime leaves a helper process behind that becomes our child. Such children are in the
 * process group of another, while our programs and containers lead their own and are waited for by
 * id: so helpers alone are reaped here, and what nobody has claimed for long.
 */
static bool is_claimed(struct runtime *r, pid_t pid)
{
    if (getpgid(pid) != pid)
        return false;
    r->unclaimed_for = r->unclaimed == pid ? r->unclaimed_for + 1 : 0;
    r->unclaimed = pid;
    return r->unclaimed_for < UNCLAIMED_TRIES;
}

static void reap(void *ctx)
{
    struct runtime *r = ctx;
    siginfo_t si = {0};
    while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid) {
        if (is_claimed(r, si.si_pid)) {
            timer_start(r->reaper, REAP_AFTER_MS); /* others may lie behind it */
            return;
        }
        waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG);
        si = (siginfo_t){0};
    }
}

void runtime_reap_soon(struct runtime *r)
{
    if (!timer_active(r->reaper))
        timer_start(r->reaper, REAP_AFTER_MS);
}

/* ---- life ---- */
static int make(struct runtime *r, const char *dir, struct err *e)
{
    int code = files_mkdirs(r->root, 0700, e);
    if (code == 0)
        code = files_mkdirs(r->scratch, 0700, e);
    if (code == 0)
        code = cgroup_detect(&r->cgroups, e);
    if (code < 0)
        return code;
    snprintf(r->cgroup_parent, sizeof r->cgroup_parent, "/nonagon-%08x",
             hash_fnv32(dir, strlen(dir)));
    r->worker = runtime_worker_new(r->loop, r->cgroups, r->scratch, e);
    if (!r->worker)
        return -EIO;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return err_sys(e, errno, "becoming the reaper of containers");
    load(r);
    return 0;
}

struct runtime *runtime_new(struct loop *l, const char *dir, struct err *e)
{
    struct runtime *r = xnew(struct runtime);
    r->loop = l;
    r->root = xasprintf("%s/crun", dir);
    r->scratch = xasprintf("%s/mnt", dir);
    r->program_fd = -1;
    r->reaper = timer_new(l, reap, r);
    if (make(r, dir, e) == 0)
        return r;
    runtime_free(r);
    return NULL;
}

void runtime_free(struct runtime *r)
{
    if (!r)
        return;
    timer_free(r->reaper);
    runtime_worker_free(r->worker);
    if (r->cgroup_parent[0])
        cgroup_remove(r->cgroups, r->cgroup_parent); /* stays while containers are left running */
    closep(&r->program_fd);
    free(r->program);
    free(r->root);
    free(r->scratch);
    free(r);
}

struct runtime_worker *runtime_get_worker(const struct runtime *r)
{
    return r->worker;
}

/* ---- control groups ---- */
bool runtime_cgroup_v2(const struct runtime *r)
{
    return r->cgroups == CGROUP_V2;
}

void runtime_cgroup_of(const struct runtime *r, const char *id, char *ret, size_t size)
{
    snprintf(ret, size, "%s/%s", r->cgroup_parent, id);
}

bool runtime_was_oom(const struct runtime *r, const char *id)
{
    char group[128];
    runtime_cgroup_of(r, id, group, sizeof group);
    return cgroup_oom_kills(r->cgroups, group) > 0;
}

void runtime_each(struct runtime *r, void (*fn)(void *ctx, const char *id), void *ctx)
{
    cgroup_each(r->cgroups, r->cgroup_parent, fn, ctx);
    DIR *d = opendir(r->root);
    for (struct dirent *de; d && (de = readdir(d));)
        if (de->d_name[0] != '.')
            fn(ctx, de->d_name);
    if (d)
        closedir(d);
}

uint64_t runtime_process_start(pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    _cleanup_free_ char *text = file_read(path, 4096, NULL);
    char *p = text ? strrchr(text, ')') : NULL;
    if (!p)
        return 0;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}
