/* The node role: image store and node agent on one loop. */
#include <semaphore.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/node/node.h"
#include "cmd/role/role.h"
#include "cmd/role/runner.h"
#include "contract/names.h"

#define DRAIN_MS 20000

struct node_role {
    struct runner run;
    struct image_store *images;
    struct node *node;
    bool drain;
    sem_t stopped;
};

/* ---- what it asks of others, and they of it ---- */

static uint64_t in_flight(void *ctx, const struct kobj *pod, const char *ip)
{
    struct node_role *n = ctx;
    const char *revision = kobj_label(pod, L_REVISION);

    return revision ? env_in_flight(&n->run.env->traffic, kobj_namespace(pod), revision, ip) : 0;
}

static void on_stage(void *ctx, const struct kobj *pod, enum node_stage what)
{
    static const char *const spans[] = {
        [NODE_POD_SEEN] = "create",
        [NODE_POD_STARTED] = "start",
        [NODE_POD_READY] = "ready",
    };
    struct node_role *n = ctx;
    const char *revision = kobj_label(pod, L_REVISION);

    if (!revision)
        return;
    _cleanup_free_ char *subject = kube_key(kobj_namespace(pod), revision);
    trace_mark(n->run.env->trace, subject, spans[what], clock_mono_ns());
}

static void logs(void *ctx, struct http_exchange *x, const struct kubelet_logs *o)
{
    struct node_role *n = ctx;

    node_pod_log(n->node, x, o->target.ns, o->target.pod);
}

static const struct kubelet_ops pods = {.logs = logs};

/* ---- life ---- */

static int make(void *self, struct loop *l, struct err *e)
{
    struct node_role *n = self;
    const struct env_config *c = &n->run.env->config;
    _cleanup_free_ char *images = xasprintf("%s/images", c->data_dir);
    _cleanup_free_ char *own = xasprintf("%s/node", c->data_dir);
    struct node_opts no = {
        .data_dir = own,
        .name = ENV_NODE_NAME,
        .bridge = c->bridge,
        .subnet = c->subnet,
        .cluster_domain = ENV_CLUSTER_DOMAIN,
        .stage = on_stage,
        .in_flight = in_flight,
        .ctx = n,
    };

    n->images = image_store_open(l, images, e);
    if (!n->images || runner_open(&n->run, l, e) < 0)
        return e->code;
    no.manager = n->run.m;
    no.images = n->images;
    n->node = node_new(l, &no, e);
    return n->node ? 0 : e->code;
}

static void free_parts(void *self)
{
    struct node_role *n = self;

    if (n->node)
        node_free(n->node);
    image_store_close(n->images);
}

static const struct runner_parts parts = {"node", make, free_parts};

static void *start(struct env *env, struct err *e)
{
    struct node_role *n = xnew(struct node_role);

    sem_init(&n->stopped, 0, 0);
    if (runner_start(&n->run, env, &parts, n, e) < 0) {
        free(n);
        return NULL;
    }
    env_link_offer(&env->pods, &pods, n);
    return n;
}

static bool ready(void *self, int ms)
{
    struct node_role *n = self;

    return runner_synced(&n->run, ms);
}

static void stopped(void *ctx)
{
    struct node_role *n = ctx;

    sem_post(&n->stopped);
}

static void begin_stop(void *ctx)
{
    struct node_role *n = ctx;

    node_stop(n->node, n->drain, n->drain ? DRAIN_MS : 0, stopped, n);
}

static void stop(void *self, bool drain)
{
    struct node_role *n = self;

    env_link_withdraw(&n->run.env->pods);
    n->drain = drain;
    loop_post(runner_loop(&n->run), begin_stop, n);
    sem_wait_whole(&n->stopped);
    runner_stop(&n->run);
    sem_destroy(&n->stopped);
    free(n);
}

static const struct env_flag *const flags[] = {&env_flag_data_dir, &env_flag_bridge,
                                               &env_flag_subnet, &env_flag_log_level, NULL};

const struct role role_node = {
    .name = "node",
    .summary = "runs pods on this machine",
    .flags = flags,
    .start = start,
    .ready = ready,
    .stop = stop,
};
