/* The controller role: the core, the workload controllers, the plugins that carry no traffic, and
 * the cluster's DNS. */
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/dns/dns.h"
#include "cluster/workload/workload.h"
#include "cmd/role/digest.h"
#include "cmd/role/role.h"
#include "cmd/role/runner.h"
#include "contract/names.h"
#include "plugin/imagecache/nothing/nothing.h"
#include "serving/serving.h"

#define DNS_PORT 53

/* The one place that knows which implementations run in this process. */
static const char *const autoscaler_classes[] = {CLASS_KPA, NULL};
static const char *const ingress_classes[] = {CLASS_GATEWAY, NULL};
static const char *const image_classes[] = {CLASS_NOTHING, NULL};

struct controller_role {
    struct runner run;
    struct serving *serving;
    struct workload *workload;
    struct nothing *nothing;
    struct dns_server *dns;
};

static int start_dns(struct controller_role *c, struct loop *l, struct err *e)
{
    struct dns_opts o = {
        .ip = c->run.env->local_ip,
        .port = DNS_PORT,
        .domain = ENV_CLUSTER_DOMAIN,
        .manager = c->run.m,
        .subnet = c->run.env->config.subnet,
        .gateway_ip = c->run.env->local_ip,
    };

    c->dns = dns_server_new(l, &o, e);
    return c->dns ? 0 : err_prefix(e, "cluster DNS");
}

static int make(void *self, struct loop *l, struct err *e)
{
    struct controller_role *c = self;

    if (runner_open(&c->run, l, e) < 0 || start_dns(c, l, e) < 0)
        return e->code;
    struct serving_opts so = {
        .manager = c->run.m,
        .resolver = role_digest_resolver(c->run.m),
        .cluster_domain = ENV_CLUSTER_DOMAIN,
        .autoscaler_classes = autoscaler_classes,
        .ingress_classes = ingress_classes,
        .image_classes = image_classes,
    };
    c->serving = serving_new(&so);
    c->workload = workload_new(c->run.m);
    c->nothing = nothing_new(c->run.m);
    return 0;
}

static void free_parts(void *self)
{
    struct controller_role *c = self;

    if (c->dns)
        dns_server_free(c->dns);
    if (c->nothing)
        nothing_free(c->nothing);
    if (c->workload)
        workload_free(c->workload);
    if (c->serving)
        serving_free(c->serving);
}

static const struct runner_parts parts = {"controller", make, free_parts};

static void *start(struct env *env, struct err *e)
{
    struct controller_role *c = xnew(struct controller_role);

    if (runner_start(&c->run, env, &parts, c, e) == 0)
        return c;
    free(c);
    return NULL;
}

static bool ready(void *self, int ms)
{
    struct controller_role *c = self;

    return runner_synced(&c->run, ms);
}

static void stop(void *self, bool drain)
{
    struct controller_role *c = self;

    runner_stop(&c->run);
    free(c);
}

static const struct env_flag *const flags[] = {&env_flag_log_level, NULL};

const struct role role_controller = {
    .name = "controller",
    .summary = "makes of each Service what it stands for",
    .flags = flags,
    .start = start,
    .ready = ready,
    .stop = stop,
};
