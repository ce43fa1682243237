/*
 * The API server alone, for tests that drive it with real clients:
 *     apiserver_main DIR [CRD.yaml...]
 * serves TLS on a free port of 127.0.0.1 over the store in DIR, writes DIR/kubeconfig, prints
 * "ready PORT" and runs until SIGTERM. A pod's log answers with the pod's own name.
 */
#include <signal.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/vec.h"
#include "cluster/apiserver/apiserver.h"
#include "http/server.h"

struct program {
    struct loop *loop;
    struct store *store;
    struct apiserver *api;
    struct http_server *http;
    struct api_identity id;
    const char *dir;
    int code;
};

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    char *p = xcalloc(1, LIMIT_API_BODY + 1);

    if (!f || !fread(p, 1, LIMIT_API_BODY, f)) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    return p;
}

static void fail(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %s\n", what, e->msg);
    exit(1);
}

static void on_stopped(void *ctx)
{
    struct program *p = ctx;

    loop_stop(p->loop);
}

static void on_signal(void *ctx, int signum)
{
    struct program *p = ctx;

    http_server_shutdown(p->http, 200, on_stopped, p);
}

static void logs(void *ctx, struct http_exchange *x, const struct kubelet_logs *o)
{
    char text[600];
    int n = snprintf(text, sizeof(text), "log of %s/%s\n", o->target.ns, o->target.pod);

    http_reply(x, 200, "text/plain", text, (size_t)n);
}

static void on_ready(void *ctx, const struct err *why)
{
    struct program *p = ctx;
    _cleanup_free_ char *config = xasprintf("%s/kubeconfig", p->dir), *url = NULL;
    struct http_server_opts o = {.listen = {.host = "127.0.0.1", .tls = p->id.tls},
                                 .max_body = LIMIT_API_BODY,
                                 .head = apiserver_head,
                                 .handler = apiserver_handle,
                                 .ctx = p->api};
    struct err e = {0};

    if (why)
        fail("starting", why);
    p->http = http_server_new(p->loop, &o, &e);
    if (!p->http)
        fail("listening", &e);
    url = xasprintf("https://127.0.0.1:%d", http_server_port(p->http));
    if (api_identity_kubeconfig(&p->id, config, url, &e) < 0)
        fail("writing the kubeconfig", &e);
    printf("ready %d\n", http_server_port(p->http));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct program p = {.dir = argc > 1 ? argv[1] : "."};
    _cleanup_free_ char *db = xasprintf("%s/store.db", p.dir);
    VEC(const char *) crds = {0};
    struct err e = {0};

    for (int i = 2; i < argc; i++)
        vec_push(&crds, slurp(argv[i]));
    vec_push(&crds, NULL);
    p.loop = loop_new(&e);
    if (!p.loop || api_identity_load(p.dir, NULL, &p.id, &e) < 0)
        fail("identity", &e);
    p.store = store_open(p.loop, &(struct store_opts){.path = db}, &e);
    if (!p.store)
        fail("store", &e);
    static const struct kubelet_ops ops = {.logs = logs};
    struct apiserver_opts o = {.store = p.store, .crds = crds.p, .kubelet = {&ops, NULL}};

    p.api = apiserver_new(p.loop, &o, &e);
    if (!p.api)
        fail("API server", &e);
    apiserver_on_ready(p.api, on_ready, &p);
    struct sigwatch *term = sigwatch_new(p.loop, SIGTERM, on_signal, &p);

    loop_run(p.loop);
    sigwatch_free(term);
    apiserver_free(p.api);
    store_close(p.store);
    api_identity_done(&p.id);
    loop_free(p.loop);
    for (size_t i = 0; crds.p[i]; i++)
        free((void *)(uintptr_t)crds.p[i]);
    vec_done(&crds);
    return 0;
}
