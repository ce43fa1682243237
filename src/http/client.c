/*
 * The client: a call owns its serialized request; a link is one connection with a parser, in the
 * pool while no call uses it. What a parser reports is noted, and acted upon after the parser has
 * returned, so callbacks may cancel their call or start another at any time.
 */
#include "http/client.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/h1.h"
#include "http/limits.h"

#define IDLE_SWEEP_MS 30000

struct http_client {
    struct loop *loop;
    struct list running;
    struct list idle; /* struct link, least recently used first */
    size_t n_idle;
    struct timer *sweep;
};

struct link {
    struct list in_pool;
    struct http_client *client;
    char *key; /* same target, same key */
    struct conn *conn;
    struct h1_parser *parser;
    struct http_running *call; /* NULL while idle */
    bool pooled;               /* was used before */
    bool swept;                /* one sweep has seen it idle */
    bool feeding, dead;
    bool keep_alive, complete;
    const struct h1_head *upgraded; /* a 101 that was asked for */
};

struct http_running {
    struct list in_client;
    struct http_client *client;
    struct connect_opts target; /* strings owned */
    char *key;
    struct buf request;
    bool is_head, idempotent, no_pool;
    struct http_call_events ev;
    void *ctx;
    struct connecting *connecting;
    struct link *link;
    struct timer *limit;
    struct timer *quiet;
    uint64_t quiet_ms;
    struct buf body;
    int status;
    bool got_bytes;
    struct err err;
};

/* ---- links ---- */

static void link_free(struct link *k)
{
    h1_free(k->parser);
    free(k->key);
    free(k);
}

static void link_close(struct link *k)
{
    if (k->dead)
        return;
    k->dead = true;
    if (!list_empty(&k->in_pool))
        k->client->n_idle--;
    list_del(&k->in_pool);
    if (k->call)
        k->call->link = NULL;
    k->call = NULL;
    conn_close(k->conn);
    if (!k->feeding)
        link_free(k);
}

static void link_to_pool(struct link *k)
{
    struct http_client *c = k->client;

    k->call = NULL;
    k->pooled = true;
    k->swept = false;
    list_push_back(&c->idle, &k->in_pool);
    if (++c->n_idle > LIMIT_HTTP_IDLE)
        link_close(list_entry(c->idle.next, struct link, in_pool));
    if (!timer_active(c->sweep))
        timer_start(c->sweep, IDLE_SWEEP_MS);
}

/* Closes what was idle for a whole sweep. */
static void on_sweep(void *ctx)
{
    struct http_client *c = ctx;

    list_for_each_safe(it, &c->idle)
    {
        struct link *k = list_entry(it, struct link, in_pool);
        if (k->swept)
            link_close(k);
        else
            k->swept = true;
    }
    if (c->n_idle > 0)
        timer_start(c->sweep, IDLE_SWEEP_MS);
}

static struct link *from_pool(struct http_client *c, const char *key)
{
    for (struct list *it = c->idle.prev; it != &c->idle; it = it->prev) {
        struct link *k = list_entry(it, struct link, in_pool);
        if (streq(k->key, key)) {
            list_del(it);
            c->n_idle--;
            return k;
        }
    }
    return NULL;
}

/* ---- the end of a call ---- */

static void call_free(struct http_running *r)
{
    list_del(&r->in_client);
    timer_free(r->limit);
    timer_free(r->quiet);
    connecting_cancel(r->connecting);
    buf_done(&r->request);
    buf_done(&r->body);
    free(r->key);
    free((char *)r->target.host);
    free((char *)r->target.unix_path);
    free((char *)r->target.server_name);
    free(r);
}

static void call_done(struct http_running *r, const struct err *err)
{
    struct http_call_events ev = r->ev;
    void *ctx = r->ctx;
    struct buf body = r->body;
    int status = r->status;
    struct err copy = {0};

    if (err)
        copy = *err;
    r->body = (struct buf){0};
    if (r->link)
        link_close(r->link);
    call_free(r);
    ev.on_done(ctx, err ? &copy : NULL, status, buf_str(&body));
    buf_done(&body);
}

static void call_failed(struct http_running *r, int code, const char *why)
{
    char where[300];

    if (r->target.unix_path)
        snprintf(where, sizeof(where), "%s", r->target.unix_path);
    else
        snprintf(where, sizeof(where), "%s:%d", r->target.host, r->target.port);
    err_set(&r->err, code, "request to %s: %s", where, why);
    call_done(r, &r->err);
}

/* ---- the answer ---- */

static int on_head(void *ctx, struct h1_head *head)
{
    struct link *k = ctx;
    struct http_running *r = k->call;

    if (head->status == 101 && r->ev.on_upgrade) {
        k->upgraded = head;
        return 0;
    }
    if (head->status == 101) {
        err_set(&r->err, -EPROTO, "the server switched protocols unasked");
        return 1;
    }
    if (head->status < 200)
        return 0;
    r->status = head->status;
    k->keep_alive = head->keep_alive;
    if (r->ev.on_head)
        r->ev.on_head(r->ctx, head->status, &head->headers);
    return k->call == NULL;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    struct link *k = ctx;
    struct http_running *r = k->call;

    if (r->ev.on_chunk)
        r->ev.on_chunk(r->ctx, p, n);
    else if (buf_add(&r->body, p, n) < 0)
        err_set(&r->err, -E2BIG, "the answer is larger than %zu bytes", r->body.max);
    return k->call == NULL || r->err.code != 0;
}

static int on_done(void *ctx)
{
    struct link *k = ctx;

    if (k->call->status == 0)
        return 0; /* 1xx */
    k->complete = true;
    return 1;
}

static const struct h1_events parser_events = {on_head, on_body, on_done};

static void finished(struct link *k, bool clean)
{
    struct http_running *r = k->call;

    r->link = NULL;
    k->call = NULL;
    if (clean && k->keep_alive && !r->no_pool)
        link_to_pool(k);
    else
        link_close(k);
    call_done(r, NULL);
}

/* The connection leaves the client, with the bytes behind the head. */
static void hand_over(struct link *k, const char *rest, size_t n)
{
    struct http_running *r = steal(&k->call);
    struct conn *c = conn_with_unread(k->conn, rest, n);
    struct http_call_events ev = r->ev;
    void *ctx = r->ctx;

    r->link = NULL;
    call_free(r);
    ev.on_upgrade(ctx, c, &k->upgraded->headers);
    link_free(k);
}

static void feed(struct link *k, const char *p, size_t n)
{
    struct err e = {0};

    k->feeding = true;
    ssize_t used = h1_feed(k->parser, p, n, &e);
    k->feeding = false;
    if (k->dead) {
        link_free(k);
        return;
    }
    if (used < 0)
        call_failed(k->call, -EPROTO, e.msg);
    else if (k->upgraded)
        hand_over(k, p + used, n - (size_t)used);
    else if (k->call->err.code)
        call_failed(k->call, k->call->err.code, (e = k->call->err).msg);
    else if (k->complete)
        finished(k, (size_t)used == n);
}

static void on_data(void *ctx, const char *p, size_t n)
{
    struct link *k = ctx;

    if (!k->call) {
        link_close(k); /* nobody asked */
        return;
    }
    k->call->got_bytes = true;
    if (k->call->quiet)
        timer_start(k->call->quiet, k->call->quiet_ms);
    feed(k, p, n);
}

static void start(struct http_running *r);

/* The connection ended under the call. A pooled one may have been closed by the server while idle.
 */
static void lost(struct link *k, int code, const char *why)
{
    struct http_running *r = k->call;
    bool again = r->idempotent && k->pooled && !r->got_bytes;

    r->link = NULL;
    k->call = NULL;
    link_close(k);
    if (again)
        start(r);
    else
        call_failed(r, code, why);
}

static void on_eof(void *ctx)
{
    struct link *k = ctx;
    struct err e;

    if (!k->call) {
        link_close(k);
        return;
    }
    k->feeding = true;
    int r = h1_eof(k->parser, &e);
    k->feeding = false;
    if (k->dead)
        link_free(k);
    else if (r == 0 && k->complete)
        finished(k, false);
    else
        lost(k, -ECONNRESET, "the server closed the connection before the answer was complete");
}

static void on_close(void *ctx, const struct err *why)
{
    struct link *k = ctx;

    if (k->call)
        lost(k, why->code, why->msg);
    else
        link_close(k);
}

static const struct conn_events events = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

/* ---- the request ---- */

static void use_link(struct http_running *r, struct link *k)
{
    r->link = k;
    k->call = r;
    k->complete = false;
    if (r->is_head)
        h1_expect_head(k->parser);
    conn_write1(k->conn, r->request.p, r->request.n); /* a failure comes as on_close */
}

static void on_connected(void *ctx, struct conn *c, const struct err *why)
{
    struct http_running *r = ctx;

    r->connecting = NULL;
    if (!c) {
        r->err = *why;
        call_done(r, &r->err);
        return;
    }
    struct link *k = xnew(struct link);
    list_init(&k->in_pool);
    k->client = r->client;
    k->key = xstrdup(r->key);
    k->conn = c;
    k->parser = h1_new(H1_RESPONSE, &parser_events, k);
    conn_set_events(c, &events, k);
    use_link(r, k);
}

/* One that its server has not left while nobody looked. */
static struct link *living(struct http_client *c, const char *key)
{
    struct link *k;

    while ((k = from_pool(c, key)) && conn_peer_left(k->conn))
        link_close(k);
    return k;
}

static void start(struct http_running *r)
{
    struct link *k = r->no_pool ? NULL : living(r->client, r->key);

    if (k)
        use_link(r, k);
    else
        r->connecting = conn_connect(r->client->loop, &r->target, on_connected, r);
}

static void on_limit(void *ctx)
{
    call_failed(ctx, -ETIMEDOUT, "no complete answer within the time limit");
}

static void on_quiet(void *ctx)
{
    call_failed(ctx, -ETIMEDOUT, "the server has said nothing within the time limit");
}

static bool is_one_of(struct str s, const char *const *names)
{
    for (; *names; names++) {
        if (str_eq(s, str_of(*names)))
            return true;
    }
    return false;
}

static void host_field(const struct http_call *call, char *ret, size_t n)
{
    const char *host = call->target.server_name ? call->target.server_name : call->target.host;
    bool v6 = host && strchr(host, ':'), usual = call->target.port == (call->target.tls ? 443 : 80);

    if (!host)
        snprintf(ret, n, "localhost");
    else if (usual)
        snprintf(ret, n, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
    else
        snprintf(ret, n, "%s%s%s:%d", v6 ? "[" : "", host, v6 ? "]" : "", call->target.port);
}

static int write_request(struct buf *out, const struct http_call *call)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH", NULL};
    struct http_headers hs = call->headers;
    char host[300], length[24];

    host_field(call, host, sizeof(host));
    snprintf(length, sizeof(length), "%zu", call->body.n);
    if (!http_get(&hs, "Host").p)
        http_add(&hs, STR("Host"), str_of(host));
    if (call->body.n || is_one_of(call->method, with_body))
        http_replace(&hs, STR("Content-Length"), str_of(length));
    int r = h1_write_request(out, call->method, call->path.n ? call->path : STR("/"), &hs);
    return r < 0 ? r : buf_add(out, call->body.p, call->body.n);
}

static void bad_request(void *arg)
{
    call_failed(arg, -EINVAL, "a part of the request contains a line break");
}

static char *dup_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

static struct http_running *call_new(struct http_client *c, const struct http_call *call)
{
    static const char *const safe[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", NULL};
    struct http_running *r = xnew(struct http_running);

    r->client = c;
    r->target = call->target;
    r->target.host = dup_or_null(call->target.host);
    r->target.unix_path = dup_or_null(call->target.unix_path);
    r->target.server_name = dup_or_null(call->target.server_name);
    r->key =
        xasprintf("%s|%d|%s|%p|%s", call->target.host ? call->target.host : "", call->target.port,
                  call->target.unix_path ? call->target.unix_path : "", (void *)call->target.tls,
                  call->target.server_name ? call->target.server_name : "");
    r->is_head = str_eq(call->method, STR("HEAD"));
    r->idempotent = is_one_of(call->method, safe);
    r->no_pool = call->no_pool;
    buf_init(&r->request, SIZE_MAX / 2);
    buf_init(&r->body, call->max_body ? call->max_body : LIMIT_HTTP_ANSWER);
    list_push_back(&c->running, &r->in_client);
    return r;
}

struct http_running *http_client_call(struct http_client *c, const struct http_call *call,
                                      const struct http_call_events *ev, void *ctx)
{
    struct http_running *r = call_new(c, call);

    r->ev = *ev;
    r->ctx = ctx;
    if (write_request(&r->request, call) < 0) {
        r->limit = timer_new(c->loop, bad_request, r);
        timer_start(r->limit, 0);
        return r;
    }
    if (call->timeout_ms) {
        r->limit = timer_new(c->loop, on_limit, r);
        timer_start(r->limit, call->timeout_ms);
    }
    if (call->quiet_ms) {
        r->quiet = timer_new(c->loop, on_quiet, r);
        r->quiet_ms = call->quiet_ms;
        timer_start(r->quiet, call->quiet_ms);
    }
    start(r);
    return r;
}

void http_running_cancel(struct http_running *r)
{
    if (!r)
        return;
    if (r->link)
        link_close(r->link);
    call_free(r);
}

struct http_client *http_client_new(struct loop *l)
{
    struct http_client *c = xnew(struct http_client);

    c->loop = l;
    list_init(&c->running);
    list_init(&c->idle);
    c->sweep = timer_new(l, on_sweep, c);
    return c;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (!list_empty(&c->running))
        call_failed(list_entry(c->running.next, struct http_running, in_client), -ECANCELED,
                    "the client is closing");
    while (!list_empty(&c->idle))
        link_close(list_entry(c->idle.next, struct link, in_pool));
    timer_free(c->sweep);
    free(c);
}
