/*
 * A client connection: reading requests, sending them on their way, giving everything back at their
 * end. One request is under way at a time; what a client sends beyond it waits in `in`, so
 * pipelined requests are answered in order. The parser stops at the end of each request.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/dp.h"
#include "dataplane/routing.h"

#define REPLAY_MAX    (16 * 1024)
#define PIPELINED_MAX (64 * 1024)

static void client_free(struct client *c)
{
    struct worker *w = c->worker;

    list_del(&c->link);
    timer_free(c->timer);
    h1_free(c->parser);
    buf_done(&c->in);
    buf_done(&c->up_head);
    buf_done(&c->up_body);
    free(c);
    w->n_clients--;
    worker_client_gone(w);
}

void client_close(struct client *c, void (*close_conn)(struct conn *conn))
{
    if (c->closed)
        return;
    client_end_request(c);
    c->closed = true;
    close_conn(c->conn);
    if (!c->feeding && !c->going)
        client_free(c);
}

void client_cut(struct client *c)
{
    client_close(c, conn_close);
}

void client_drain(struct client *c)
{
    c->keep_alive = false;
    if (c->state == CLIENT_IDLE && h1_idle(c->parser))
        client_close(c, conn_close_flush);
}

void client_end_request(struct client *c)
{
    struct backend *b = c->backend;
    struct pod *p = c->pod;
    struct upstream *u = c->up;

    if (!b)
        return;
    backend_unwait(c->worker, c);
    connecting_cancel(c->connecting);
    c->connecting = NULL;
    c->up = NULL;
    c->pod = NULL;
    c->backend = NULL;
    if (u) {
        u->client = NULL;
        upstream_close(u);
    }
    backend_leave(c->worker, b);
    if (p) {
        backend_release(c->worker, b, p);
        pod_unref(p);
    }
}

/* ---- the own answers ---- */

static void write_reply(struct client *c, int status, const char *extra, const char *body)
{
    char head[2048];
    size_t n = strlen(body);
    int head_n = snprintf(head, sizeof(head),
                          "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                          "Content-Length: %zu\r\n%s%s\r\n",
                          status, http_reason(status), n, extra ? extra : "",
                          c->keep_alive ? (c->old ? "Connection: keep-alive\r\n" : "")
                                        : "Connection: close\r\n");
    struct iovec iov[2] = {{head, (size_t)head_n}, {(void *)body, c->is_head ? 0 : n}};

    conn_write(c->conn, iov, 2);
}

void client_reply(struct client *c, int status, const char *extra, const char *body)
{
    bool started = c->response_started;

    client_end_request(c);
    if (started) { /* too late for a status: the cut tells */
        client_cut(c);
        return;
    }
    c->keep_alive &= (c->request_done || !c->has_body) && !c->worker->draining;
    c->response_started = c->response_done = true;
    write_reply(c, status, extra, body);
    if (!c->keep_alive)
        client_close(c, conn_close_flush);
    else if (c->request_done)
        client_request_over(c);
}

/* ---- the request's bytes ---- */

static void pause_reading(struct client *c)
{
    c->reading_paused = true;
    conn_read_stop(c->conn);
}

static void begin_output(struct client *c)
{
    if (!c->head_unsent)
        return;
    c->head_unsent = false;
    output_add(&c->worker->out, c->up_head.p, c->up_head.n);
}

void client_flush_up(struct client *c)
{
    struct output *o = &c->worker->out;

    if (c->state == CLIENT_ACTIVE && c->up)
        begin_output(c);
    if (o->n == 0)
        return;
    ssize_t left = c->up ? conn_write(c->up->conn, o->iov, o->n) : 0;
    o->n = o->n_sizes = 0;
    if (left > LIMIT_CONN_OUT && !c->reading_paused)
        pause_reading(c);
}

static void keep_piece(struct client *c, const char *p, size_t n)
{
    if (!c->chunked_up) {
        buf_add(&c->up_body, p, n);
    } else if (n > 0) {
        buf_addf(&c->up_body, "%zx\r\n", n);
        buf_add(&c->up_body, p, n);
        buf_addz(&c->up_body, "\r\n");
    } else {
        buf_addz(&c->up_body, "0\r\n\r\n");
    }
}

/* A pooled connection may turn out dead: what was sent on it is kept for another try while it is
 * small. */
static void keep_for_replay(struct client *c, const char *p, size_t n)
{
    if (c->body_lost)
        return;
    if (c->up->reused && !c->response_started && c->up_body.n + n <= REPLAY_MAX) {
        keep_piece(c, p, n);
    } else {
        c->body_lost = true;
        buf_done(&c->up_body);
    }
}

static void hold_piece(struct client *c, const char *p, size_t n)
{
    size_t before = c->up_body.n;

    keep_piece(c, p, n);
    if (c->in_queue) {
        c->queued_bytes += c->up_body.n - before;
        c->worker->queued_bytes += c->up_body.n - before;
    }
    if ((c->up_body.n > LIMIT_QUEUE_BODY || c->worker->queued_bytes > LIMIT_QUEUE_BYTES) &&
        !c->reading_paused)
        pause_reading(c);
}

/* One piece of the body; n = 0 is the end of a chunked one. */
static void body_piece(struct client *c, const char *p, size_t n)
{
    struct output *o = &c->worker->out;

    if (c->state != CLIENT_ACTIVE) {
        hold_piece(c, p, n);
        return;
    }
    begin_output(c);
    keep_for_replay(c, p, n);
    if (n == 0) {
        output_add(o, "0\r\n\r\n", 5);
    } else if (!output_body(o, p, n, c->chunked_up)) {
        client_flush_up(c);
        output_body(o, p, n, c->chunked_up);
    }
}

static int on_head(void *ctx, struct h1_head *head)
{
    struct client *c = ctx;
    struct worker *w = c->worker;

    c->state = CLIENT_WAIT;
    c->request_done = c->response_started = c->response_done = false;
    c->body_lost = c->waited = c->want_timing = false;
    c->has_body = head->has_body;
    c->is_head = str_eq(head->method, STR("HEAD"));
    c->old = head->minor == 0;
    c->keep_alive = head->keep_alive && !w->draining;
    c->upgrade = head->upgrade && !head->has_body;
    c->chunked_up = head->chunked;
    c->failed_pod = NULL;
    c->attempts = 0;
    c->retry_ns = c->first_failure_ns = 0;
    c->started_ns = c->active_ns = loop_now_ns(w->loop);
    c->head_unsent = true;
    buf_clear(&c->up_body);
    if (routing_start(c, head) == 0) {
        client_dispatch(c);
        if (!c->closed && c->backend)
            client_arm(c);
    }
    return c->closed;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    struct client *c = ctx;

    if (!c->response_done)
        body_piece(c, p, n);
    return c->closed;
}

static int on_done(void *ctx)
{
    struct client *c = ctx;

    if (c->chunked_up && !c->response_done)
        body_piece(c, NULL, 0);
    c->request_done = true;
    return 1;
}

static const struct h1_events parser_events = {on_head, on_body, on_done};

static void refuse_bytes(struct client *c, ssize_t code, const struct err *why)
{
    char body[ERR_MSG_MAX + 2];

    if (c->backend || c->response_done) {
        client_cut(c); /* garbage inside a request */
        return;
    }
    snprintf(body, sizeof(body), "%s\n", why->msg);
    c->keep_alive = c->old = c->is_head = false;
    write_reply(c, code == -E2BIG ? 431 : 400, NULL, body);
    client_close(c, conn_close_flush);
}

/* Returns how much was used; what is left belongs to the next request. */
static size_t feed(struct client *c, const char *p, size_t n)
{
    struct err e;

    c->feeding = true;
    ssize_t used = h1_feed(c->parser, p, n, &e);
    if (!c->closed && used >= 0)
        client_flush_up(c);
    else
        c->worker->out.n = c->worker->out.n_sizes = 0;
    if (used < 0 && !c->closed)
        refuse_bytes(c, used, &e);
    c->feeding = false;
    if (!c->closed && c->request_done && c->response_done)
        client_request_over(c);
    return used < 0 ? n : (size_t)used;
}

/* A client that does not read its answers gets no more of them made. */
static bool wants_bytes(const struct client *c)
{
    return !c->closed && (c->state == CLIENT_IDLE || !c->request_done) && !c->reading_paused &&
           conn_unsent(c->conn) <= LIMIT_CONN_OUT;
}

/* Takes what had to wait. The frame keeps the client alive until the loop is left. */
static void go_on(struct client *c)
{
    bool outer = !c->going;

    while (outer && wants_bytes(c) && c->in.n > 0) {
        c->going = true;
        buf_consume(&c->in, feed(c, c->in.p, c->in.n));
    }
    if (!outer)
        return;
    c->going = false;
    if (c->closed)
        client_free(c);
    else if (c->in.n == 0 && c->in.cap > 4096)
        buf_done(&c->in);
}

void client_resume(struct client *c)
{
    if (c->reading_paused)
        conn_read_start(c->conn);
    c->reading_paused = false;
    if (c->in.n > 0)
        go_on(c);
}

void client_request_over(struct client *c)
{
    c->state = CLIENT_IDLE;
    c->request_done = c->response_done = false;
    c->active_ns = loop_now_ns(c->worker->loop);
    if (!c->keep_alive || c->worker->draining) {
        client_close(c, conn_close_flush);
        return;
    }
    client_arm(c);
    client_resume(c);
}

/* ---- the connection ---- */

static void on_data(void *ctx, const char *p, size_t n)
{
    struct client *c = ctx;
    size_t used = 0;

    c->going = true;
    while (wants_bytes(c) && c->in.n == 0 && used < n)
        used += feed(c, p + used, n - used);
    c->going = false;
    if (c->closed) {
        client_free(c);
        return;
    }
    if (used < n)
        buf_add(&c->in, p + used, n - used);
    if (c->state == CLIENT_IDLE && !h1_idle(c->parser))
        client_arm(c);
    if (c->in.n > PIPELINED_MAX && !c->reading_paused)
        pause_reading(c);
    else if (c->in.n > 0)
        go_on(c);
}

static void on_drain(void *ctx)
{
    struct client *c = ctx;

    if (c->up_paused && c->up) {
        c->up_paused = false;
        conn_read_start(c->up->conn);
    }
    if (c->in.n > 0)
        go_on(c);
}

static void on_eof(void *ctx)
{
    struct client *c = ctx;

    /* Nobody waits for what is under way; answers already written still go out. */
    client_close(c, c->state == CLIENT_IDLE ? conn_close_flush : conn_close);
}

static void on_close(void *ctx, const struct err *why)
{
    client_cut(ctx);
}

static const struct conn_events events = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};

static void set_peer_ip(struct client *c)
{
    const char *peer = conn_peer(c->conn), *end = strrchr(peer, ':');
    size_t n = end ? (size_t)(end - peer) : strlen(peer);

    if (n > 2 && peer[0] == '[') {
        peer++;
        n -= 2;
    }
    snprintf(c->peer_ip, sizeof(c->peer_ip), "%.*s", (int)n, peer);
}

void client_new(struct door *d, struct conn *conn)
{
    struct worker *w = d->worker;

    if (w->n_clients >= LIMIT_DATAPLANE_CLIENTS || w->draining) {
        conn_close(conn);
        return;
    }
    struct client *c = xnew(struct client);
    c->worker = w;
    c->door = d;
    c->conn = conn;
    c->parser = h1_new(H1_REQUEST, &parser_events, c);
    c->timer = timer_new(w->loop, client_on_timer, c);
    list_init(&c->waiting);
    buf_init(&c->in, SIZE_MAX / 2); /* reading pauses above PIPELINED_MAX */
    buf_init(&c->up_head, 2 * LIMIT_HTTP_HEAD);
    buf_init(&c->up_body, SIZE_MAX / 2); /* reading pauses above LIMIT_QUEUE_BODY */
    set_peer_ip(c);
    list_push_back(&w->clients, &c->link);
    w->n_clients++;
    c->active_ns = loop_now_ns(w->loop);
    client_arm(c);
    conn_set_events(conn, &events, c);
    if (!w->open)
        conn_read_stop(conn);
}
