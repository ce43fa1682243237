/*
 * An exchange owns copies of what it was made from, in one arena, and a transport's table for the
 * answer. Whoever ends it first (handler or transport) frees it. Dozens live for as long as the
 * process, as watches: so a full set of headers is kept only while an answer's head is being made.
 */
#include "http/exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

struct http_exchange {
    struct arena mem;
    struct loop *loop;
    struct str method, path, query, body;
    char *body_mem; /* outside of the arena: it can be big */
    struct user_info *user;
    const char *peer;
    struct http_header *request; /* in the arena */
    size_t n_request;
    struct http_headers *response; /* from the first header to the head's sending */
    const struct http_exchange_ops *ops;
    void *transport;

    void *data;
    void (*on_close)(void *ctx);
    void *on_close_ctx;
    void (*on_drain)(void *ctx);
    void *on_drain_ctx;
};

static void copy_headers(struct http_exchange *x, const struct http_headers *from)
{
    x->n_request = from ? from->n : 0;
    x->request = arena_alloc(&x->mem, x->n_request * sizeof(*x->request));
    for (size_t i = 0; i < x->n_request; i++) {
        x->request[i].name = arena_str(&x->mem, from->h[i].name);
        x->request[i].value = arena_str(&x->mem, from->h[i].value);
    }
}

void http_exchange_body(struct http_exchange *x, char *p, size_t n)
{
    assert(!x->body_mem);
    x->body_mem = p;
    x->body = (struct str){p ? p : "", n};
}

struct http_exchange *http_exchange_new(const struct http_exchange_init *in)
{
    struct http_exchange *x = xnew(struct http_exchange);

    arena_init(&x->mem);
    x->loop = in->loop;
    x->method = arena_str(&x->mem, in->method);
    x->path = arena_str(&x->mem, in->path);
    x->query = arena_str(&x->mem, in->query);
    http_exchange_body(x, in->body.n ? xstrndup(in->body.p, in->body.n) : NULL, in->body.n);
    x->user = user_copy(in->user);
    x->peer = arena_strndup(&x->mem, in->peer, in->peer ? strlen(in->peer) : 0);
    copy_headers(x, in->headers);
    x->ops = in->ops;
    x->transport = in->transport;
    return x;
}

static void exchange_free(struct http_exchange *x)
{
    arena_done(&x->mem);
    user_free(x->user);
    free(x->response);
    free(x->body_mem);
    free(x);
}

void http_exchange_drained(struct http_exchange *x)
{
    if (x->on_drain)
        x->on_drain(x->on_drain_ctx);
}

bool http_on_drain(struct http_exchange *x, void (*fn)(void *ctx), void *ctx)
{
    x->on_drain = fn;
    x->on_drain_ctx = ctx;
    return x->ops->drains;
}

void http_exchange_gone(struct http_exchange *x)
{
    if (x->on_close)
        x->on_close(x->on_close_ctx);
    exchange_free(x);
}

struct str http_method(const struct http_exchange *x)
{
    return x->method;
}

struct str http_path(const struct http_exchange *x)
{
    return x->path;
}

struct str http_query(const struct http_exchange *x)
{
    return x->query;
}

struct str http_body(const struct http_exchange *x)
{
    return x->body;
}

struct str http_request_header(const struct http_exchange *x, const char *name)
{
    struct str want = str_of(name);

    for (size_t i = 0; i < x->n_request; i++) {
        if (str_ieq(x->request[i].name, want))
            return x->request[i].value;
    }
    return STR_NULL;
}

bool http_request_has_prefix(const struct http_exchange *x, const char *prefix)
{
    size_t n = strlen(prefix);

    for (size_t i = 0; i < x->n_request; i++) {
        struct str name = x->request[i].name;

        if (name.n >= n && str_ieq((struct str){name.p, n}, str_of(prefix)))
            return true;
    }
    return false;
}

const struct user_info *http_user(const struct http_exchange *x)
{
    return x->user;
}

void http_set_user(struct http_exchange *x, const struct user_info *u)
{
    struct user_info *fresh = user_copy(u); /* u may be the one that goes */

    user_free(x->user);
    x->user = fresh;
}

void http_read_body(struct http_exchange *x)
{
    x->ops->read_body(x->transport);
}

void http_set_data(struct http_exchange *x, void *data)
{
    x->data = data;
}

void *http_data(const struct http_exchange *x)
{
    return x->data;
}

const char *http_peer(const struct http_exchange *x)
{
    return x->peer;
}

struct loop *http_loop(const struct http_exchange *x)
{
    return x->loop;
}

void http_on_close(struct http_exchange *x, void (*fn)(void *ctx), void *ctx)
{
    x->on_close = fn;
    x->on_close_ctx = ctx;
}

/* ---- the answer ---- */

void http_set_header(struct http_exchange *x, const char *name, const char *value)
{
    if (!x->response) {
        x->response = xmalloc(sizeof(*x->response));
        x->response->n = 0;
    }
    http_replace(x->response, arena_str(&x->mem, str_of(name)), arena_str(&x->mem, str_of(value)));
}

static void start(struct http_exchange *x, int status, const char *content_type, bool streamed)
{
    static const struct http_headers none = {.n = 0};

    if (content_type)
        http_set_header(x, "Content-Type", content_type);
    x->ops->start(x->transport, status, x->response ? x->response : &none, streamed);
    free(x->response);
    x->response = NULL;
}

static bool may_have_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

void http_reply(struct http_exchange *x, int status, const char *content_type, const void *body,
                size_t n)
{
    char length[24];

    if (may_have_body(status)) {
        snprintf(length, sizeof(length), "%zu", n);
        http_set_header(x, "Content-Length", length);
    }
    start(x, status, n ? content_type : NULL, false);
    if (n && may_have_body(status))
        x->ops->chunk(x->transport, body, n);
    http_end(x);
}

void http_start(struct http_exchange *x, int status, const char *content_type)
{
    start(x, status, content_type, true);
}

ssize_t http_chunk(struct http_exchange *x, const void *p, size_t n)
{
    return x->ops->chunk(x->transport, p, n);
}

/* The exchange is freed first: the transport may take up the next request at once. */
void http_end(struct http_exchange *x)
{
    const struct http_exchange_ops *ops = x->ops;
    void *transport = x->transport;

    exchange_free(x);
    ops->end(transport);
}

void http_abort(struct http_exchange *x)
{
    const struct http_exchange_ops *ops = x->ops;
    void *transport = x->transport;

    exchange_free(x);
    ops->abort(transport);
}

static bool lists(const struct http_exchange *x, const char *field, const char *token)
{
    struct str want = str_of(field), tok = str_of(token), part;

    for (size_t i = 0; i < x->n_request; i++) {
        struct str rest = x->request[i].value;
        if (!str_ieq(x->request[i].name, want))
            continue;
        while (str_split(&rest, ',', &part)) {
            if (str_ieq(str_trim(part), tok))
                return true;
        }
    }
    return false;
}

struct conn *http_upgrade(struct http_exchange *x, const char *protocol, struct err *e)
{
    if (!x->ops->upgrade || !lists(x, "Connection", "upgrade") || !lists(x, "Upgrade", protocol)) {
        err_set(e, -EPROTO, "the request does not ask for an upgrade to %s", protocol);
        return NULL;
    }
    http_set_header(x, "Upgrade", protocol);
    http_set_header(x, "Connection", "Upgrade");
    struct conn *c = x->ops->upgrade(x->transport, x->response, e);
    if (c) {
        exchange_free(x);
        return c;
    }
    free(x->response);
    x->response = NULL;
    return NULL;
}
