/*
 * A connection of the server: bytes collect in `in`; parse() takes one request after the other out
 * of it, so pipelined requests are answered in order and one at a time. A request passes the states
 * of enum session_state; session_set is the one place that changes it. An answer that comes from
 * inside a handler only changes the state; the loop in parse() goes on, so any number of pipelined
 * requests needs no stack.
 *
 * Nothing is parsed while an earlier answer has not wholly gone to the kernel, and little is read
 * while nothing is parsed: so a client that sends without reading stops itself. What sessions keep
 * (bytes read ahead, heads, bodies) is counted against one budget of the server.
 */
#include "http/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/limits.h"

#define DRAIN_MS        5000
#define ANSWER_STALL_MS 30000
#define FAIR_HEAD       (16 * 1024) /* of parser memory, when there is no room for more */

static void parse(struct http_session *k);

/* What the session keeps now; the server's sum follows. */
static void count_held(struct http_session *k)
{
    size_t now = k->in.n + k->body.n + k->kept + (k->parser ? h1_memory(k->parser) : 0);

    k->server->held += now - k->held;
    k->held = now;
}

static void session_free(struct http_session *k)
{
    struct http_server *s = k->server;

    assert(k->state == SESSION_OVER && !k->parsing && !k->exchange);
    s->held -= k->held;
    list_del(&k->link);
    timer_free(k->limit);
    h1_free(k->parser);
    buf_done(&k->in);
    buf_done(&k->body);
    buf_done(&k->out);
    free(k);
    http_server_session_gone(s);
}

static void move_to_back(struct http_session *k)
{
    list_del(&k->link);
    list_push_back(k->known ? &k->server->known : &k->server->strangers, &k->link);
}

static void session_set(struct http_session *k, enum session_state to)
{
    const struct http_server_opts *o = &k->server->o;

    assert(k->state != SESSION_OVER);
    k->state = to;
    switch (to) {
    case SESSION_HEAD:
        move_to_back(k);
        timer_start(k->limit, o->idle_timeout_ms);
        break;
    case SESSION_BODY:
        k->body_begun_ns = loop_now_ns(k->server->loop);
        k->body_came = 0;
        timer_start(k->limit, o->body_grace_ms);
        break;
    case SESSION_DRAIN:
        k->body_came = 0;
        timer_start(k->limit, DRAIN_MS);
        break;
    case SESSION_ASKED:
    case SESSION_ANSWER:
    case SESSION_OVER:
        timer_stop(k->limit);
    }
}

void session_close(struct conn *c)
{
    conn_close_flush_within(c, ANSWER_STALL_MS);
}

/* Freed at once, or by parse() when that is on the stack. */
void session_end(struct http_session *k, void (*close_conn)(struct conn *c))
{
    struct http_exchange *x = k->exchange;

    if (k->state == SESSION_OVER)
        return;
    session_set(k, SESSION_OVER);
    k->exchange = NULL;
    if (close_conn)
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

bool session_is_idle(const struct http_session *k)
{
    return k->state == SESSION_HEAD && !k->parser && k->in.n == 0;
}

void session_close_if_idle(struct http_session *k)
{
    if (session_is_idle(k))
        session_end(k, session_close);
}

struct conn *session_hand_over(struct http_session *k)
{
    conn_set_events(k->conn, NULL, NULL);
    struct conn *c = conn_with_unread(k->conn, k->in.p, k->in.n);

    k->exchange = NULL; /* freed by whoever called */
    session_end(k, NULL);
    return c;
}

/* ---- what the parser reports ---- */

static int on_head(void *ctx, struct h1_head *head)
{
    struct http_session *k = ctx;

    k->head = head;
    k->head_seen = true;
    return 1;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    struct http_session *k = ctx;

    k->body_came += n;
    if (k->state == SESSION_DRAIN)
        k->refuse = k->body_came > LIMIT_HTTP_DRAIN ? 413 : 0;
    else if (k->server->held + n > k->server->o.max_held)
        k->refuse = 503;
    else if (buf_add(&k->body, p, n) < 0)
        k->refuse = 413;
    else
        count_held(k);
    return k->refuse != 0;
}

static int on_done(void *ctx)
{
    struct http_session *k = ctx;

    k->complete = true;
    return 1;
}

static const struct h1_events parser_events = {
    .on_head = on_head, .on_body = on_body, .on_done = on_done};

/* ---- the request ---- */

static const char *reason_of(int status)
{
    switch (status) {
    case 408:
        return "the request did not arrive in time";
    case 413:
        return "the request body is too large";
    default:
        return "the server is holding all the requests that it can; try again later";
    }
}

/* Ends the connection with an answer of the server's own; why NULL: what the status says. */
static void refuse(struct http_session *k, int status, const char *why)
{
    static const char fmt[] = "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n%s"
                              "Connection: close\r\nContent-Length: %zu\r\n\r\n";
    _cleanup_buf_ struct buf body = BUF_INIT(LIMIT_HTTP_HEAD);
    const char *type = "text/plain";

    why = why ? why : reason_of(status);
    if (k->state == SESSION_DRAIN) { /* has its answer */
        session_end(k, conn_close_flush);
        return;
    }
    if (k->server->o.refusal)
        type = k->server->o.refusal(status, why, &body);
    else
        buf_addf(&body, "%s\n", why);
    buf_clear(&k->out);
    buf_addf(&k->out, fmt, status, http_reason(status), http_server_date(k->server), type,
             status == 503 ? "Retry-After: 1\r\n" : "", body.n);
    buf_add(&k->out, body.p, body.n);
    conn_write1(k->conn, k->out.p, k->out.n);
    session_end(k, conn_close_flush);
}

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

static struct http_exchange *make_exchange(struct http_session *k)
{
    const struct h1_head *head = k->head;
    struct user_info user = {.name = conn_peer_cn(k->conn)};
    struct str path = origin_form(head->target), query = {"", 0};
    size_t at;

    user.n_groups = conn_peer_orgs(k->conn, &user.groups);
    if (str_find(path, '?', &at)) {
        query = (struct str){path.p + at + 1, path.n - at - 1};
        path.n = at;
    }
    return http_exchange_new(&(struct http_exchange_init){
        .loop = k->server->loop,
        .method = head->method,
        .path = path,
        .query = query,
        .headers = &head->headers,
        .user = &user,
        .peer = conn_peer(k->conn),
        .ops = &session_answer_ops,
        .transport = k,
    });
}

void session_read_body(struct http_session *k)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    assert(k->state == SESSION_ASKED);
    if (k->head->content_length > (int64_t)k->server->o.max_body) {
        refuse(k, 413, NULL);
        return;
    }
    if (k->awaits_continue)
        conn_write1(k->conn, go_on, sizeof(go_on) - 1);
    k->awaits_continue = false;
    session_set(k, SESSION_BODY);
    k->poke = true;
    if (!k->parsing)
        parse(k);
}

static void begin_request(struct http_session *k)
{
    const struct h1_head *head = k->head;

    k->head_seen = k->complete = k->streamed = k->chunked = false;
    k->no_body = str_eq(head->method, STR("HEAD"));
    k->old_client = head->minor == 0;
    k->keep_alive = head->keep_alive;
    k->awaits_continue = head->expect_continue && head->has_body && head->minor > 0;
    k->exchange = make_exchange(k);
    session_set(k, SESSION_ASKED);
    if (k->server->o.head)
        k->server->o.head(k->server->o.ctx, k->exchange);
    else
        session_read_body(k);
}

/* The message has ended: its bytes go to the handler, or the next request may come. */
static void end_of_message(struct http_session *k)
{
    size_t n;

    h1_free(k->parser);
    k->parser = NULL;
    k->complete = false;
    if (k->state == SESSION_DRAIN) {
        count_held(k);
        session_set(k, SESSION_HEAD);
        return;
    }
    session_set(k, SESSION_ANSWER);
    if (k->body.n > 0) {
        char *p = buf_steal(&k->body, &n);
        k->kept = n;
        http_exchange_body(k->exchange, p, n);
    }
    count_held(k);
    k->server->o.handler(k->server->o.ctx, k->exchange);
}

/* The exchange has ended with an answer. */
void session_answered(struct http_session *k)
{
    k->kept = 0;
    count_held(k);
    if (!k->keep_alive || k->server->stopping) {
        session_end(k, session_close);
        return;
    }
    if (k->state == SESSION_ASKED) {
        session_set(k, SESSION_DRAIN);
        k->poke = true;
    } else {
        session_set(k, SESSION_HEAD);
    }
    if (!k->parsing)
        parse(k);
}

/* ---- parsing ---- */

static bool takes_bytes(const struct http_session *k)
{
    return k->state == SESSION_HEAD || k->state == SESSION_BODY || k->state == SESSION_DRAIN;
}

static void parse_some(struct http_session *k)
{
    struct err e;

    if (!k->parser) {
        k->parser = h1_new(H1_REQUEST, &parser_events, k);
        timer_start(k->limit, k->server->o.head_timeout_ms); /* of the head as a whole */
    }
    k->poke = false;
    ssize_t used = h1_feed(k->parser, buf_z(&k->in), k->in.n, &e);
    if (used < 0) {
        refuse(k, used == -E2BIG ? 431 : 400, e.msg);
        return;
    }
    buf_consume(&k->in, (size_t)used);
    count_held(k);
    if (k->refuse)
        refuse(k, k->refuse, NULL);
    else if (k->head_seen)
        begin_request(k);
    else if (k->complete)
        end_of_message(k);
}

/* Little is read ahead of what can be parsed: only so much that a peer who leaves is noticed. */
static void steer_reading(struct http_session *k)
{
    if (k->in.n < LIMIT_HTTP_PIPELINED)
        conn_read_start(k->conn);
    else
        conn_read_stop(k->conn);
}

static void settle(struct http_session *k)
{
    if (k->in.n == 0)
        buf_done(&k->in);
    count_held(k);
    bool stuck = (k->in.n > 0 || k->poke) && conn_unsent(k->conn) > 0;
    bool over = k->server->held > k->server->o.max_held;
    if (over && k->in.n > 0)
        session_end(k, conn_close); /* sends ahead while there is no room for it */
    else if (over && k->state == SESSION_HEAD && k->parser && h1_memory(k->parser) > FAIR_HEAD)
        refuse(k, 503, NULL);
    else if (k->eof && takes_bytes(k) && !stuck)
        session_end(k, session_close);
    else
        steer_reading(k);
}

static void parse(struct http_session *k)
{
    assert(!k->parsing);
    k->parsing = true;
    while (takes_bytes(k) && (k->in.n > 0 || k->poke) && conn_unsent(k->conn) == 0)
        parse_some(k);
    if (k->state != SESSION_OVER)
        settle(k);
    k->parsing = false;
    if (k->state == SESSION_OVER)
        session_free(k);
}

/* ---- the connection ---- */

static void on_data(void *ctx, const char *p, size_t n)
{
    struct http_session *k = ctx;

    buf_add(&k->in, p, n);
    parse(k);
}

static void on_drain(void *ctx)
{
    struct http_session *k = ctx;

    if (k->exchange && k->streamed)
        http_exchange_drained(k->exchange); /* the session may be gone */
    else
        parse(k);
}

/* A client that half-closes may still wait for its answer, unless that is an endless one. */
static void on_eof(void *ctx)
{
    struct http_session *k = ctx;

    k->eof = true;
    if (takes_bytes(k))
        parse(k);
    else if (k->streamed)
        session_end(k, conn_close);
}

static void on_close(void *ctx, const struct err *why)
{
    session_end(ctx, conn_close);
}

static const struct conn_events events = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};

/* The time that a body of so many bytes may have taken: a start, and a rate that it must keep. */
static int64_t body_time_ns(const struct http_session *k)
{
    const struct http_server_opts *o = &k->server->o;

    return (int64_t)o->body_grace_ms * NS_PER_MS +
           (int64_t)(k->body_came * NS_PER_SEC / o->body_rate);
}

static void on_limit(void *ctx)
{
    struct http_session *k = ctx;

    if (k->state == SESSION_BODY) {
        int64_t left = k->body_begun_ns + body_time_ns(k) - loop_now_ns(k->server->loop);
        if (left > 0)
            timer_start(k->limit, (uint64_t)(left / NS_PER_MS + 1));
        else
            refuse(k, 408, NULL);
    } else if (k->state == SESSION_HEAD && k->parser) {
        refuse(k, 408, NULL);
    } else {
        session_end(k, session_close);
    }
}

void session_new(struct http_server *s, struct conn *c)
{
    struct http_session *k = xnew(struct http_session);

    k->server = s;
    k->conn = c;
    k->known = conn_peer_cn(c)[0] != '\0';
    buf_init(&k->in, SIZE_MAX / 2); /* one read beyond LIMIT_HTTP_PIPELINED at most */
    buf_init(&k->body, s->o.max_body);
    buf_init(&k->out, SIZE_MAX / 2);
    k->limit = timer_new(s->loop, on_limit, k);
    list_init(&k->link);
    s->n_sessions++;
    session_set(k, SESSION_HEAD);
    conn_set_events(c, &events, k);
}
