/*
 * Connections to pods, and answers on their way back. A connection belongs to one request at a time
 * and then returns to the pod's idle list of this worker. One that the pod closed while it lay idle
 * is replaced silently as long as nothing of an answer has arrived and the request can still be
 * sent as a whole.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "dataplane/dp.h"

#define CONNECT_TIMEOUT_MS 2000
#define IDLE_PER_POD       256

void upstream_close(struct upstream *u)
{
    if (!list_empty(&u->idle)) {
        list_del(&u->idle);
        u->pod->w[u->worker->index].n_idle--;
    }
    list_del(&u->link);
    if (u->tunnel)
        conn_close_flush(u->conn);
    else
        conn_close(u->conn);
    pod_unref(u->pod);
    h1_free(u->parser);
    free(u);
}

struct upstream *upstream_take(struct worker *w, struct pod *p)
{
    struct pod_worker *pw = &p->w[w->index];

    if (list_empty(&pw->idle))
        return NULL;
    struct upstream *u = list_entry(pw->idle.next, struct upstream, idle);
    list_del(&u->idle);
    pw->n_idle--;
    u->reused = true;
    return u;
}

static void give_back(struct upstream *u)
{
    struct worker *w = u->worker;
    struct pod_worker *pw = &u->pod->w[w->index];

    if (!u->keep_alive || pw->removed || pw->n_idle >= IDLE_PER_POD || w->draining) {
        upstream_close(u);
        return;
    }
    u->idle_since_ns = loop_now_ns(w->loop);
    list_push_front(&pw->idle, &u->idle);
    pw->n_idle++;
}

void upstream_sweep(struct worker *w, int64_t idle_before_ns)
{
    list_for_each_safe(it, &w->upstreams)
    {
        struct upstream *u = list_entry(it, struct upstream, link);
        if (!u->client && u->idle_since_ns < idle_before_ns)
            upstream_close(u);
    }
}

/* ---- the end of an answer ---- */

static void finish(struct client *c, struct upstream *u, bool clean)
{
    struct worker *w = c->worker;
    struct backend *b = c->backend;
    struct pod *p = c->pod;

    c->up = NULL;
    u->client = NULL;
    c->pod = NULL;
    c->backend = NULL;
    c->response_done = true;
    if (c->up_paused)
        conn_read_start(u->conn);
    c->up_paused = false;
    u->keep_alive &= clean && c->request_done;
    give_back(u);
    backend_leave(w, b);
    backend_release(w, b, p);
    pod_unref(p);
    if (!c->request_done)
        c->keep_alive = false; /* the rest of its body has nowhere to go */
    if (c->keep_alive)
        client_request_over(c);
    else
        client_close(c, conn_close_flush);
}

static void send_again(struct client *c, struct upstream *u)
{
    c->up = NULL;
    u->client = NULL;
    upstream_close(u);
    c->head_unsent = true;
    upstream_connect(c);
}

/* The connection is over before its answer was. */
static void lost(struct upstream *u, const char *why)
{
    struct client *c = u->client;
    char body[ERR_MSG_MAX + 2];

    if (!c) {
        upstream_close(u);
    } else if (u->reused && !u->got_bytes && !c->body_lost) {
        send_again(c, u);
    } else {
        snprintf(body, sizeof(body), "%s\n", why);
        client_reply(c, 502, NULL, body);
    }
}

/* ---- the answer ---- */

static void flush_down(struct client *c)
{
    struct output *o = &c->worker->out;

    if (o->n == 0)
        return;
    ssize_t left = conn_write(c->conn, o->iov, o->n);
    o->n = o->n_sizes = 0;
    if (left <= LIMIT_CONN_OUT || c->up_paused || !c->up)
        return;
    c->up_paused = true;
    conn_read_stop(c->up->conn);
}

static int on_head(void *ctx, struct h1_head *head)
{
    struct upstream *u = ctx;
    struct client *c = u->client;
    struct worker *w = u->worker;
    bool interim = head->status < 200 && head->status != 101;

    if (interim && c->old)
        return 0;
    flush_down(c);
    buf_clear(&w->head);
    if (!interim) {
        u->final_head = true;
        u->switched = head->status == 101;
        u->keep_alive = head->keep_alive;
        c->response_started = true;
        c->keep_alive &= !w->draining;
        c->chunked_down = head->has_body && head->content_length < 0 && !c->old;
        if (head->has_body && head->content_length < 0 && c->old)
            c->keep_alive = false; /* the end of the connection ends the body */
    }
    if (head_write_response(c, head, &w->head) == 0)
        output_add(&w->out, w->head.p, w->head.n);
    return 0;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    struct upstream *u = ctx;
    struct client *c = u->client;
    struct output *o = &u->worker->out;

    if (!output_body(o, p, n, c->chunked_down)) {
        flush_down(c);
        output_body(o, p, n, c->chunked_down);
    }
    return 0;
}

static int on_done(void *ctx)
{
    struct upstream *u = ctx;

    if (!u->final_head)
        return 0; /* of an interim answer */
    if (u->client->chunked_down)
        output_add(&u->worker->out, "0\r\n\r\n", 5);
    u->client->chunked_down = false;
    u->complete = true;
    return 1;
}

static const struct h1_events parser_events = {on_head, on_body, on_done};

static void on_data(void *ctx, const char *p, size_t n)
{
    struct upstream *u = ctx;
    struct client *c = u->client;
    struct err e;

    if (!c) {
        upstream_close(u); /* nobody asked */
        return;
    }
    u->got_bytes = true;
    ssize_t used = h1_feed(u->parser, p, n, &e);
    if (used < 0) {
        u->worker->out.n = u->worker->out.n_sizes = 0;
        lost(u, e.msg);
        return;
    }
    c->active_ns = loop_now_ns(u->worker->loop);
    if (u->switched && c->upgrade) {
        flush_down(c);
        tunnel_start(c, p + used, n - (size_t)used);
        return;
    }
    if (u->switched) {
        u->worker->out.n = u->worker->out.n_sizes = 0;
        c->response_started = false;
        lost(u, "the revision switched protocols unasked");
        return;
    }
    flush_down(c);
    if (u->complete)
        finish(c, u, (size_t)used == n);
}

static void on_drain(void *ctx)
{
    struct upstream *u = ctx;

    if (u->client && u->client->state == CLIENT_ACTIVE)
        client_resume(u->client);
}

static void on_eof(void *ctx)
{
    struct upstream *u = ctx;
    struct client *c = u->client;
    struct err e;

    if (!c) {
        upstream_close(u);
        return;
    }
    int r = h1_eof(u->parser, &e);
    if (r == 0 && u->complete) {
        u->keep_alive = false;
        flush_down(c);
        finish(c, u, false);
    } else {
        u->worker->out.n = u->worker->out.n_sizes = 0;
        lost(u, "the revision closed the connection before its answer was complete");
    }
}

static void on_close(void *ctx, const struct err *why)
{
    lost(ctx, why->msg);
}

static const struct conn_events events = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};

/* ---- connecting ---- */

static void on_connected(void *ctx, struct conn *conn, const struct err *why)
{
    struct client *c = ctx;
    struct worker *w = c->worker;

    c->connecting = NULL;
    if (!conn) {
        client_connect_failed(c, why);
        return;
    }
    struct upstream *u = xnew(struct upstream);
    u->worker = w;
    u->pod = pod_ref(c->pod);
    u->conn = conn;
    u->parser = h1_new(H1_RESPONSE, &parser_events, u);
    list_init(&u->idle);
    list_push_back(&w->upstreams, &u->link);
    conn_set_events(conn, &events, u);
    client_activate(c, u);
}

void upstream_connect(struct client *c)
{
    struct connect_opts o = {
        .host = c->pod->ip, .port = c->pod->port, .timeout_ms = CONNECT_TIMEOUT_MS};

    c->state = CLIENT_CONNECT;
    c->connecting = conn_connect(c->worker->loop, &o, on_connected, c);
}
