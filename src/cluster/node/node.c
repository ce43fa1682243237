/*
 * Putting the parts together: start-up in the order that adoption needs, changes of Pod objects,
 * stopping.
 *
 * At start: addresses of pods on disk are claimed, then namespaces are made in advance; after the
 * first sync every pod of ours gets its record and takes over what still runs; then orphans are
 * removed; then all are stepped.
 */
#include "cluster/node/node.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/node/files.h"
#include "cluster/node/node_impl.h"

#define HOUSEKEEPING_MS 10000
#define STOP_POLL_MS    10
#define AFTER_KILL_NS   (5 * NS_PER_SEC)
#define DEFAULT_GRACE_S 30

/* ---- Pod objects ---- */
static bool is_ours(const struct node *n, const struct kobj *obj)
{
    const char *node = jget_str(kobj_root(obj), "spec", "nodeName");
    return !node || !*node || streq(node, n->name);
}

static bool is_over(const struct kobj *obj)
{
    const char *phase = jget_str(kobj_root(obj), "status", "phase");
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

static int64_t grace_of(const struct kobj *obj)
{
    int64_t s = jget_int(kobj_root(obj), DEFAULT_GRACE_S, "metadata", "deletionGracePeriodSeconds");
    return s * 1000;
}

/* A pod that was over before we ran is only kept to be deleted some time. */
static void settle(struct pod *p)
{
    p->settled = true;
    for (size_t i = 0; i < p->n; i++)
        container_set_state(&p->containers[i], CT_DONE);
}

static void begin(struct pod *p)
{
    if (kobj_deleting(p->obj))
        pod_stop(p, grace_of(p->obj));
    else if (!p->settled)
        pod_step(p);
}

static void changed(struct pod *p, const struct kobj *after)
{
    kobj_unref(p->obj);
    p->obj = kobj_ref(after);
    if (kobj_deleting(after) && !p->keep_object)
        pod_stop(p, grace_of(after));
}

static void gone(struct pod *p)
{
    p->object_gone = true;
    pod_stop(p, 0);
}

static void on_pod(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct node *n = ctx;
    if (!n->synced)
        return;
    struct pod *old = before ? map_get(n->pods, kobj_uid(before)) : NULL;
    if (old && (!after || !streq(kobj_uid(before), kobj_uid(after)))) {
        gone(old);
        old = NULL;
    }
    if (!after || (!old && (n->stopping || !is_ours(n, after))))
        return;
    if (old) {
        changed(old, after);
        return;
    }
    struct pod *p = pod_new(n, after);
    if (is_over(after))
        settle(p);
    begin(p);
}

/* ---- the first sync ---- */
static int take_over(void *ctx, const struct kobj *obj)
{
    struct node *n = ctx;
    if (!is_ours(n, obj) || map_has(n->pods, kobj_uid(obj)))
        return 0;
    struct pod *p = pod_new(n, obj);
    if (!state_restore(p) && is_over(obj))
        settle(p);
    return 0;
}

static void on_synced(void *ctx)
{
    struct node *n = ctx;
    const char *uid;
    struct pod *p;
    if (n->stopping)
        return;
    n->synced = true;
    cache_each(manager_cache(n->o.manager, &KR_POD), take_over, n);
    state_remove_orphans(n);
    for (size_t it = 0; map_next(n->pods, &it, &uid, &p);)
        begin(p);
    node_heartbeat(n);
}

static void housekeeping(void *ctx)
{
    struct node *n = ctx;
    if (!n->synced)
        return;
    node_heartbeat(n);
    logs_rotate(n);
}

/* ---- making ---- */
static int make_directories(struct node *n, struct err *e)
{
    static const char *const folders[] = {"pods", "logs", "crun", "mnt"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", n->data_dir, folders[i]);
        int r = files_mkdirs(path, 0700, e);
        if (r < 0)
            return r;
    }
    char real[PATH_MAX];
    if (!realpath(n->data_dir, real))
        return err_sys(e, errno, "resolving %s", n->data_dir);
    free(n->data_dir);
    n->data_dir = xstrdup(real);
    n->runtime_root = xasprintf("%s/crun", real);
    n->scratch = xasprintf("%s/mnt", real);
    snprintf(n->cgroup_parent, sizeof n->cgroup_parent, "/nonagon-%08x",
             hash_fnv32(real, strlen(real)));
    return 0;
}

/* CAP_SYS_RESOURCE, which raises limits and lowers the score by which the kernel picks whom to
 * kill. */
static bool has_sys_resource(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &head, data) < 0)
        return false;
    return data[0].effective >> CAP_SYS_RESOURCE & 1;
}

static void measure(struct node *n)
{
    struct sysinfo si;
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    n->may_protect = has_sys_resource();
    n->max_files = LIMIT_CONTAINER_FILES;
    if (!n->may_protect && files.rlim_max < LIMIT_CONTAINER_FILES)
        n->max_files = (int64_t)files.rlim_max;
    n->cpu_milli = get_nprocs() * 1000LL;
    if (sysinfo(&si) == 0)
        n->memory = (int64_t)si.totalram * si.mem_unit;
}

static int make_parts(struct node *n, struct err *e)
{
    int r = make_directories(n, e);
    if (r == 0)
        r = cgroup_detect(&n->cgroups, e);
    if (r == 0)
        r = node_bridge_setup(n->o.bridge, n->o.subnet, n->bridge_ip, e);
    if (r < 0)
        return r;
    n->worker = worker_new(n->loop, n->cgroups, n->scratch, e);
    n->ipam = ipam_new(n->o.subnet, e);
    n->tls = tls_client_new(NULL, NULL, NULL, 1, e);
    if (!n->worker || !n->ipam || !n->tls)
        return -EIO;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return err_sys(e, errno, "becoming the reaper of containers");
    runtime_load(n);
    n->http = http_client_new(n->loop);
    state_claim_addresses(n);
    n->nets = netns_pool_new(n->loop, n->ipam, n->o.bridge, n->o.warm_namespaces);
    return 0;
}

static void watch_objects(struct node *n)
{
    struct manager *m = n->o.manager;
    static const struct kube_resource *const read[] = {&KR_POD, &KR_CONFIGMAP, &KR_SECRET,
                                                       &KR_SERVICEACCOUNT};
    for (size_t i = 0; i < ARRAY_LEN(read); i++)
        manager_cache(m, read[i]);
    manager_on_change(m, &KR_POD, on_pod, n);
    live_watch(n);
    manager_on_synced(m, on_synced, n);
}

struct node *node_new(struct loop *l, const struct node_opts *o, struct err *e)
{
    if (node_preflight(e) < 0)
        return NULL;
    struct node *n = xnew(struct node);
    n->loop = l;
    n->o = *o;
    n->o.bridge = xstrdup(o->bridge);
    n->o.subnet = xstrdup(o->subnet);
    n->data_dir = xstrdup(o->data_dir);
    n->name = xstrdup(o->name);
    n->domain = xstrdup(o->cluster_domain ? o->cluster_domain : "cluster.local");
    n->client = manager_client(o->manager);
    n->pods = map_new(NULL);
    n->runtime_fd = -1;
    n->logs = logs_open(n);
    n->reaper = node_reaper(n);
    n->housekeeping = timer_new(l, housekeeping, n);
    measure(n);
    if (make_parts(n, e) < 0) {
        node_free(n);
        return NULL;
    }
    n->dns_ip = xstrdup(o->dns_ip ? o->dns_ip : n->bridge_ip);
    timer_repeat(n->housekeeping, HOUSEKEEPING_MS);
    watch_objects(n);
    return n;
}

/* ---- stopping ---- */
static void kill_all(struct node *n)
{
    const char *uid;
    struct pod *p;
    for (size_t it = 0; map_next(n->pods, &it, &uid, &p);)
        pod_stop(p, 0);
}

static void stop_poll(void *ctx)
{
    struct node *n = ctx;
    int64_t now = clock_mono_ns();
    if (n->live_pods + n->requests == 0 || now >= n->stop_deadline_ns + AFTER_KILL_NS) {
        timer_stop(n->housekeeping);
        n->stopped(n->stopped_ctx);
        return;
    }
    if (now >= n->stop_deadline_ns)
        kill_all(n);
}

/* Leaves the processes alone; what is known of them is on disk. */
static void leave(struct pod *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct container *c = &p->containers[i];
        container_probes_stop(c);
        exit_watch_stop(c);
        if (c->pull)
            image_pull_cancel(steal(&c->pull));
    }
    pod_forget(p);
}

static void stop_pod(struct pod *p, bool drain, uint64_t max_ms)
{
    p->keep_object = true;
    if (!drain) {
        leave(p);
        return;
    }
    int64_t grace =
        jget_int(kobj_root(p->obj), DEFAULT_GRACE_S, "spec", "terminationGracePeriodSeconds") *
        1000;
    pod_stop(p, grace < (int64_t)max_ms ? grace : (int64_t)max_ms);
}

void node_stop(struct node *n, bool drain, uint64_t max_ms, void (*done)(void *ctx), void *ctx)
{
    const char *uid;
    struct pod *p;
    n->stopping = true;
    n->stopped = done;
    n->stopped_ctx = ctx;
    n->stop_deadline_ns = clock_mono_ns() + (int64_t)max_ms * NS_PER_MS;
    for (size_t it = 0; map_next(n->pods, &it, &uid, &p);)
        stop_pod(p, drain, max_ms);
    timer_free(n->housekeeping);
    n->housekeeping = timer_new(n->loop, stop_poll, n);
    timer_repeat(n->housekeeping, STOP_POLL_MS);
}

void node_free(struct node *n)
{
    if (!n)
        return;
    logs_close(n->logs);
    timer_free(n->housekeeping);
    timer_free(n->reaper);
    netns_pool_free(n->nets);
    worker_free(n->worker);
    if (n->http)
        http_client_free(n->http);
    if (n->tls)
        tls_client_free(n->tls);
    if (n->cgroup_parent[0])
        cgroup_remove(n->cgroups, n->cgroup_parent); /* stays while containers are left running */
    ipam_free(n->ipam);
    map_free(n->pods);
    free((char *)n->o.bridge);
    free((char *)n->o.subnet);
    closep(&n->runtime_fd);
    free(n->runtime);
    free(n->data_dir);
    free(n->name);
    free(n->dns_ip);
    free(n->domain);
    free(n->runtime_root);
    free(n->scratch);
    free(n);
}
