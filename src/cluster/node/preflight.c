/* What this machine must have before anything is started. */
#include <errno.h>
#include <unistd.h>

#include "cluster/node/node.h"
#include "cluster/node/runtime/cgroup.h"
#include "cluster/node/runtime/rootfs.h"
#include "net/proc.h"

#define RUNTIME_TIMEOUT_MS 10000

static int find_runtime(struct err *e)
{
    const char *const argv[] = {"crun", "--version", NULL};
    struct proc_opts o = {.argv = argv, .timeout_ms = RUNTIME_TIMEOUT_MS};
    _cleanup_free_ char *out = NULL;
    int r = proc_run(&o, &out, e);
    if (r < 0)
        return err_prefix(e, "crun, which runs the containers, is missing; install it: apt "
                             "install crun");
    return r == 0 ? 0 : err_set(e, -ENOEXEC, "crun --version fails: %s", out ? out : "");
}

int node_preflight(struct err *e)
{
    enum cgroup_mode mode;
    if (geteuid() != 0)
        return err_set(e, -EPERM, "running pods needs root: start as root (sudo nonagon …)");
    int r = find_runtime(e);
    if (r == 0)
        r = cgroup_detect(&mode, e);
    return r == 0 ? rootfs_supported(e) : r;
}
