/*
 * The api role: store, API server and TLS listener on one loop. What it serves in process goes
 * through the client link; what it asks of nodes, through the pods link.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/apiserver/apiserver.h"
#include "cmd/role/admission.h"
#include "cmd/role/api_store.h"
#include "cmd/role/defaults.h"
#include "cmd/role/role.h"
#include "cmd/role/runner.h"
#include "contract/crds.h"
#include "http/server.h"

#define CLOSE_MS 1000

struct api_role {
    struct runner run;
    struct store *store;
    struct apiserver *server;
    struct role_admission *admission;
    struct http_server *http;
    struct api_identity id;
    struct api_identity_keeper *keeper;
    sem_t ready, closed;
    struct err why; /* of not becoming ready */
};

static void on_ready(void *ctx, const struct err *why)
{
    struct api_role *a = ctx;

    if (why && why->code)
        a->why = *why;
    sem_post(&a->ready);
}

/* What the HTTP server refuses by itself reaches clients as the Status object that they read. */
static const char *refusal(int status, const char *why, struct buf *out)
{
    const char *reason = status == 413   ? "RequestEntityTooLarge"
                         : status == 408 ? "Timeout"
                         : status == 503 ? "ServiceUnavailable"
                                         : "BadRequest";

    /* The texts are the server's own and hold nothing that JSON would have to escape. */
    buf_addf(out,
             "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
             "\"message\":\"%s%s\",\"reason\":\"%s\",\"code\":%d}\n",
             status == 413 ? "Request entity too large: " : "", why, reason, status);
    return "application/json";
}

static int listen_tls(struct api_role *a, struct loop *l, struct err *e)
{
    const struct env_config *c = &a->run.env->config;
    struct http_server_opts o = {
        .listen = {.host = c->address, .port = c->api_port, .fd = c->api_fd, .tls = a->id.tls},
        .max_body = LIMIT_API_BODY,
        .head = apiserver_head,
        .handler = apiserver_handle,
        .ctx = a->server,
        .refusal = refusal,
    };

    a->http = http_server_new(l, &o, e);
    return a->http ? 0 : env_listen_error(e, "API server", "--api-port");
}

static int write_kubeconfig(struct api_role *a, struct err *e)
{
    const struct env_config *c = &a->run.env->config;
    _cleanup_free_ char *server = xasprintf("https://127.0.0.1:%d", c->api_port);
    _cleanup_free_ char *path =
        c->kubeconfig ? xstrdup(c->kubeconfig) : xasprintf("%s/kubeconfig", c->data_dir);

    return api_identity_kubeconfig(&a->id, path, server, e);
}

/* Clients that hold the old ones have a month to take the new ones up. */
static void on_renewed(void *ctx, const struct err *err)
{
    struct api_role *a = ctx;
    struct err e = {0};

    if (!err && write_kubeconfig(a, &e) < 0)
        err = &e;
    if (err)
        log_error("api", "renewing certificates: %s", err->msg);
    else
        log_info("api", "certificates are renewed, and the kubeconfig is written anew");
}

static int make(void *self, struct loop *l, struct err *e)
{
    struct api_role *a = self;
    const struct env_config *c = &a->run.env->config;
    struct apiserver_opts ao = {
        .crds = contract_crds,
        .kubelet = {&env_kubelet_ops, &a->run.env->pods},
    };

    a->store = api_store_open(l, c->data_dir, c->accept_data_loss, e);
    if (!a->store)
        return e->code;
    a->admission = role_admission_new();
    ao.store = a->store;
    ao.admissions = role_admission_rows(a->admission, &ao.n_admissions);
    a->server = apiserver_new(l, &ao, e);
    if (!a->server)
        return e->code;
    a->keeper = api_identity_keep(l, &a->id, on_renewed, a);
    if (listen_tls(a, l, e) < 0)
        return e->code;
    apiserver_on_ready(a->server, on_ready, a);
    return 0;
}

static void free_parts(void *self)
{
    struct api_role *a = self;

    api_identity_keeper_free(a->keeper);
    if (a->server)
        apiserver_free(a->server);
    if (a->store)
        store_close(a->store);
    role_admission_free(a->admission);
}

static const struct runner_parts parts = {"api", make, free_parts};

/* ---- what others ask of it ---- */

static struct kube_client *client(void *ctx, struct loop *l, const char *user)
{
    struct api_role *a = ctx;

    return kube_client_new(
        l, kube_transport_inproc(l, runner_loop(&a->run), apiserver_handle, a->server, user));
}

static const struct env_client_ops clients = {client};

/* ---- life ---- */

static void on_closed(void *ctx)
{
    struct api_role *a = ctx;

    a->http = NULL;
    sem_post(&a->closed);
}

static void begin_close(void *ctx)
{
    struct api_role *a = ctx;

    http_server_shutdown(a->http, CLOSE_MS, on_closed, a);
}

static void stop(void *self, bool drain)
{
    struct api_role *a = self;

    env_link_withdraw(&a->run.env->client);
    if (a->run.thread) {
        loop_post(runner_loop(&a->run), begin_close, a);
        sem_wait_whole(&a->closed);
        runner_stop(&a->run);
    }
    api_identity_done(&a->id);
    sem_destroy(&a->ready);
    sem_destroy(&a->closed);
    free(a);
}

static int load_identity(struct api_role *a, struct err *e)
{
    _cleanup_free_ char *pki = xasprintf("%s/pki", a->run.env->config.data_dir);
    const char *ips[] = {a->run.env->local_ip, NULL};

    return api_identity_load(pki, ips, &a->id, e);
}

/* Serving: the built-in objects are committed, and whoever comes finds the defaults. */
static int serve(struct api_role *a, struct err *e)
{
    sem_wait_whole(&a->ready);
    if (a->why.code) {
        *e = a->why;
        return e->code;
    }
    env_link_offer(&a->run.env->client, &clients, a);
    return write_kubeconfig(a, e) < 0 ? e->code : role_defaults_install(a->run.env, e);
}

static void *start(struct env *env, struct err *e)
{
    struct api_role *a = xnew(struct api_role);

    a->run.env = env;
    sem_init(&a->ready, 0, 0);
    sem_init(&a->closed, 0, 0);
    if (load_identity(a, e) == 0 && runner_start(&a->run, env, &parts, a, e) == 0 &&
        serve(a, e) == 0)
        return a;
    stop(a, false);
    return NULL;
}

static bool ready(void *self, int ms)
{
    return true; /* start has waited for it */
}

static const struct env_flag *const flags[] = {
    &env_flag_data_dir,   &env_flag_api_port,         &env_flag_address,   &env_flag_domain,
    &env_flag_kubeconfig, &env_flag_accept_data_loss, &env_flag_log_level, NULL};

const struct role role_api = {
    .name = "api",
    .summary = "serves the Kubernetes API from a store of its own",
    .flags = flags,
    .start = start,
    .ready = ready,
    .stop = stop,
};
