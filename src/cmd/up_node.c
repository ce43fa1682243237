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

static int init(struct loop *l, void *ctx, struct err *e)
{
    struct up_node *n = ctx;
    _cleanup_free_ char *images = xasprintf("%s/images", n->o->data_dir);
    struct node_opts no = {
        .data_dir = n->o->data_dir,
        .name = "nonagon",
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
    if (!n->node)
        return e->code;
    apiserver_set_pod_log(n->api->server, node_pod_log, n->node);
    up_manager_run(&n->um);
    return 0;
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

int up_node_start(struct up_node *n, struct err *e)
{
    sem_init(&n->stopped, 0, 0);
    n->thread = loop_thread_start("node", init, fini, n, e);
    return n->thread ? 0 : e->code;
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
    loop_post(loop_thread_loop(n->thread), drain ? begin_stop : begin_leave, n);
    while (sem_wait(&n->stopped) < 0)
        ;
    loop_thread_stop(n->thread);
    n->thread = NULL;
}
