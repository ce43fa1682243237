/*
 * The gateway role: the data plane, and the plugin that puts Ingresses into it. The listeners are
 * bound at the start, so that nobody is refused, and accept once every Ingress that was there at
 * the start is served: nobody is told that a route does not exist which is only not known yet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/role/role.h"
#include "cmd/role/runner.h"
#include "dataplane/dataplane.h"
#include "plugin/ingress/gateway/gateway.h"

#define LOCAL_PORT     80
#define ACTIVATOR_PORT 8012
#define DRAIN_MS       15000

struct gateway_role {
    struct runner run;
    struct dataplane *dp;
    struct gateway *plugin;
    sem_t routed;
};

/* ---- what others ask of it ---- */

static void on_arrival(void *ctx, const char *ns, const char *revision)
{
    struct gateway_role *g = ctx;

    env_arrived(&g->run.env->arrivals, ns, revision);
}

struct collection {
    struct loop *loop;
    env_traffic_fn *fn;
    void *to;
};

static void collected(void *ctx, const struct dp_stat *stats, size_t n)
{
    struct collection *c = ctx;
    _cleanup_free_ struct env_traffic_stat *out = xcalloc(n + 1, sizeof(*out));
    int64_t now = loop_now_ns(c->loop);

    for (size_t i = 0; i < n; i++) {
        double seconds = stats[i].seconds > 0 ? stats[i].seconds : 1;
        out[i] = (struct env_traffic_stat){
            .ns = stats[i].ns,
            .revision = stats[i].revision,
            .sample = {.at_ns = now,
                       .concurrency = stats[i].concurrency,
                       .rps = stats[i].requests / seconds,
                       .waiting = stats[i].waiting},
        };
    }
    c->fn(c->to, out, n);
    free(c);
}

static void collect(void *ctx, struct loop *l, env_traffic_fn *fn, void *to)
{
    struct gateway_role *g = ctx;
    struct collection *c = xnew(struct collection);

    *c = (struct collection){l, fn, to};
    dp_collect(g->dp, l, collected, c);
}

static uint64_t in_flight(void *ctx, const char *ns, const char *revision, const char *ip)
{
    struct gateway_role *g = ctx;

    return dp_endpoint_in_flight(g->dp, ns, revision, ip);
}

static const struct env_traffic_ops traffic = {collect, in_flight};

/* ---- life ---- */

static int start_dataplane(struct gateway_role *g, struct err *e)
{
    const struct env *env = g->run.env;
    const struct env_config *c = &env->config;
    struct dp_listen listen[] = {
        {.host = c->address, .port = c->http_port, .visibility = DP_EXTERNAL, .fd = c->http_fd},
        {.host = env->local_ip, .port = LOCAL_PORT, .visibility = DP_LOCAL},
        {.host = env->local_ip, .port = ACTIVATOR_PORT, .visibility = DP_LOCAL, .activator = true},
    };
    struct dp_opts o = {
        .listen = listen,
        .n_listen = ARRAY_LEN(listen),
        .trace = env->trace,
        .on_arrival = on_arrival,
        .ctx = g,
    };

    /* A public listener on every address would already cover the bridge's port 80. */
    if (c->http_port == LOCAL_PORT && !*c->address)
        return err_set(
            e, -EINVAL,
            "--http-port 80 on every address leaves no port 80 for cluster-local traffic on %s; "
            "give the public address with --address",
            env->local_ip);
    g->dp = dataplane_start(&o, e);
    if (g->dp)
        return 0;
    return env_listen_error(e, "gateway",
                            strstr(e->msg, env->local_ip) ? "--subnet" : "--http-port");
}

static void on_routed(void *ctx)
{
    struct gateway_role *g = ctx;

    dataplane_accept(g->dp);
    sem_post(&g->routed);
}

static int make(void *self, struct loop *l, struct err *e)
{
    struct gateway_role *g = self;
    const struct env *env = g->run.env;

    if (runner_open(&g->run, l, e) < 0)
        return e->code;
    struct gateway_opts o = {
        .manager = g->run.m,
        .dataplane = g->dp,
        .listeners = {.local_ip = env->local_ip,
                      .public_ip = env->config.address,
                      .public_port = env->config.http_port,
                      .activator_port = ACTIVATOR_PORT},
    };
    g->plugin = gateway_new(&o);
    gateway_on_routed(g->plugin, on_routed, g);
    return 0;
}

static void free_parts(void *self)
{
    struct gateway_role *g = self;

    gateway_free(g->plugin);
}

static const struct runner_parts parts = {"gateway", make, free_parts};

static void *start(struct env *env, struct err *e)
{
    struct gateway_role *g = xnew(struct gateway_role);

    g->run.env = env;
    sem_init(&g->routed, 0, 0);
    if (start_dataplane(g, e) == 0) {
        env_link_offer(&env->traffic, &traffic, g);
        if (runner_start(&g->run, env, &parts, g, e) == 0)
            return g;
        env_link_withdraw(&env->traffic);
        dataplane_stop(g->dp, 0);
    }
    free(g);
    return NULL;
}

static bool ready(void *self, int ms)
{
    struct gateway_role *g = self;

    return sem_wait_ms(&g->routed, ms);
}

static void stop(void *self, bool drain)
{
    struct gateway_role *g = self;

    runner_stop(&g->run);
    env_link_withdraw(&g->run.env->traffic);
    dataplane_stop(g->dp, drain ? DRAIN_MS : 0);
    sem_destroy(&g->routed);
    free(g);
}

static const struct env_flag *const flags[] = {&env_flag_http_port, &env_flag_address,
                                               &env_flag_log_level, NULL};

const struct role role_gateway = {
    .name = "gateway",
    .summary = "carries requests to pods, and keeps them while there is none",
    .flags = flags,
    .start = start,
    .ready = ready,
    .stop = stop,
};
