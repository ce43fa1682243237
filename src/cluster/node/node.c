/*
 * Putting the parts together, in the order that adoption needs: addresses of pods on disk are
 * claimed, then namespaces are made in advance; the rest follows the first sync of the pods.
 */
#include "cluster/node/node.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/node/node_impl.h"
#include "cluster/node/runtime/files.h"

#define HOUSEKEEPING_MS 10000
#define STOP_POLL_MS    10
#define AFTER_KILL_NS   (5 * NS_PER_SEC)

static void on_synced(void *ctx)
{
    node_heartbeat(ctx);
}

static void housekeeping(void *ctx)
{
    struct node *n = ctx;
    if (!pod_table_synced(n->pods))
        return;
    node_heartbeat(n);
    kubelet_logs_rotate(n->pods);
}

/* ---- what pods tell ---- */
static void on_stage(void *ctx, const struct kobj *pod, enum pod_stage what)
{
    static const enum node_stage as[] = {
        [POD_SEEN] = NODE_POD_SEEN, [POD_STARTED] = NODE_POD_STARTED, [POD_READY] = NODE_POD_READY};
    const struct node *n = ctx;
    n->o.stage(n->o.ctx, pod, as[what]);
}

static uint64_t on_in_flight(void *ctx, const struct kobj *pod, const char *ip)
{
    const struct node *n = ctx;
    return n->o.in_flight(n->o.ctx, pod, ip);
}

/* ---- the network ---- */
static void on_network(void *ctx, const char *why)
{
    struct node *n = ctx;
    free(n->network_down);
    n->network_down = why ? xstrdup(why) : NULL;
    pod_table_network(n->pods, why);
    node_object_changed(n);
}

static int watch_network(struct node *n, struct err *e)
{
    struct net_spec spec;
    int r = net_spec_read(n->o.bridge, n->o.subnet, &spec, e);
    if (r < 0)
        return r;
    n->guard = net_guard_new(
        n->loop, &(struct net_guard_opts){.spec = &spec, .broken = on_network, .ctx = n}, e);
    return n->guard ? 0 : -EIO;
}

/* ---- making ---- */
static int make_directories(struct node *n, struct err *e)
{
    static const char *const folders[] = {"pods", "logs"};
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
        r = node_bridge_setup(n->o.bridge, n->o.subnet, n->bridge_ip, e);
    if (r < 0)
        return r;
    n->runtime = runtime_new(n->loop, n->data_dir, e);
    n->ipam = n->runtime ? ipam_new(n->o.subnet, e) : NULL;
    n->tls = n->ipam ? tls_client_new(NULL, NULL, NULL, 1, e) : NULL;
    if (!n->tls)
        return -EIO;
    n->http = http_client_new(n->loop);
    pod_table_claim(n->ipam, n->data_dir);
    n->nets = netns_pool_new(n->loop, n->ipam, n->o.bridge, n->o.warm_namespaces);
    return 0;
}

static void make_pods(struct node *n)
{
    struct pod_table_opts o = {.env = {.loop = n->loop,
                                       .runtime = n->runtime,
                                       .images = n->o.images,
                                       .manager = n->o.manager,
                                       .http = n->http,
                                       .tls = n->tls,
                                       .memory = n->memory,
                                       .max_files = n->max_files,
                                       .may_protect = n->may_protect},
                               .ipam = n->ipam,
                               .nets = n->nets,
                               .data_dir = n->data_dir,
                               .node_name = n->name,
                               .host_ip = n->bridge_ip,
                               .dns_ip = n->dns_ip,
                               .domain = n->domain,
                               .cpu_milli = n->cpu_milli,
                               .stage = n->o.stage ? on_stage : NULL,
                               .in_flight = n->o.in_flight ? on_in_flight : NULL,
                               .ctx = n};
    n->pods = pod_table_new(&o);
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
    n->housekeeping = timer_new(l, housekeeping, n);
    measure(n);
    if (make_parts(n, e) < 0 || watch_network(n, e) < 0) {
        node_free(n);
        return NULL;
    }
    n->dns_ip = xstrdup(o->dns_ip ? o->dns_ip : n->bridge_ip);
    make_pods(n);
    n->door = kubelet_door_open(n->loop, n->pods);
    pod_table_watch(n->pods, on_synced, n);
    timer_repeat(n->housekeeping, HOUSEKEEPING_MS);
    return n;
}

/* ---- stopping ---- */
static void stop_poll(void *ctx)
{
    struct node *n = ctx;
    int64_t now = clock_mono_ns();
    size_t left = pod_table_running(n->pods) + (size_t)n->requests;
    if (left == 0 || now >= n->stop_deadline_ns + AFTER_KILL_NS) {
        timer_stop(n->housekeeping);
        n->stopped(n->stopped_ctx);
        return;
    }
    if (now >= n->stop_deadline_ns)
        pod_table_kill(n->pods);
}

void node_stop(struct node *n, bool drain, uint64_t max_ms, void (*done)(void *ctx), void *ctx)
{
    n->stopped = done;
    n->stopped_ctx = ctx;
    n->stop_deadline_ns = clock_mono_ns() + (int64_t)max_ms * NS_PER_MS;
    pod_table_stop(n->pods, drain, max_ms);
    timer_free(n->housekeeping);
    n->housekeeping = timer_new(n->loop, stop_poll, n);
    timer_repeat(n->housekeeping, STOP_POLL_MS);
}

void node_pod_log(void *node, struct http_exchange *x, const char *ns, const char *pod)
{
    kubelet_pod_log(((struct node *)node)->door, x, ns, pod);
}

void node_free(struct node *n)
{
    if (!n)
        return;
    kubelet_door_close(n->door);
    timer_free(n->housekeeping);
    net_guard_free(n->guard);
    netns_pool_free(n->nets);
    runtime_free(n->runtime);
    if (n->http)
        http_client_free(n->http);
    if (n->tls)
        tls_client_free(n->tls);
    ipam_free(n->ipam);
    pod_table_free(n->pods);
    free((char *)n->o.bridge);
    free((char *)n->o.subnet);
    free(n->data_dir);
    free(n->name);
    free(n->dns_ip);
    free(n->network_down);
    free(n->domain);
    free(n);
}
