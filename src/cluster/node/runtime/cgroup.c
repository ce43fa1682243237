/*
 * The runtime refuses a machine with both versions, so on such a machine it runs in a mount
 * namespace whose /sys/fs/cgroup holds only the v1 controllers that matter to containers; fewer
 * controllers also make a start faster. The kernel interface files are the same whichever view one
 * has, so what is done here works on the machine's own mounts.
 */
#include "cluster/node/runtime/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define ROOT     "/sys/fs/cgroup"
#define PATH_LEN 512

/* Controllers that containers are given; freezer because the runtime asks it whether one is paused.
 */
static const char *const KEPT[] = {"cpu",     "cpuacct", "memory", "pids",
                                   "devices", "freezer", "systemd"};

static long magic_of(const char *path)
{
    struct statfs s;
    return statfs(path, &s) == 0 ? (long)s.f_type : 0;
}

int cgroup_detect(enum cgroup_mode *ret, struct err *e)
{
    long root = magic_of(ROOT);
    if (root == CGROUP2_SUPER_MAGIC) {
        *ret = CGROUP_V2;
        return 0;
    }
    if (root != TMPFS_MAGIC || magic_of(ROOT "/memory") != CGROUP_SUPER_MAGIC)
        return err_set(e, -ENOTSUP,
                       "no control groups at " ROOT ": mount them (systemd does; otherwise: mount "
                       "-t cgroup2 none " ROOT ", or install the package cgroupfs-mount)");
    *ret = magic_of(ROOT "/unified") == CGROUP2_SUPER_MAGIC ? CGROUP_HYBRID : CGROUP_V1;
    return 0;
}

/* ---- the runtime's view ---- */
static bool is_kept(const char *directory)
{
    struct str rest = str_of(directory), part;
    while (str_split(&rest, ',', &part))
        for (size_t i = 0; i < ARRAY_LEN(KEPT); i++)
            if (str_eq(part, str_of(KEPT[i])))
                return true;
    return false;
}

/* One entry of the old root ("cpu,cpuacct", or a link "cpu" to it) into the new one, which is `to`.
 */
static int copy_entry(int from, const char *to, const char *name, struct err *e)
{
    char target[PATH_LEN], source[64], link[256];
    snprintf(target, sizeof target, "%s/%s", to, name);
    ssize_t n = readlinkat(from, name, link, sizeof link - 1);
    if (n > 0) {
        link[n] = 0;
        if (symlink(link, target) < 0)
            return err_sys(e, errno, "linking %s", target);
        return 0;
    }
    _cleanup_close_ int dir = openat(from, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return 0;
    snprintf(source, sizeof source, "/proc/thread-self/fd/%d", dir);
    if (mkdir(target, 0755) < 0 || mount(source, target, NULL, MS_BIND, NULL) < 0)
        return err_sys(e, errno, "binding controller %s in the runtime's mount namespace", name);
    return 0;
}

static int fill_view(int from, const char *to, struct err *e)
{
    int copy = dup(from);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d)
        return err_sys(e, errno, "reading " ROOT);
    int r = 0;
    for (struct dirent *de; r == 0 && (de = readdir(d));)
        if (is_kept(de->d_name))
            r = copy_entry(from, to, de->d_name, e);
    closedir(d);
    return r;
}

/* Built beside (on scratch) and then moved over the root, whose entries are still needed until
 * then. */
static int v1_view(const char *scratch, struct err *e)
{
    _cleanup_close_ int from = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0)
        return err_sys(e, errno, "opening " ROOT);
    if (mount("tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") < 0)
        return err_sys(e, errno, "mounting a tmpfs on %s", scratch);
    int r = fill_view(from, scratch, e);
    if (r < 0)
        return r;
    if (mount(scratch, ROOT, NULL, MS_MOVE, NULL) < 0)
        return err_sys(e, errno, "moving the controllers over " ROOT);
    return 0;
}

int cgroup_prepare_view(enum cgroup_mode mode, const char *scratch, struct err *e)
{
    int r = mode == CGROUP_V2 ? 0 : v1_view(scratch, e);
    if (r < 0)
        return r;
    /* An empty named hierarchy carries the option for the whole machine while it is mounted. The
     * result does not matter: an older kernel refuses it, and starts are slower then. */
    mount("none", scratch, "cgroup", 0, "none,name=nonagon,favordynmods");
    return 0;
}

/* ---- a container's groups ---- */
/* Calls fn with the full path of the group in each hierarchy until it returns nonzero. */
static int each_hierarchy(enum cgroup_mode mode, const char *path,
                          int (*fn)(void *ctx, const char *full), void *ctx)
{
    char full[PATH_LEN];
    if (mode == CGROUP_V2) {
        snprintf(full, sizeof full, ROOT "%s", path);
        return fn(ctx, full);
    }
    DIR *d = opendir(ROOT);
    int r = 0;
    for (struct dirent *de; d && r == 0 && (de = readdir(d));) {
        if (de->d_name[0] == '.' || de->d_type == DT_LNK)
            continue;
        snprintf(full, sizeof full, ROOT "/%.200s%.250s", de->d_name, path);
        r = fn(ctx, full);
    }
    if (d)
        closedir(d);
    return r;
}

static uint64_t read_field(const char *file, const char *field)
{
    FILE *f = fopen(file, "re");
    char name[64];
    unsigned long long v, ret = 0;
    while (f && fscanf(f, "%63s %llu", name, &v) == 2)
        if (streq(name, field))
            ret = v;
    if (f)
        fclose(f);
    return ret;
}

uint64_t cgroup_oom_kills(enum cgroup_mode mode, const char *path)
{
    char file[PATH_LEN];
    if (mode == CGROUP_V2)
        snprintf(file, sizeof file, ROOT "%s/memory.events", path);
    else
        snprintf(file, sizeof file, ROOT "/memory%s/memory.oom_control", path);
    return read_field(file, "oom_kill");
}

/* ---- killing ---- */
static bool put(const char *group, const char *file, const char *text)
{
    char path[PATH_LEN + 32];
    snprintf(path, sizeof path, "%s/%s", group, file);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) > 0;
}

static int kill_in(void *ctx, const char *full)
{
    char file[PATH_LEN + 16];
    snprintf(file, sizeof file, "%s/cgroup.procs", full);
    FILE *f = fopen(file, "re");
    int pid;
    while (f && fscanf(f, "%d", &pid) == 1)
        if (pid > 1)
            kill(pid, SIGKILL);
    if (f)
        fclose(f);
    return 0;
}

/* While it is frozen none of its processes ends or begins, so what is read is what is killed. */
static void kill_frozen(enum cgroup_mode mode, const char *path)
{
    char freezer[PATH_LEN];
    snprintf(freezer, sizeof freezer, ROOT "/freezer%s", path);
    put(freezer, "freezer.state", "FROZEN");
    each_hierarchy(mode, path, kill_in, NULL);
    put(freezer, "freezer.state", "THAWED");
}

void cgroup_kill(enum cgroup_mode mode, const char *path)
{
    char full[PATH_LEN];
    snprintf(full, sizeof full, ROOT "%s", path);
    if (mode != CGROUP_V2)
        kill_frozen(mode, path);
    else if (!put(full, "cgroup.kill", "1")) /* kernels before 5.14 */
        kill_in(NULL, full);
}

static int remove_in(void *ctx, const char *full)
{
    if (rmdir(full) < 0 && errno != ENOENT)
        *(bool *)ctx = false;
    return 0;
}

bool cgroup_remove(enum cgroup_mode mode, const char *path)
{
    bool all = true;
    each_hierarchy(mode, path, remove_in, &all);
    return all;
}

struct each_child {
    void (*fn)(void *ctx, const char *name);
    void *ctx;
};

static int children_in(void *ctx, const char *full)
{
    struct each_child *c = ctx;
    DIR *d = opendir(full);
    for (struct dirent *de; d && (de = readdir(d));)
        if (de->d_type == DT_DIR && de->d_name[0] != '.')
            c->fn(c->ctx, de->d_name);
    if (d)
        closedir(d);
    return 0;
}

void cgroup_each(enum cgroup_mode mode, const char *path, void (*fn)(void *ctx, const char *name),
                 void *ctx)
{
    struct each_child c = {fn, ctx};
    each_hierarchy(mode, path, children_in, &c);
}
