/*
 * The in-process transport: a call is one object shared by the client's loop and the server's, each
 * holding a reference. The server's handlers are called as for HTTP: first at the head, then with
 * the body. An upgrade gives each side an end of a pair. Requests and cancellations are posted to
 * the server; answers collect in a buffer under a lock and the first bytes of a burst post one
 * delivery to the client. Under that same lock the client says that it is gone, after which nothing
 * is posted to its loop: so the client's loop may end while the server still streams. The server's
 * loop ends its exchanges before it goes, and refuses posts from then on.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "kube/transport.h"
#include "net/conn.h"

struct inproc {
    struct kube_transport base;
    struct loop *client_loop, *server_loop;
    http_handler_fn *head, *handler;
    void *handler_ctx;
    struct user_info *user;
};

struct call {
    atomic_int refs;
    struct loop *client_loop, *server_loop;
    bool stream;

    /* the request: written before the post, read by the server */
    http_handler_fn *head, *handler;
    void *handler_ctx;
    char *method, *path, *query, *body;
    size_t body_n;
    struct arena mem; /* of the fields */
    struct http_headers *fields;
    struct user_info *user;

    /* the server's */
    struct http_exchange *exchange;

    /* the client's */
    struct transport_events events;
    void *ctx;
    bool head_told;

    pthread_mutex_t lock; /* of what follows */
    struct buf out;
    struct conn *upgraded; /* the client's end, until it is told */
    int status;
    bool ended, cut, posted, client_gone;
};

static void call_unref(struct call *c)
{
    if (atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&c->lock);
    buf_done(&c->out);
    conn_close(c->upgraded); /* never told of, so nobody uses it */
    arena_done(&c->mem);
    free(c->fields);
    free(c->method);
    free(c->path);
    free(c->query);
    free(c->body);
    user_free(c->user);
    free(c);
}

static void post(struct call *c, struct loop *l, void (*fn)(void *))
{
    atomic_fetch_add(&c->refs, 1);
    if (loop_post(l, fn, c) < 0)
        call_unref(c);
}

/* ---- towards the client ---- */
static void finish(struct call *c, bool cut, int status, struct str body)
{
    const struct err broken = {-ECONNRESET, "the API server cut the answer"};
    struct transport_events ev = c->events;
    void *ctx = c->ctx;

    pthread_mutex_lock(&c->lock);
    c->client_gone = true;
    pthread_mutex_unlock(&c->lock);
    ev.on_done(ctx, cut ? &broken : NULL, cut ? 0 : status, body);
    call_unref(c);
}

static void finish_upgraded(struct call *c, struct conn *end)
{
    struct transport_events ev = c->events;
    void *ctx = c->ctx;

    pthread_mutex_lock(&c->lock);
    c->client_gone = true;
    pthread_mutex_unlock(&c->lock);
    ev.on_upgrade(ctx, end);
    call_unref(c);
}

static bool is_gone(struct call *c)
{
    pthread_mutex_lock(&c->lock);
    bool gone = c->client_gone;
    pthread_mutex_unlock(&c->lock);
    return gone;
}

static void deliver_stream(struct call *c, int status, struct str bytes, bool ended, bool cut)
{
    if (status && !c->head_told) {
        c->head_told = true;
        c->events.on_head(c->ctx, status);
    }
    if (bytes.n && !is_gone(c))
        c->events.on_chunk(c->ctx, bytes.p, bytes.n);
    if (ended && !is_gone(c))
        finish(c, cut, status, STR(""));
}

static void deliver(void *arg)
{
    struct call *c = arg;
    _cleanup_buf_ struct buf got = BUF_INIT(LIMIT_API_RESPONSE);

    pthread_mutex_lock(&c->lock);
    struct buf empty = got;
    got = c->out;
    c->out = empty;
    c->posted = false;
    bool ended = c->ended, cut = c->cut, gone = c->client_gone;
    int status = c->status;
    struct conn *upgraded = gone ? NULL : steal(&c->upgraded);
    pthread_mutex_unlock(&c->lock);

    if (!gone && upgraded)
        finish_upgraded(c, upgraded);
    else if (!gone && c->stream)
        deliver_stream(c, status, buf_str(&got), ended, cut);
    else if (!gone && ended)
        finish(c, cut, status, buf_str(&got));
    call_unref(c);
}

/* With the lock held. */
static void notify(struct call *c)
{
    if (c->posted || c->client_gone)
        return;
    c->posted = true;
    post(c, c->client_loop, deliver);
}

/* ---- on the server's loop ---- */
static void ex_start(void *t, int status, const struct http_headers *hs, bool streamed)
{
    struct call *c = t;

    pthread_mutex_lock(&c->lock);
    c->status = status;
    if (c->stream)
        notify(c);
    pthread_mutex_unlock(&c->lock);
}

static ssize_t ex_chunk(void *t, const void *p, size_t n)
{
    struct call *c = t;
    ssize_t waiting = -EPIPE;

    pthread_mutex_lock(&c->lock);
    if (!c->client_gone) {
        if (buf_add(&c->out, p, n) < 0)
            c->cut = true; /* larger than any answer may be */
        waiting = c->cut ? -E2BIG : (ssize_t)c->out.n;
        if (c->stream)
            notify(c);
    }
    pthread_mutex_unlock(&c->lock);
    return waiting;
}

static void ex_finish(struct call *c, bool cut)
{
    c->exchange = NULL;
    pthread_mutex_lock(&c->lock);
    c->ended = true;
    c->cut = c->cut || cut;
    notify(c);
    pthread_mutex_unlock(&c->lock);
    call_unref(c);
}

static void ex_end(void *t)
{
    ex_finish(t, false);
}

static void ex_abort(void *t)
{
    ex_finish(t, true);
}

static void ex_read_body(void *t)
{
    struct call *c = t;

    http_exchange_body(c->exchange, steal(&c->body), c->body_n);
    c->handler(c->handler_ctx, c->exchange);
}

static struct conn *ex_upgrade(void *t, const struct http_headers *hs, struct err *e)
{
    struct call *c = t;
    struct conn *ends[2];

    if (!c->events.on_upgrade) {
        err_set(e, -EPROTO, "the caller does not take an upgrade");
        return NULL;
    }
    conn_pair_across(c->server_loop, c->client_loop, ends);
    c->exchange = NULL;
    pthread_mutex_lock(&c->lock);
    c->upgraded = ends[1];
    notify(c);
    pthread_mutex_unlock(&c->lock);
    call_unref(c);
    return ends[0];
}

static const struct http_exchange_ops exchange_ops = {.start = ex_start,
                                                      .chunk = ex_chunk,
                                                      .end = ex_end,
                                                      .abort = ex_abort,
                                                      .read_body = ex_read_body,
                                                      .upgrade = ex_upgrade};

static void begin(void *arg)
{
    struct call *c = arg;

    if (is_gone(c)) {
        call_unref(c);
        return;
    }
    c->exchange = http_exchange_new(&(struct http_exchange_init){.loop = c->server_loop,
                                                                 .method = str_of(c->method),
                                                                 .path = str_of(c->path),
                                                                 .query = str_of(c->query),
                                                                 .headers = c->fields,
                                                                 .user = c->user,
                                                                 .peer = "in-process",
                                                                 .ops = &exchange_ops,
                                                                 .transport = c});
    if (c->head)
        c->head(c->handler_ctx, c->exchange);
    else
        ex_read_body(c);
}

static void client_left(void *arg)
{
    struct call *c = arg;
    struct http_exchange *x = c->exchange;

    if (x) {
        c->exchange = NULL;
        http_exchange_gone(x);
        call_unref(c);
    }
    call_unref(c);
}

/* ---- on the client's loop ---- */
static void add_field(struct call *c, const char *name, const char *value)
{
    if (value)
        http_add(c->fields, arena_str(&c->mem, str_of(name)), arena_str(&c->mem, str_of(value)));
}

static void make_fields(struct call *c, const struct transport_call *tc)
{
    arena_init(&c->mem);
    c->fields = xnew(struct http_headers);
    add_field(c, "Accept", "application/json");
    add_field(c, "Content-Type", tc->content_type);
    add_field(c, "Connection", tc->upgrade ? "Upgrade" : NULL);
    add_field(c, "Upgrade", tc->upgrade);
    for (size_t i = 0; tc->fields && i < tc->fields->n; i++)
        http_add(c->fields, arena_str(&c->mem, tc->fields->h[i].name),
                 arena_str(&c->mem, tc->fields->h[i].value));
}

static void *call(struct kube_transport *base, const struct transport_call *tc,
                  const struct transport_events *ev, void *ctx)
{
    struct inproc *t = (struct inproc *)base;
    struct call *c = xnew(struct call);
    struct str path = tc->path, query = STR("");
    size_t at;

    if (str_find(path, '?', &at)) {
        query = (struct str){path.p + at + 1, path.n - at - 1};
        path.n = at;
    }
    atomic_init(&c->refs,
                2); /* the client's until done or cancelled, the server's until the exchange ends */
    pthread_mutex_init(&c->lock, NULL);
    buf_init(&c->out, LIMIT_API_RESPONSE);
    c->client_loop = t->client_loop;
    c->server_loop = t->server_loop;
    c->stream = tc->stream;
    c->head = t->head;
    c->handler = t->handler;
    c->handler_ctx = t->handler_ctx;
    c->method = xstrndup(tc->method.p, tc->method.n);
    c->path = xstrndup(path.p, path.n);
    c->query = xstrndup(query.p, query.n);
    make_fields(c, tc);
    c->body = tc->body.n ? xmemdup(tc->body.p, tc->body.n) : NULL;
    c->body_n = tc->body.n;
    c->user = user_copy(t->user);
    c->events = *ev;
    c->ctx = ctx;
    if (loop_post(c->server_loop, begin, c) < 0)
        ex_finish(c, true); /* the server is gone: the answer is a cut one */
    return c;
}

static void cancel(void *running)
{
    struct call *c = running;

    pthread_mutex_lock(&c->lock);
    c->client_gone = true;
    pthread_mutex_unlock(&c->lock);
    post(c, c->server_loop, client_left);
    call_unref(c);
}

static void transport_free(struct kube_transport *base)
{
    struct inproc *t = (struct inproc *)base;

    user_free(t->user);
    free(t);
}

struct kube_transport *kube_transport_inproc_with(struct loop *l, const struct kube_inproc_opts *o)
{
    static const struct transport_ops ops = {call, cancel, transport_free};
    struct inproc *t = xnew(struct inproc);

    *t = (struct inproc){.base = {.ops = &ops, .local = true},
                         .client_loop = l,
                         .server_loop = o->server_loop,
                         .head = o->head,
                         .handler = o->handler,
                         .handler_ctx = o->ctx,
                         .user = user_copy(o->user)};
    return &t->base;
}

struct kube_transport *kube_transport_inproc(struct loop *l, struct loop *server_loop,
                                             http_handler_fn *handler, void *ctx, const char *user)
{
    const char *const masters[] = {"system:masters"};
    const struct user_info u = {.name = user, .groups = masters, .n_groups = 1};

    return kube_transport_inproc_with(
        l, &(struct kube_inproc_opts){
               .server_loop = server_loop, .handler = handler, .ctx = ctx, .user = &u});
}
