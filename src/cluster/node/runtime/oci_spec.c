/*
 * One function per part of the document. What no field of the Pod decides follows Docker's
 * defaults: its set of capabilities, masked and read-only paths, device nodes (which the runtime
 * adds by itself) and file systems.
 */
#include "cluster/node/runtime/oci_spec.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "kube/names.h"
#include "kube/podspec.h"

#define CPU_PERIOD_US 100000

static const char *const DEFAULT_CAPABILITIES[] = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",      "CAP_FOWNER",          "CAP_MKNOD",
    "CAP_NET_RAW", "CAP_SETGID",       "CAP_SETUID",      "CAP_SETFCAP",         "CAP_SETPCAP",
    "CAP_KILL",    "CAP_SYS_CHROOT",   "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE"};
static const char *const ALL_CAPABILITIES[] = {"CAP_CHOWN",
                                               "CAP_DAC_OVERRIDE",
                                               "CAP_DAC_READ_SEARCH",
                                               "CAP_FOWNER",
                                               "CAP_FSETID",
                                               "CAP_KILL",
                                               "CAP_SETGID",
                                               "CAP_SETUID",
                                               "CAP_SETPCAP",
                                               "CAP_LINUX_IMMUTABLE",
                                               "CAP_NET_BIND_SERVICE",
                                               "CAP_NET_BROADCAST",
                                               "CAP_NET_ADMIN",
                                               "CAP_NET_RAW",
                                               "CAP_IPC_LOCK",
                                               "CAP_IPC_OWNER",
                                               "CAP_SYS_MODULE",
                                               "CAP_SYS_RAWIO",
                                               "CAP_SYS_CHROOT",
                                               "CAP_SYS_PTRACE",
                                               "CAP_SYS_PACCT",
                                               "CAP_SYS_ADMIN",
                                               "CAP_SYS_BOOT",
                                               "CAP_SYS_NICE",
                                               "CAP_SYS_RESOURCE",
                                               "CAP_SYS_TIME",
                                               "CAP_SYS_TTY_CONFIG",
                                               "CAP_MKNOD",
                                               "CAP_LEASE",
                                               "CAP_AUDIT_WRITE",
                                               "CAP_AUDIT_CONTROL",
                                               "CAP_SETFCAP",
                                               "CAP_MAC_OVERRIDE",
                                               "CAP_MAC_ADMIN",
                                               "CAP_SYSLOG",
                                               "CAP_WAKE_ALARM",
                                               "CAP_BLOCK_SUSPEND",
                                               "CAP_AUDIT_READ"};
static const char *const MASKED_PATHS[] = {"/proc/asound",
                                           "/proc/acpi",
                                           "/proc/kcore",
                                           "/proc/keys",
                                           "/proc/latency_stats",
                                           "/proc/timer_list",
                                           "/proc/timer_stats",
                                           "/proc/sched_debug",
                                           "/proc/scsi",
                                           "/sys/firmware",
                                           "/sys/devices/virtual/powercap"};
static const char *const READONLY_PATHS[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                             "/proc/sysrq-trigger"};

/* ---- resources ---- */
static int quantity_at(const yyjson_val *container, const char *kind, const char *name, bool milli,
                       int64_t *ret, struct err *e)
{
    yyjson_val *v = jget(container, "resources", kind, name);
    *ret = -1;
    if (!v)
        return 0;
    char number[32];
    const char *text = yyjson_get_str(v);
    if (!text) {
        snprintf(number, sizeof number, "%lld", (long long)yyjson_get_sint(v));
        text = number;
    }
    int r = milli ? quantity_parse_milli(text, ret, e) : quantity_parse(text, ret, e);
    return r < 0 ? err_prefix(e, "resources.%s.%s", kind, name) : 0;
}

int oci_resources_read(const yyjson_val *container, struct oci_resources *ret, struct err *e)
{
    int r = quantity_at(container, "requests", "cpu", true, &ret->cpu_request_milli, e);
    if (r == 0)
        r = quantity_at(container, "limits", "cpu", true, &ret->cpu_limit_milli, e);
    if (r == 0)
        r = quantity_at(container, "requests", "memory", false, &ret->memory_request, e);
    if (r == 0)
        r = quantity_at(container, "limits", "memory", false, &ret->memory_limit, e);
    if (r < 0)
        return r;
    if (ret->cpu_request_milli < 0)
        ret->cpu_request_milli = ret->cpu_limit_milli;
    if (ret->memory_request < 0)
        ret->memory_request = ret->memory_limit;
    return 0;
}

const char *pod_qos_class(const yyjson_val *pod)
{
    bool any = false, guaranteed = true;
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i, max;
        yyjson_val *c;
        yyjson_arr_foreach(jget(pod, "spec", lists[l]), i, max, c)
        {
            struct oci_resources r = {-1, -1, -1, -1};
            if (oci_resources_read(c, &r, NULL) < 0)
                continue;
            any |= r.cpu_request_milli > 0 || r.memory_request > 0;
            guaranteed &= r.cpu_limit_milli > 0 && r.memory_limit > 0 &&
                          r.cpu_limit_milli == r.cpu_request_milli &&
                          r.memory_limit == r.memory_request;
        }
    }
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

/* The kubelet's rule: who uses less than asked for is killed last. */
static int oom_score(const struct oci_input *in, const struct oci_resources *r)
{
    const char *qos = pod_qos_class(in->pod);
    if (streq(qos, "Guaranteed"))
        return in->may_protect ? -997 : 0;
    if (streq(qos, "BestEffort") || in->node_memory <= 0)
        return 1000;
    int64_t request = r->memory_request > 0 ? r->memory_request : 0;
    int64_t score = 1000 - 1000 * request / in->node_memory;
    return score < 3 ? 3 : score > 999 ? 999 : (int)score;
}

static void set_resources(yyjson_mut_doc *d, yyjson_mut_val *root, const struct oci_resources *r)
{
    yyjson_mut_val *o = jm_obj(d, root, "linux", "resources");
    yyjson_mut_val *deny = jm_add_obj(d, jm_arr(d, o, "devices"));
    jm_set_bool(d, deny, false, "allow");
    jm_set_str(d, deny, "rwm", "access");
    jm_set_int(d, o, LIMIT_CONTAINER_PIDS, "pids", "limit");
    int64_t shares = r->cpu_request_milli > 0 ? r->cpu_request_milli * 1024 / 1000 : 2;
    jm_set_int(d, o, shares < 2 ? 2 : shares > 262144 ? 262144 : shares, "cpu", "shares");
    if (r->cpu_limit_milli > 0) {
        int64_t quota = r->cpu_limit_milli * CPU_PERIOD_US / 1000;
        jm_set_int(d, o, quota < 1000 ? 1000 : quota, "cpu", "quota");
        jm_set_int(d, o, CPU_PERIOD_US, "cpu", "period");
    }
    if (r->memory_limit > 0)
        jm_set_int(d, o, r->memory_limit, "memory", "limit");
}

/* ---- process ---- */
static void add_args(yyjson_mut_doc *d, yyjson_mut_val *args, const yyjson_val *list,
                     const struct env *env)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach((yyjson_val *)list, i, max, v)
    {
        const char *text = yyjson_get_str(v);
        if (!text)
            continue;
        _cleanup_free_ char *expanded = env ? env_expand(env, text) : NULL;
        jm_add_str(d, args, expanded ? expanded : text);
    }
}

/* command replaces the image's entrypoint and command; args alone replaces its command. */
static int set_args(const struct oci_input *in, yyjson_mut_doc *d, yyjson_mut_val *process,
                    struct err *e)
{
    yyjson_mut_val *out = jm_arr(d, process, "args");
    yyjson_val *command = jget(in->container, "command"), *args = jget(in->container, "args");
    if (yyjson_arr_size(command))
        add_args(d, out, command, in->env);
    else
        add_args(d, out, jget(in->image_config, "config", "Entrypoint"), NULL);
    if (yyjson_arr_size(args))
        add_args(d, out, args, in->env);
    else if (!yyjson_arr_size(command))
        add_args(d, out, jget(in->image_config, "config", "Cmd"), NULL);
    if (yyjson_mut_arr_size(out))
        return 0;
    return err_set(e, -EINVAL,
                   "no command specified: the image has no entrypoint and container "
                   "%s gives none",
                   jget_str(in->container, "name"));
}

static void set_user(const struct oci_user *u, yyjson_mut_doc *d, yyjson_mut_val *process)
{
    jm_set_int(d, process, u->uid, "user", "uid");
    jm_set_int(d, process, u->gid, "user", "gid");
    jm_set_int(d, process, 022, "user", "umask");
    yyjson_mut_val *groups = jm_arr(d, process, "user", "additionalGids");
    for (size_t i = 0; i < u->groups.n; i++)
        yyjson_mut_arr_add_uint(d, groups, u->groups.p[i]);
}

static bool cap_listed(const yyjson_val *list, const char *cap)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach((yyjson_val *)list, i, max, v)
    {
        const char *name = yyjson_get_str(v);
        if (streq(name, "ALL") || streq(name, cap) || streq(name, cap + strlen("CAP_")))
            return true;
    }
    return false;
}

static bool is_default_cap(const char *cap)
{
    for (size_t i = 0; i < ARRAY_LEN(DEFAULT_CAPABILITIES); i++)
        if (streq(DEFAULT_CAPABILITIES[i], cap))
            return true;
    return false;
}

/* A name in `add` wins over ALL in `drop`, as in every runtime. */
static void set_capabilities(const yyjson_val *container, yyjson_mut_doc *d,
                             yyjson_mut_val *process)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    const yyjson_val *add = jget(container, "securityContext", "capabilities", "add");
    const yyjson_val *drop = jget(container, "securityContext", "capabilities", "drop");
    for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
        yyjson_mut_val *out = jm_arr(d, process, "capabilities", sets[s]);
        for (size_t i = 0; i < ARRAY_LEN(ALL_CAPABILITIES); i++) {
            const char *cap = ALL_CAPABILITIES[i];
            if (cap_listed(add, cap) || (is_default_cap(cap) && !cap_listed(drop, cap)))
                jm_add_str(d, out, cap);
        }
    }
}

static const char *working_dir(const struct oci_input *in)
{
    const char *own = jget_str(in->container, "workingDir");
    const char *image = jget_str(in->image_config, "config", "WorkingDir");
    const char *dir = own && *own ? own : image;
    return dir && *dir == '/' ? dir : "/";
}

static int set_process(const struct oci_input *in, yyjson_mut_doc *d, yyjson_mut_val *root,
                       const struct oci_resources *r, struct err *e)
{
    yyjson_mut_val *p = jm_obj(d, root, "process");
    jm_set_bool(d, p, false, "terminal");
    set_user(in->user, d, p);
    yyjson_mut_val *env = jm_arr(d, p, "env");
    for (size_t i = 0; i < in->env->v.n; i++) {
        _cleanup_free_ char *text = xasprintf("%s=%s", in->env->v.p[i].name, in->env->v.p[i].value);
        jm_add_str(d, env, text);
    }
    jm_set_str(d, p, working_dir(in), "cwd");
    set_capabilities(in->container, d, p);
    yyjson_mut_val *files = jm_add_obj(d, jm_arr(d, p, "rlimits"));
    jm_set_str(d, files, "RLIMIT_NOFILE", "type");
    jm_set_int(d, files, in->max_files, "hard");
    jm_set_int(d, files, in->max_files, "soft");
    bool escalate = jget_bool(in->container, true, "securityContext", "allowPrivilegeEscalation");
    jm_set_bool(d, p, !escalate, "noNewPrivileges");
    jm_set_int(d, p, oom_score(in, r), "oomScoreAdj");
    return set_args(in, d, p, e);
}

/* ---- mounts ---- */
static void add_mount(yyjson_mut_doc *d, yyjson_mut_val *list, const char *destination,
                      const char *type, const char *source, const char *options)
{
    yyjson_mut_val *m = jm_add_obj(d, list);
    jm_set_str(d, m, destination, "destination");
    jm_set_str(d, m, type, "type");
    jm_set_str(d, m, source, "source");
    yyjson_mut_val *out = jm_arr(d, m, "options");
    struct str rest = str_of(options), option;
    while (str_split(&rest, ',', &option)) {
        _cleanup_free_ char *text = xstrndup(option.p, option.n);
        jm_add_str(d, out, text);
    }
}

static void set_mounts(const struct oci_input *in, yyjson_mut_doc *d, yyjson_mut_val *root)
{
    yyjson_mut_val *m = jm_arr(d, root, "mounts");
    add_mount(d, m, "/proc", "proc", "proc", "nosuid,noexec,nodev");
    add_mount(d, m, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
    add_mount(d, m, "/dev/pts", "devpts", "devpts",
              "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    add_mount(d, m, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k");
    add_mount(d, m, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
    add_mount(d, m, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
    add_mount(d, m, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro");
    for (size_t i = 0; i < in->n_mounts; i++)
        add_mount(d, m, in->mounts[i].destination, "bind", in->mounts[i].source,
                  in->mounts[i].read_only ? "rbind,rprivate,ro" : "rbind,rprivate,rw");
}

/* ---- the whole ---- */
static void add_namespace(yyjson_mut_doc *d, yyjson_mut_val *list, const char *type,
                          const char *path)
{
    yyjson_mut_val *n = jm_add_obj(d, list);
    jm_set_str(d, n, type, "type");
    jm_set_str(d, n, path, "path");
}

static void set_linux(const struct oci_input *in, yyjson_mut_doc *d, yyjson_mut_val *root)
{
    yyjson_mut_val *ns = jm_arr(d, root, "linux", "namespaces");
    static const char *const fresh[] = {"pid", "ipc", "uts", "mount"};
    for (size_t i = 0; i < ARRAY_LEN(fresh); i++)
        add_namespace(d, ns, fresh[i], NULL);
    if (in->cgroup_v2)
        add_namespace(d, ns, "cgroup", NULL);
    add_namespace(d, ns, "network", in->netns);
    jm_set_str(d, root, in->cgroup, "linux", "cgroupsPath");
    yyjson_mut_val *masked = jm_arr(d, root, "linux", "maskedPaths");
    for (size_t i = 0; i < ARRAY_LEN(MASKED_PATHS); i++)
        jm_add_str(d, masked, MASKED_PATHS[i]);
    yyjson_mut_val *fixed = jm_arr(d, root, "linux", "readonlyPaths");
    for (size_t i = 0; i < ARRAY_LEN(READONLY_PATHS); i++)
        jm_add_str(d, fixed, READONLY_PATHS[i]);
}

static void note_first(void *ctx, const char *path, const char *why)
{
    struct err *e = ctx;
    if (!e->code)
        err_set(e, -EINVAL, "spec.%s is not supported by this node: %s", path, why);
}

/* Wishes that would be dropped silently otherwise: the API server refuses them by the same rows,
 * but a pod may have been stored before a row was there. */
static int refuse(const struct oci_input *in, struct err *e)
{
    struct err first = {0};
    kube_podspec_check(jget(in->pod, "spec"), note_first, &first);
    return first.code ? err_set(e, first.code, "%s", first.msg) : 0;
}

char *oci_spec_build(const struct oci_input *in, struct err *e)
{
    struct oci_resources r;
    if (refuse(in, e) < 0 || oci_resources_read(in->container, &r, e) < 0)
        return NULL;
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    jm_set_str(d, root, "1.0.2", "ociVersion");
    if (set_process(in, d, root, &r, e) < 0)
        return NULL;
    jm_set_str(d, root, in->rootfs, "root", "path");
    jm_set_bool(d, root,
                jget_bool(in->container, false, "securityContext", "readOnlyRootFilesystem"),
                "root", "readonly");
    char hostname[POD_HOSTNAME_LEN];
    env_hostname(in->pod, hostname);
    jm_set_str(d, root, hostname, "hostname");
    set_mounts(in, d, root);
    set_linux(in, d, root);
    set_resources(d, root, &r);
    return json_mut_text(root, NULL);
}
