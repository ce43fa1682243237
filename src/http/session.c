/*
 * A connection of the server: bytes collect in `in`; parse() takes one whole request, gives it to
 * the handler and goes on when the answer has ended, so pipelined requests are answered in order
 * and one at a time. An answer that comes from inside the handler only clears `busy`; the loop in
 * parse() goes on, so any number of pipelined requests needs no stack.
 */
#include "http/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

static void parse(struct http_session *k);

static void session_free(struct http_session *k)
{
    struct http_server *s = k->server;

    list_del(&k->link);
    timer_free(k->limit);
    h1_free(k->parser);
    buf_done(&k->in);
    buf_done(&k->body);
    buf_done(&k->out);
    free(k);
    http_server_session_gone(s);
}

/* Freed at once, or by parse() when that is on the stack. */
static void session_end(struct http_session *k, void (*close_conn)(struct conn *c))
{
    struct http_exchange *x = k->exchange;

    if (k->closed)
        return;
    k->closed = true;
    k->exchange = NULL;
    close_conn(k->conn);
    if (x)
        http_exchange_gone(x);
    if (!k->parsing)
        session_free(k);
}

void session_abort(struct http_session *k)
{
    session_end(k, conn_close);
}

void session_close_if_idle(struct http_session *k)
{
    if (!k->busy && h1_idle(k->parser))
        session_end(k, conn_close_flush);
}

/* ---- the answer ---- */

static void add_field(struct http_headers *hs, const char *name, const char *value)
{
    http_replace(hs, str_of(name), str_of(value));
}

static void write_head(struct http_session *k, int status, const struct http_headers *given)
{
    struct http_headers hs = *given;

    k->keep_alive &= !k->server->stopping && !k->eof;
    add_field(&hs, "Date", http_server_date(k->server));
    if (k->chunked)
        add_field(&hs, "Transfer-Encoding", "chunked");
    if (!k->keep_alive)
        add_field(&hs, "Connection", "close");
    else if (k->old_client)
        add_field(&hs, "Connection", "keep-alive");
    if (h1_write_response(&k->out, status, &hs) < 0) {
        static const struct http_headers none = {.n = 0};
        k->keep_alive = false;
        h1_write_response(&k->out, 500, &none);
    }
}

static void answer_start(void *t, int status, const struct http_headers *hs, bool streamed)
{
    struct http_session *k = t;

    k->streamed = streamed;
    k->no_body |= status < 200 || status == 204 || status == 304;
    k->chunked = streamed && !k->no_body && !k->old_client;
    if (streamed && !k->no_body && k->old_client)
        k->keep_alive = false; /* the end of the connection is the end of the body */
    write_head(k, status, hs);
    if (streamed) {
        conn_write1(k->conn, k->out.p, k->out.n);
        buf_clear(&k->out);
    }
}

static ssize_t answer_chunk(void *t, const void *p, size_t n)
{
    struct http_session *k = t;
    char size[24];

    if (k->no_body || n == 0)
        return (ssize_t)conn_unsent(k->conn);
    if (!k->streamed) {
        struct iovec whole[2] = {{k->out.p, k->out.n}, {(void *)p, n}};
        ssize_t r = conn_write(k->conn, whole, 2);
        buf_clear(&k->out);
        return r;
    }
    if (!k->chunked)
        return conn_write1(k->conn, p, n);
    int size_n = snprintf(size, sizeof(size), "%zx\r\n", n);
    struct iovec iov[3] = {{size, (size_t)size_n}, {(void *)p, n}, {(char[]){"\r\n"}, 2}};
    return conn_write(k->conn, iov, 3);
}

static void answer_end(void *t)
{
    struct http_session *k = t;

    k->exchange = NULL;
    if (k->chunked)
        buf_addz(&k->out, "0\r\n\r\n");
    if (k->out.n > 0)
        conn_write1(k->conn, k->out.p, k->out.n);
    buf_clear(&k->out);
    k->busy = false;
    if (!k->keep_alive || k->server->stopping) {
        session_end(k, conn_close_flush);
        return;
    }
    timer_start(k->limit, k->server->o.idle_timeout_ms);
    conn_read_start(k->conn);
    if (!k->parsing)
        parse(k);
}

static void answer_abort(void *t)
{
    struct http_session *k = t;

    k->exchange = NULL;
    session_end(k, conn_close);
}

static const struct http_exchange_ops answer_ops = {
    .start = answer_start,
    .chunk = answer_chunk,
    .end = answer_end,
    .abort = answer_abort,
};

/* ---- the request ---- */

static int on_head(void *ctx, struct h1_head *head)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_session *k = ctx;

    k->head = head;
    buf_clear(&k->body);
    if (head->content_length > (int64_t)k->server->o.max_body) {
        k->refuse = 413;
        return 1;
    }
    if (head->expect_continue && head->has_body && head->minor > 0)
        conn_write1(k->conn, go_on, sizeof(go_on) - 1);
    return 0;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    struct http_session *k = ctx;

    if (buf_add(&k->body, p, n) == 0)
        return 0;
    k->refuse = 413;
    return 1;
}

static int on_done(void *ctx)
{
    struct http_session *k = ctx;

    k->complete = true;
    return 1;
}

static const struct h1_events parser_events = {on_head, on_body, on_done};

/* "http://host/path?query" becomes "/path?query". */
static struct str origin_form(struct str target)
{
    size_t at = 0;

    if (target.n == 0 || target.p[0] == '/')
        return target;
    for (size_t i = 0; i + 2 < target.n; i++) {
        if (memcmp(target.p + i, "://", 3) == 0) {
            struct str rest = {target.p + i + 3, target.n - i - 3};
            if (!str_find(rest, '/', &at))
                return STR("/");
            return (struct str){rest.p + at, rest.n - at};
        }
    }
    return target;
}

static struct user_info peer_identity(const struct http_session *k)
{
    struct user_info u = {.name = conn_peer_cn(k->conn)};

    u.n_groups = conn_peer_orgs(k->conn, &u.groups);
    return u;
}

static void dispatch(struct http_session *k)
{
    const struct user_info user = peer_identity(k);
    const struct h1_head *head = k->head;
    struct str path = origin_form(head->target), query = {"", 0};
    size_t at;

    if (str_find(path, '?', &at)) {
        query = (struct str){path.p + at + 1, path.n - at - 1};
        path.n = at;
    }
    struct http_exchange_init init = {
        .loop = k->server->loop,
        .method = head->method,
        .path = path,
        .query = query,
        .body = buf_str(&k->body),
        .headers = &head->headers,
        .user = &user,
        .peer = conn_peer(k->conn),
        .ops = &answer_ops,
        .transport = k,
    };
    k->complete = false;
    k->busy = true;
    k->streamed = k->chunked = false;
    k->no_body = str_eq(head->method, STR("HEAD"));
    k->old_client = head->minor == 0;
    k->keep_alive = head->keep_alive;
    timer_stop(k->limit);
    k->exchange = http_exchange_new(&init);
    buf_done(&k->body);
    k->server->o.handler(k->server->o.ctx, k->exchange);
}

static void refuse(struct http_session *k, int status, const char *why)
{
    static const char fmt[] = "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nConnection: close\r\n"
                              "Content-Length: %zu\r\n\r\n";
    _cleanup_buf_ struct buf body = BUF_INIT(LIMIT_HTTP_HEAD);
    const char *type = "text/plain";

    if (k->server->o.refusal)
        type = k->server->o.refusal(status, why, &body);
    else
        buf_addf(&body, "%s\n", why);
    buf_clear(&k->out);
    buf_addf(&k->out, fmt, status, http_reason(status), type, body.n);
    buf_add(&k->out, body.p, body.n);
    conn_write1(k->conn, k->out.p, k->out.n);
    session_end(k, conn_close_flush);
}

static void parse_some(struct http_session *k)
{
    struct err e;
    ssize_t used = h1_feed(k->parser, k->in.p, k->in.n, &e);

    if (used < 0) {
        refuse(k, used == -E2BIG ? 431 : 400, e.msg);
        return;
    }
    buf_consume(&k->in, (size_t)used);
    if (k->refuse)
        refuse(k, k->refuse, "the request body is too large");
    else if (k->complete)
        dispatch(k);
}

static void parse(struct http_session *k)
{
    k->parsing = true;
    while (!k->closed && !k->busy && k->in.n > 0 && conn_unsent(k->conn) < LIMIT_CONN_OUT)
        parse_some(k);
    k->parsing = false;
    if (k->closed) {
        session_free(k);
        return;
    }
    if (k->in.n == 0)
        buf_done(&k->in);
    if (k->eof && !k->busy)
        session_end(k, conn_close_flush);
}

/* ---- the connection ---- */

static void on_data(void *ctx, const char *p, size_t n)
{
    struct http_session *k = ctx;
    bool was_idle = !k->busy && h1_idle(k->parser) && k->in.n == 0;

    buf_add(&k->in, p, n);
    if (k->busy) {
        if (k->in.n > LIMIT_HTTP_PIPELINED)
            conn_read_stop(k->conn);
        return;
    }
    /* The time of a head is limited as a whole, that of a body per piece. */
    if (was_idle)
        timer_start(k->limit, k->server->o.head_timeout_ms);
    else if (k->body.n > 0)
        timer_start(k->limit, k->server->o.idle_timeout_ms);
    parse(k);
}

static void on_drain(void *ctx)
{
    struct http_session *k = ctx;

    if (!k->busy)
        parse(k);
}

/* A client that half-closes may still wait for its answer, unless that is an endless one. */
static void on_eof(void *ctx)
{
    struct http_session *k = ctx;

    k->eof = true;
    if (!k->busy || k->streamed)
        session_end(k, k->busy ? conn_close : conn_close_flush);
}

static void on_close(void *ctx, const struct err *why)
{
    session_end(ctx, conn_close);
}

static const struct conn_events events = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};

static void on_limit(void *ctx)
{
    struct http_session *k = ctx;

    if (h1_idle(k->parser))
        session_end(k, conn_close_flush);
    else
        refuse(k, 408, "the request did not arrive in time");
}

void session_new(struct http_server *s, struct conn *c)
{
    struct http_session *k = xnew(struct http_session);

    k->server = s;
    k->conn = c;
    k->parser = h1_new(H1_REQUEST, &parser_events, k);
    buf_init(&k->in, SIZE_MAX / 2); /* reading stops above LIMIT_HTTP_PIPELINED */
    buf_init(&k->body, s->o.max_body);
    buf_init(&k->out, SIZE_MAX / 2);
    k->limit = timer_new(s->loop, on_limit, k);
    timer_start(k->limit, s->o.idle_timeout_ms);
    list_push_back(&s->sessions, &k->link);
    s->n_sessions++;
    conn_set_events(c, &events, k);
}
