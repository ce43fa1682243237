/* The controller role: core, workload controllers, and the plugins that need no loop of their own.
 */
#include "cluster/dns/dns.h"
#include "cluster/workload/workload.h"
#include "cmd/up.h"
#include "contract/names.h"
#include "plugin/imagecache/nothing/nothing.h"
#include "plugin/ingress/gateway/gateway.h"

#define DNS_PORT 53

/* The one place that knows which implementations run in this process. */
static const char *const autoscaler_classes[] = {CLASS_KPA, NULL};
static const char *const ingress_classes[] = {CLASS_GATEWAY, NULL};
static const char *const image_classes[] = {CLASS_NOTHING, NULL};

static int start_dns(struct up_controller *c, struct loop *l, struct err *e)
{
    struct dns_opts o = {
        .ip = c->bridge_ip,
        .port = DNS_PORT,
        .domain = UP_CLUSTER_DOMAIN,
        .manager = c->um.m,
        .subnet = c->o->subnet,
        .gateway_ip = c->bridge_ip,
    };

    c->dns = dns_server_new(l, &o, e);
    return c->dns ? 0 : err_prefix(e, "cluster DNS");
}

static int make_parts(struct up_controller *c, struct loop *l, struct err *e)
{
    up_manager_open(&c->um, c->api, l, "controller");
    struct serving_opts so = {
        .manager = c->um.m,
        .resolver = up_digest_resolver(c->um.m),
        .cluster_domain = UP_CLUSTER_DOMAIN,
        .autoscaler_classes = autoscaler_classes,
        .ingress_classes = ingress_classes,
        .image_classes = image_classes,
    };
    struct gateway_opts go = {
        .manager = c->um.m,
        .dataplane = c->dp,
        .listeners = {.local_ip = c->bridge_ip,
                      .public_ip = c->o->address,
                      .public_port = c->o->http_port,
                      .activator_port = UP_ACTIVATOR_PORT},
    };

    if (start_dns(c, l, e) < 0)
        return e->code;
    c->serving = serving_new(&so);
    c->workload = workload_new(c->um.m);
    c->gateway = gateway_new(&go);
    c->nothing = nothing_new(c->um.m);
    return 0;
}

static void fini(struct loop *l, void *ctx)
{
    struct up_controller *c = ctx;

    if (c->dns)
        dns_server_free(c->dns);
    if (c->nothing)
        nothing_free(c->nothing);
    if (c->gateway)
        gateway_free(c->gateway);
    if (c->workload)
        workload_free(c->workload);
    if (c->serving)
        serving_free(c->serving);
    up_manager_close(&c->um);
}

static int init(struct loop *l, void *ctx, struct err *e)
{
    struct up_controller *c = ctx;
    int r = make_parts(c, l, e);

    if (r < 0)
        fini(l, c);
    else
        up_manager_run(&c->um);
    return r;
}

int up_controller_start(struct up_controller *c, struct err *e)
{
    c->thread = loop_thread_start("controller", init, fini, c, e);
    return c->thread ? 0 : e->code;
}

void up_controller_stop(struct up_controller *c)
{
    loop_thread_stop(c->thread);
    c->thread = NULL;
}
