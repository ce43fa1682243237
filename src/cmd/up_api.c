/* The api role: store, API server and TLS listener on one loop. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/api_store.h"
#include "cmd/up.h"
#include "contract/crds.h"
#include "http/server.h"

static void on_ready(void *ctx, const struct err *why)
{
    struct up_api *a = ctx;

    if (why && why->code)
        a->why = *why;
    sem_post(&a->ready);
}

/* What the HTTP server refuses by itself reaches clients as the Status object that they read. */
static const char *refusal(int status, const char *why, struct buf *out)
{
    const char *reason = status == 413   ? "RequestEntityTooLarge"
                         : status == 408 ? "Timeout"
                                         : "BadRequest";

    /* The texts are the server's own and hold nothing that JSON would have to escape. */
    buf_addf(out,
             "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
             "\"message\":\"%s%s\",\"reason\":\"%s\",\"code\":%d}\n",
             status == 413 ? "Request entity too large: " : "", why, reason, status);
    return "application/json";
}

static int listen_tls(struct up_api *a, struct loop *l, struct err *e)
{
    struct http_server_opts o = {
        .listen = {.host = a->o->address, .port = a->o->api_port, .tls = a->id.tls},
        .max_body = LIMIT_API_BODY,
        .head = apiserver_head,
        .handler = apiserver_handle,
        .ctx = a->server,
        .refusal = refusal,
    };

    a->http = http_server_new(l, &o, e);
    return a->http ? 0 : up_listen_error(e, "API server", "--api-port");
}

/* Clients that hold the old ones have a month to take the new ones up. */
static void on_renewed(void *ctx, const struct err *err)
{
    struct up_api *a = ctx;
    _cleanup_free_ char *server = xasprintf("https://127.0.0.1:%d", a->o->api_port);
    struct err e = {0};

    if (!err && api_identity_kubeconfig(&a->id, a->o->kubeconfig, server, &e) < 0)
        err = &e;
    if (err)
        log_error("api", "renewing certificates: %s", err->msg);
    else
        log_info("api", "certificates are renewed, and %s is written anew", a->o->kubeconfig);
}

static int make_parts(struct up_api *a, struct loop *l, struct err *e)
{
    struct apiserver_opts ao = {.crds = contract_crds};

    a->store = api_store_open(l, a->o->data_dir, a->o->accept_data_loss, e);
    if (!a->store)
        return e->code;
    ao.store = a->store;
    ao.admissions = up_admissions(&ao.n_admissions);
    a->server = apiserver_new(l, &ao, e);
    if (!a->server)
        return e->code;
    a->keeper = api_identity_keep(l, &a->id, on_renewed, a);
    return listen_tls(a, l, e);
}

static void fini(struct loop *l, void *ctx)
{
    struct up_api *a = ctx;

    api_identity_keeper_free(a->keeper);
    a->keeper = NULL;
    if (a->server)
        apiserver_free(a->server);
    if (a->store)
        store_close(a->store);
    a->server = NULL;
    a->store = NULL;
}

static int init(struct loop *l, void *ctx, struct err *e)
{
    struct up_api *a = ctx;
    int r = make_parts(a, l, e);

    if (r < 0)
        fini(l, a);
    else
        apiserver_on_ready(a->server, on_ready, a);
    return r;
}

int up_api_start(struct up_api *a, struct err *e)
{
    _cleanup_free_ char *pki = xasprintf("%s/pki", a->o->data_dir);
    const char *ips[] = {a->listen_ip, NULL};

    sem_init(&a->ready, 0, 0);
    sem_init(&a->closed, 0, 0);
    if (api_identity_load(pki, ips, &a->id, e) < 0)
        return e->code;
    a->thread = loop_thread_start("api", init, fini, a, e);
    if (!a->thread)
        return e->code ? e->code : -EIO;
    while (sem_wait(&a->ready) < 0)
        ;
    if (a->why.code) {
        *e = a->why;
        return e->code;
    }
    return 0;
}

static void closed(void *ctx)
{
    struct up_api *a = ctx;

    a->http = NULL;
    sem_post(&a->closed);
}

static void begin_close(void *ctx)
{
    struct up_api *a = ctx;

    http_server_shutdown(a->http, 1000, closed, a);
}

void up_api_stop(struct up_api *a)
{
    if (a->thread && a->http) {
        loop_post(loop_thread_loop(a->thread), begin_close, a);
        while (sem_wait(&a->closed) < 0)
            ;
    }
    loop_thread_stop(a->thread);
    a->thread = NULL;
    api_identity_done(&a->id);
}

struct kubelet_change {
    struct up_api *a;
    const struct kubelet *kubelet;
    sem_t done;
};

static void set_kubelet(void *arg)
{
    struct kubelet_change *c = arg;

    apiserver_set_kubelet(c->a->server, c->kubelet);
    sem_post(&c->done);
}

void up_api_set_kubelet(struct up_api *a, const struct kubelet *k)
{
    struct kubelet_change c = {.a = a, .kubelet = k};

    sem_init(&c.done, 0, 0);
    loop_post(loop_thread_loop(a->thread), set_kubelet, &c);
    while (sem_wait(&c.done) < 0)
        ;
    sem_destroy(&c.done);
}

struct kube_client *up_api_client(struct up_api *a, struct loop *l, const char *user)
{
    struct kube_transport *t =
        kube_transport_inproc(l, loop_thread_loop(a->thread), apiserver_handle, a->server, user);

    return kube_client_new(l, t);
}
