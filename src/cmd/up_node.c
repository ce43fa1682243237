/* The node role: image store and node agent on one loop. */
#include <stdio.h>

#include "base/mem.h"
#include "cmd/up.h"

#define DRAIN_MS 20000

static uint64_t in_flight(void *ctx, const char *ns, const char *revision, const char *ip)
{
    struct up_node *n = ctx;

    return n->dp ? dp_endpoint_in_flight(n->dp, ns, revision, ip) : 0;
}

static int make_parts(struct up_node *n, struct loop *l, struct err *e)
{
    _cleanup_free_ char *images = xasprintf("%s/images", n->o->data_dir);
    _cleanup_free_ char *own = xasprintf("%s/node", n->o->data_dir);
    struct node_opts no = {
        .data_dir = own,
        .name = UP_NODE_NAME,
        .bridge = n->o->bridge,
        .subnet = n->o->subnet,
        .cluster_domain = UP_CLUSTER_DOMAIN,
        .in_flight = in_flight,
        .ctx = n,
    };

    n->images = image_store_open(l, images, e);
    if (!n->images)
        return e->code;
    up_manager_open(&n->um, n->api, l, "node");
    no.manager = n->um.m;
    no.images = n->images;
    n->node = node_new(l, &no, e);
    return n->node ? 0 : e->code;
}

static void fini(struct loop *l, void *ctx)
{
    struct up_node *n = ctx;

    if (n->node)
        node_free(n->node);
    up_manager_close(&n->um);
    if (n->images)
        image_store_close(n->images);
}

static int init(struct loop *l, void *ctx, struct err *e)
{
    struct up_node *n = ctx;
    int r = make_parts(n, l, e);

    if (r < 0)
        fini(l, n);
    else
        up_manager_run(&n->um);
    return r;
}

static void logs(void *ctx, struct http_exchange *x, const struct kubelet_logs *o)
{
    node_pod_log(ctx, x, o->target.ns, o->target.pod);
}

static const struct kubelet_ops kubelet_ops = {.logs = logs};

int up_node_start(struct up_node *n, struct err *e)
{
    sem_init(&n->stopped, 0, 0);
    sem_init(&n->detached, 0, 0);
    n->thread = loop_thread_start("node", init, fini, n, e);
    if (!n->thread)
        return e->code;
    up_api_set_kubelet(n->api, &(struct kubelet){&kubelet_ops, n->node});
    return 0;
}

static void detach(void *ctx)
{
    struct up_node *n = ctx;

    n->dp = NULL;
    sem_post(&n->detached);
}

void up_node_detach(struct up_node *n)
{
    if (!n->thread)
        return;
    loop_post(loop_thread_loop(n->thread), detach, n);
    while (sem_wait(&n->detached) < 0)
        ;
}

static void stopped(void *ctx)
{
    struct up_node *n = ctx;

    sem_post(&n->stopped);
}

static void begin_stop(void *ctx)
{
    struct up_node *n = ctx;

    node_stop(n->node, true, DRAIN_MS, stopped, n);
}

static void begin_leave(void *ctx)
{
    struct up_node *n = ctx;

    node_stop(n->node, false, 0, stopped, n);
}

void up_node_stop(struct up_node *n, bool drain)
{
    if (!n->thread)
        return;
    up_api_set_kubelet(n->api, &(struct kubelet){NULL, NULL});
    loop_post(loop_thread_loop(n->thread), drain ? begin_stop : begin_leave, n);
    while (sem_wait(&n->stopped) < 0)
        ;
    loop_thread_stop(n->thread);
    n->thread = NULL;
}
