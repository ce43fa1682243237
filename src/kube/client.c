/*
 * Requests become a method, a path and a body for the transport; answers become a status. Running
 * requests and watches stand in one list each, so that freeing the client can end them.
 */
#include "kube/client.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "http/limits.h"
#include "base/list.h"
#include "kube/client_impl.h"

struct request {
    struct list node;
    kube_done_fn *done;
    void *ctx;
    void *running;
    char *what; /* "GET /api/v1/pods", for messages */
};

struct kube_client *kube_client_new(struct loop *l, struct kube_transport *t)
{
    struct kube_client *c = xnew(struct kube_client);

    c->loop = l;
    c->transport = t;
    list_init(&c->requests);
    list_init(&c->watches);
    return c;
}

struct loop *kube_client_loop(struct kube_client *c)
{
    return c->loop;
}

void kube_transport_free(struct kube_transport *t)
{
    if (t)
        t->ops->free(t);
}

/* ---- paths ---- */
static void add_escaped(struct buf *b, const char *s)
{
    for (; *s; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                     (*s >= '0' && *s <= '9') || strchr("-._~:", *s);
        if (plain)
            buf_addc(b, *s);
        else
            buf_addf(b, "%%%02X", (unsigned char)*s);
    }
}

static void add_segment(struct buf *b, const char *s)
{
    if (!s || !*s)
        return;
    buf_addc(b, '/');
    add_escaped(b, s);
}

char *kube_path(const struct kube_resource *r, const char *ns, const char *name,
                const char *subresource, const char *query)
{
    struct buf b = BUF_INIT(LIMIT_HTTP_URL);

    if (*r->group)
        buf_addf(&b, "/apis/%s/%s", r->group, r->version);
    else
        buf_addf(&b, "/api/%s", r->version);
    if (r->namespaced && ns && *ns)
        add_segment(&b, "namespaces");
    if (r->namespaced)
        add_segment(&b, ns);
    add_segment(&b, r->plural);
    add_segment(&b, name);
    add_segment(&b, subresource);
    if (query && *query)
        buf_addf(&b, "?%s", query);
    return buf_steal(&b, NULL);
}

void kube_query_add(struct buf *b, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_addf(b, "&%s=", name);
    add_escaped(b, value);
}

bool kube_client_is_local(const struct kube_client *c)
{
    return c->transport->local;
}

/* ---- answers ---- */
static int code_of(int status)
{
    switch (status) {
    case 400:
    case 422:
        return -EINVAL;
    case 401:
    case 403:
        return -EACCES;
    case 404:
        return -ENOENT;
    case 409:
        return -EAGAIN;
    case 410:
        return -ESTALE;
    default:
        return -EIO;
    }
}

void kube_status_of(struct kube_status *st, const char *what, const struct err *err, int status,
                    const yyjson_val *body)
{
    const char *reason = jget_str(body, "reason"), *message = jget_str(body, "message");

    *st = (struct kube_status){.code = err ? 0 : status};
    if (err) {
        st->err = *err;
        err_prefix(&st->err, "%s", what);
        return;
    }
    if (status >= 200 && status < 300)
        return;
    snprintf(st->reason, sizeof(st->reason), "%s", reason ? reason : "");
    err_set(&st->err, code_of(status), "%s: %s", what, message ? message : http_reason(status));
}

bool kube_is_not_found(const struct kube_status *s)
{
    return s->code == 404;
}

bool kube_is_exists(const struct kube_status *s)
{
    return s->code == 409 && streq(s->reason, "AlreadyExists");
}

bool kube_is_conflict(const struct kube_status *s)
{
    return s->code == 409 && !kube_is_exists(s);
}

bool kube_is_retryable(const struct kube_status *s)
{
    return s->code == 0 ? s->err.code != 0
                        : kube_is_conflict(s) || s->code == 429 || s->code >= 500;
}

/* ---- requests ---- */
static void request_free(struct request *r)
{
    list_del(&r->node);
    free(r->what);
    free(r);
}

static void on_done(void *ctx, const struct err *err, int status, struct str body)
{
    struct request *r = ctx;
    struct kube_status st;
    bool refused = !err && (status < 200 || status >= 300);
    _cleanup_jdoc_ yyjson_doc *d = refused ? json_parse(body.p, body.n, NULL) : NULL;
    kube_done_fn *done = r->done;
    void *to = r->ctx;

    kube_status_of(&st, r->what, err, status, yyjson_doc_get_root(d));
    request_free(r);
    done(to, &st, err ? STR("") : body);
}

static const struct err closed = {-ECANCELED, "the client was closed"};

/* A request made by the callback of one that the closing client just ended; the client is gone by
 * now. */
static void fail_late(void *arg)
{
    on_done(arg, &closed, 0, STR(""));
}

/* Without the query, which says nothing to people. */
static size_t path_length(struct str path)
{
    size_t at;

    return str_find(path, '?', &at) ? at : path.n;
}

static void run(struct kube_client *c, const struct transport_call *call, kube_done_fn *done,
                void *ctx)
{
    static const struct transport_events events = {.on_done = on_done};
    struct request *r = xnew(struct request);

    r->done = done;
    r->ctx = ctx;
    r->what = xasprintf(STR_FMT " %.*s", STR_ARG(call->method), (int)path_length(call->path),
                        call->path.p);
    list_push_back(&c->requests, &r->node);
    if (c->closing)
        loop_defer(c->loop, fail_late, r);
    else
        r->running = c->transport->ops->call(c->transport, call, &events, r);
}

static const struct verb {
    struct str method;
    const char *content_type;
} verbs[] = {
    [KUBE_GET] = {STR("GET"), NULL},
    [KUBE_LIST] = {STR("GET"), NULL},
    [KUBE_CREATE] = {STR("POST"), "application/json"},
    [KUBE_UPDATE] = {STR("PUT"), "application/json"},
    [KUBE_DELETE] = {STR("DELETE"), "application/json"},
    [KUBE_PATCH_MERGE] = {STR("PATCH"), "application/merge-patch+json"},
    [KUBE_PATCH_JSON] = {STR("PATCH"), "application/json-patch+json"},
    [KUBE_PATCH_STRATEGIC] = {STR("PATCH"), "application/strategic-merge-patch+json"},
};

void kube_do(struct kube_client *c, const struct kube_request *rq, kube_done_fn *done, void *ctx)
{
    bool collection = rq->verb == KUBE_LIST || rq->verb == KUBE_CREATE;
    _cleanup_free_ char *path =
        kube_path(rq->res, rq->ns, collection ? NULL : rq->name, rq->subresource, rq->query);

    run(c,
        &(struct transport_call){.method = verbs[rq->verb].method,
                                 .path = str_of(path),
                                 .content_type = rq->body.n ? verbs[rq->verb].content_type : NULL,
                                 .body = rq->body},
        done, ctx);
}

void kube_get_path(struct kube_client *c, const char *path, kube_done_fn *done, void *ctx)
{
    run(c, &(struct transport_call){.method = STR("GET"), .path = str_of(path)}, done, ctx);
}

/* Takes the next request off the list; those that fail_late will end only leave it. */
static struct request *first_running(struct kube_client *c)
{
    while (!list_empty(&c->requests)) {
        struct request *r = list_entry(c->requests.next, struct request, node);
        list_del(&r->node);
        if (r->running)
            return r;
    }
    return NULL;
}

void kube_client_free(struct kube_client *c)
{
    if (!c)
        return;
    c->closing = true;
    for (struct request *r; (r = first_running(c));) {
        c->transport->ops->cancel(r->running);
        on_done(r, &closed, 0, STR(""));
    }
    kube_watches_end(c, &closed);
    kube_transport_free(c->transport);
    free(c);
}
