/*
 * The transport over HTTP(S). Time-outs belong to whole calls, none to streams: a watch that is
 * idle for an hour is healthy. A token from a file is read again every minute, since Kubernetes
 * replaces it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/client.h"
#include "kube/kubeconfig.h"
#include "kube/transport.h"
#include "net/tls.h"

#define CALL_TIMEOUT_MS   60000
#define TOKEN_LIFETIME_NS (60 * NS_PER_SEC)

struct http_transport {
    struct kube_transport base;
    struct loop *loop;
    struct http_client *client;
    struct tls_client *tls;
    char *host, *prefix; /* prefix: the path in front of every request, "" mostly */
    int port;
    char *token, *token_file;
    int64_t token_read_ns;
};

/* One call: translates the events of the HTTP client. */
struct http_run {
    struct http_running *running;
    struct transport_events events;
    void *ctx;
};

static void on_head(void *ctx, int status, const struct http_headers *hs)
{
    struct http_run *r = ctx;

    r->events.on_head(r->ctx, status);
}

static void on_chunk(void *ctx, const char *p, size_t n)
{
    struct http_run *r = ctx;

    r->events.on_chunk(r->ctx, p, n);
}

static void on_upgrade(void *ctx, struct conn *c, const struct http_headers *hs)
{
    struct http_run *r = ctx;
    struct transport_events ev = r->events;
    void *to = r->ctx;

    free(r);
    ev.on_upgrade(to, c);
}

static void on_done(void *ctx, const struct err *err, int status, struct str body)
{
    struct http_run *r = ctx;
    struct transport_events ev = r->events;
    void *to = r->ctx;

    free(r);
    ev.on_done(to, err, status, body);
}

static void refresh_token(struct http_transport *t)
{
    int64_t now = loop_now_ns(t->loop);
    struct err e;

    if (!t->token_file || (t->token && now - t->token_read_ns < TOKEN_LIFETIME_NS))
        return;
    char *fresh = kube_read_file(t->token_file, &e);
    t->token_read_ns = now;
    if (!fresh)
        return; /* the old one may still be good; the server says so if not */
    free(t->token);
    t->token = fresh;
    t->token[strcspn(t->token, "\r\n")] = '\0';
}

static void *call(struct kube_transport *base, const struct transport_call *c,
                  const struct transport_events *ev, void *ctx)
{
    static const struct http_call_events whole = {.on_done = on_done};
    static const struct http_call_events stream = {
        .on_head = on_head, .on_chunk = on_chunk, .on_done = on_done};
    static const struct http_call_events upgrade = {
        .on_head = on_head, .on_chunk = on_chunk, .on_upgrade = on_upgrade, .on_done = on_done};
    struct http_transport *t = (struct http_transport *)base;
    struct http_run *r = xnew(struct http_run);
    _cleanup_free_ char *path = xasprintf("%s" STR_FMT, t->prefix, STR_ARG(c->path));
    _cleanup_free_ char *bearer = NULL;
    struct http_call hc = {.target = {.host = t->host, .port = t->port, .tls = t->tls},
                           .method = c->method,
                           .path = str_of(path),
                           .body = c->body,
                           .timeout_ms = c->stream ? 0 : CALL_TIMEOUT_MS,
                           .no_pool = c->stream};

    refresh_token(t);
    http_add(&hc.headers, STR("Accept"), STR("application/json"));
    http_add(&hc.headers, STR("User-Agent"), STR("nonagon/" NONAGON_VERSION));
    if (c->content_type)
        http_add(&hc.headers, STR("Content-Type"), str_of(c->content_type));
    if (t->token) {
        bearer = xasprintf("Bearer %s", t->token);
        http_add(&hc.headers, STR("Authorization"), str_of(bearer));
    }
    if (c->upgrade) {
        http_add(&hc.headers, STR("Connection"), STR("Upgrade"));
        http_add(&hc.headers, STR("Upgrade"), str_of(c->upgrade));
    }
    for (size_t i = 0; c->fields && i < c->fields->n; i++)
        http_add(&hc.headers, c->fields->h[i].name, c->fields->h[i].value);
    r->events = *ev;
    r->ctx = ctx;
    r->running = http_client_call(t->client, &hc,
                                  c->upgrade  ? &upgrade
                                  : c->stream ? &stream
                                              : &whole,
                                  r);
    return r;
}

static void cancel(void *running)
{
    struct http_run *r = running;

    http_running_cancel(r->running);
    free(r);
}

static void transport_free(struct kube_transport *base)
{
    struct http_transport *t = (struct http_transport *)base;

    http_client_free(t->client);
    tls_client_free(t->tls);
    free(t->host);
    free(t->prefix);
    free(t->token);
    free(t->token_file);
    free(t);
}

static const struct transport_ops ops = {call, cancel, transport_free};

/* Splits "https://host:port/prefix"; the host may be an IPv6 address in brackets. */
static int parse_server(struct http_transport *t, const char *url, bool *ret_tls, struct err *e)
{
    const char *at = z_starts(url, "https://")  ? url + 8
                     : z_starts(url, "http://") ? url + 7
                                                : NULL;
    int64_t port;

    if (!at)
        return err_set(e, -EINVAL, "the server \"%s\" must start with https:// or http://", url);
    *ret_tls = url[4] == 's';
    bool brackets = *at == '[';
    at += brackets;
    size_t n = strcspn(at, brackets ? "]" : ":/");
    t->host = xstrndup(at, n);
    at += n + (brackets && at[n] == ']');
    port = *ret_tls ? 443 : 80;
    if (*at == ':') {
        n = strcspn(++at, "/");
        if (str_i64((struct str){at, n}, &port) < 0 || port < 1 || port > 65535)
            return err_set(e, -EINVAL, "the server \"%s\" has no valid port", url);
        at += n;
    }
    if (!*t->host)
        return err_set(e, -EINVAL, "the server \"%s\" has no host", url);
    t->port = (int)port;
    t->prefix = xstrdup(at);
    n = strlen(t->prefix);
    if (n && t->prefix[n - 1] == '/')
        t->prefix[n - 1] = '\0';
    return 0;
}

struct kube_transport *kube_transport_http(struct loop *l, const struct kube_http_opts *o,
                                           struct err *e)
{
    struct http_transport *t = xnew(struct http_transport);
    bool tls = false;

    t->base.ops = &ops;
    t->loop = l;
    t->client = http_client_new(l);
    t->token = o->token ? xstrdup(o->token) : NULL;
    if (parse_server(t, o->server, &tls, e) < 0) {
        transport_free(&t->base);
        return NULL;
    }
    if (tls && !(t->tls = tls_client_new(o->ca_pem, o->cert_pem, o->key_pem, o->insecure, e))) {
        err_prefix(e, "cannot set up TLS for %s", o->server);
        transport_free(&t->base);
        return NULL;
    }
    return &t->base;
}

void kube_transport_token_file(struct kube_transport *base, const char *path)
{
    struct http_transport *t = (struct http_transport *)base;

    t->token_file = xstrdup(path);
}
