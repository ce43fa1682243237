/*
 * The ConfigMaps that users edit. They are made once, where they are missing, and never
 * overwritten, save the two keys that follow from the command line (the domain, and the port in
 * URLs), which are kept in step with it.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/role/defaults.h"
#include "cmd/role/runner.h"
#include "contract/crds.h"
#include "contract/names.h"
#include "json/yaml.h"

struct install {
    struct kube_client *client;
    struct err err;
    int pending;
    sem_t done;
};

static void finish(struct install *in)
{
    if (--in->pending == 0)
        sem_post(&in->done);
}

static void on_done(void *ctx, const struct kube_status *st, struct str body)
{
    struct install *in = ctx;

    if (st->err.code && !kube_is_exists(st) && !in->err.code)
        in->err = st->err;
    finish(in);
}

static void create(struct install *in, const yyjson_val *root)
{
    size_t n;
    _cleanup_free_ char *text = json_text(root, &n);
    struct kube_request rq = {
        .verb = KUBE_CREATE,
        .res = &KR_CONFIGMAP,
        .ns = SYSTEM_NAMESPACE,
        .body = {text, n},
    };

    in->pending++;
    kube_do(in->client, &rq, on_done, in);
}

/* Merge-patches one ConfigMap's data. */
static void patch(struct install *in, const char *name, const char *json)
{
    struct kube_request rq = {
        .verb = KUBE_PATCH_MERGE,
        .res = &KR_CONFIGMAP,
        .ns = SYSTEM_NAMESPACE,
        .name = name,
        .body = str_of(json),
    };

    in->pending++;
    kube_do(in->client, &rq, on_done, in);
}

struct start {
    struct install in;
    struct env *env;
    struct loop_thread *thread;
};

static int open_client(struct start *s, struct loop *l, struct err *e)
{
    s->in.client = env_client(&s->env->client, l, "system:nonagon:installer");
    s->in.pending = 1;
    return s->in.client ? 0 : err_set(e, -ENOTCONN, "nobody serves the Kubernetes API");
}

static int install_all(struct loop *l, void *ctx, struct err *e)
{
    struct start *s = ctx;

    if (open_client(s, l, e) < 0)
        return e->code;
    for (int i = 0; contract_configs[i]; i++) {
        _cleanup_jdoc_ yyjson_doc *d =
            yaml_parse(contract_configs[i], strlen(contract_configs[i]), e);
        if (!d)
            return e->code;
        create(&s->in, yyjson_doc_get_root(d));
    }
    finish(&s->in);
    return 0;
}

static int patch_all(struct loop *l, void *ctx, struct err *e)
{
    struct start *s = ctx;
    _cleanup_free_ char *domain = xasprintf("{\"data\":{\"%s\":\"\"}}", s->env->config.domain);
    _cleanup_free_ char *port =
        s->env->config.http_port == 80
            ? xstrdup("{\"data\":{\"external-url-port\":null}}")
            : xasprintf("{\"data\":{\"external-url-port\":\"%d\"}}", s->env->config.http_port);

    if (open_client(s, l, e) < 0)
        return e->code;
    patch(&s->in, CM_CONFIG_DOMAIN, domain);
    patch(&s->in, CM_CONFIG_NETWORK, port);
    finish(&s->in);
    return 0;
}

static void fini(struct loop *l, void *ctx)
{
    struct start *s = ctx;

    kube_client_free(s->in.client);
}

static int step(struct start *s, int (*init)(struct loop *, void *, struct err *), struct err *e)
{
    sem_init(&s->in.done, 0, 0);
    s->thread = loop_thread_start("installer", init, fini, s, e);
    if (!s->thread)
        return e->code ? e->code : -EIO;
    sem_wait_whole(&s->in.done);
    loop_thread_stop(s->thread);
    sem_destroy(&s->in.done);
    if (s->in.err.code)
        *e = s->in.err;
    return s->in.err.code;
}

int role_defaults_install(struct env *env, struct err *e)
{
    struct start s = {.env = env};
    int r = step(&s, install_all, e);

    if (r == 0)
        r = step(&s, patch_all, e);
    return r < 0 ? err_prefix(e, "installing the default configuration") : 0;
}
