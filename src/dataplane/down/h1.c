/* HTTP/1.1 with a client: bytes to streams, answers to bytes. */
#include <errno.h>

#include "base/clock.h"
#include "dataplane/down/impl.h"

#define KEEP_IN 4096

/* ---- the answer: what streams ask for ---- */

static ssize_t flush(void *down)
{
    struct dp_down *d = down;
    struct dp_output *o = &d->w->out;

    if (o->n == 0)
        return 0;
    ssize_t left = conn_write(d->conn, o->iov, o->n);
    dp_output_clear(o);
    d->final_sent |= d->final;
    return left;
}

static int head(void *down, struct dp_head *h)
{
    struct dp_down *d = down;
    struct dp_downs *w = d->w;
    bool interim = h->status < 200 && h->status != 101;

    if (interim && d->how.old)
        return 0;
    flush(d); /* an interim one may lie in the buffer that is needed now */
    buf_clear(&w->head);
    if (!interim) {
        d->final = true;
        d->how.keep_alive &=
            !w->draining && !dp_downs_crowded(w) && !(h->closes && d->has_body && !d->request_done);
    }
    int r = dp_h1_put_answer(&w->head, h, &d->how);
    if (r == 0)
        dp_output_add(&w->out, w->head.p, w->head.n);
    return r;
}

static void body(void *down, const char *p, size_t n)
{
    struct dp_down *d = down;
    struct dp_output *o = &d->w->out;

    if (dp_output_body(o, p, n, d->how.chunked))
        return;
    flush(d);
    dp_output_body(o, p, n, d->how.chunked);
}

static void end(void *down, const struct http_header *trailers, size_t n)
{
    struct dp_down *d = down;
    struct dp_downs *w = d->w;

    if (!d->how.chunked)
        return;
    if (n == 0) {
        dp_output_add(&w->out, "0\r\n\r\n", 5);
        return;
    }
    flush(d); /* the head may lie in the buffer that is needed now */
    buf_clear(&w->head);
    dp_h1_put_end(&w->head, trailers, n);
    dp_output_add(&w->out, w->head.p, w->head.n);
    flush(d);
}

static bool take_back(void *down)
{
    struct dp_down *d = down;

    if (d->final_sent)
        return false;
    dp_output_clear(&d->w->out);
    d->final = d->how.chunked = false;
    return true;
}

static void pause(void *down, bool on)
{
    struct dp_down *d = down;

    d->paused = on;
    dp_down_reading(d);
    if (!on)
        dp_down_h1_go_on(d);
}

static void arm(void *down)
{
    dp_down_arm(down);
}

static void over(void *down)
{
    struct dp_down *d = down;

    d->stream = NULL;
    d->paused = false;
    dp_down_set(d, DP_D_LEFT);
    if (!d->how.keep_alive || (d->has_body && !d->request_done))
        dp_down_close(d, dp_down_linger); /* the rest of its body has nowhere to go */
    else if (d->request_done)
        dp_down_h1_request_over(d);
}

static void cut(void *down)
{
    struct dp_down *d = down;

    d->stream = NULL;
    dp_output_clear(&d->w->out);
    dp_down_close(d, conn_close);
}

static void close_tunnel(void *down)
{
    struct dp_down *d = down;

    d->stream = NULL;
    dp_down_close(d, conn_close_flush);
}

static struct conn *tunnel(void *down, struct buf *ret_rest)
{
    struct dp_down *d = down;

    dp_down_set(d, DP_D_TUNNEL);
    buf_add(ret_rest, d->in.p, d->in.n);
    buf_done(&d->in);
    d->paused = d->full = false;
    list_del(&d->watched);
    return d->conn;
}

static const struct dp_down_ops ops = {
    .head = head,
    .body = body,
    .end = end,
    .flush = flush,
    .take_back = take_back,
    .pause = pause,
    .arm = arm,
    .over = over,
    .cut = cut,
    .close = close_tunnel,
    .tunnel = tunnel,
};

/* ---- the request ---- */

static int on_head(void *ctx, struct h1_head *parsed)
{
    struct dp_down *d = ctx;
    struct dp_downs *w = d->w;
    struct dp_head h;

    d->how = (struct dp_h1_answer){.old = parsed->minor == 0,
                                   .keep_alive = parsed->keep_alive && !w->draining};
    d->has_body = parsed->has_body;
    d->request_done = d->final = d->final_sent = false;
    if (dp_head_of_request(parsed, &h, &d->refused) < 0)
        return 1;
    dp_down_set(d, DP_D_REQUEST);
    d->stream = dp_stream_new(w->streams, &ops, d, &d->client, &h, h1_take_area(d->parser));
    dp_stream_start(d->stream);
    if (d->stream)
        dp_down_arm(d);
    return d->state == DP_D_CLOSED;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    struct dp_down *d = ctx;

    if (d->stream)
        dp_stream_body(d->stream, p, n);
    return d->state == DP_D_CLOSED;
}

static int on_done(void *ctx)
{
    struct dp_down *d = ctx;
    size_t n;
    const struct http_header *t = h1_trailers(d->parser, &n);

    d->request_done = true;
    if (d->stream)
        dp_stream_end(d->stream, t, n);
    return 1;
}

const struct h1_events dp_down_h1_events = {on_head, on_body, on_done};

static void refuse(struct dp_down *d, int status, const char *why)
{
    dp_say(d->w->report, loop_now_ns(d->w->loop), DP_SAY_CLIENT, "client %s: %s", d->client.ip,
           why);
    if (d->stream) {
        dp_stream_fail(d->stream, status, why);
        return;
    }
    if (d->state != DP_D_LEFT) { /* else it has its answer, and garbage follows */
        d->how = (struct dp_h1_answer){0};
        d->has_body = d->request_done = d->final_sent = false;
        dp_reply_down(&ops, d, loop_wall_ns(d->w->loop), status, why);
    }
    dp_down_close(d, dp_down_linger);
}

/* Returns how much was used; what is left belongs to the next request. */
static size_t feed(struct dp_down *d, const char *p, size_t n)
{
    struct err e;

    d->feeding = true;
    d->refused = NULL;
    ssize_t used = h1_feed(d->parser, p, n, &e);
    if (d->state != DP_D_CLOSED && used < 0)
        refuse(d, used == -E2BIG ? 431 : 400, e.msg);
    else if (d->state != DP_D_CLOSED && d->refused)
        refuse(d, 400, d->refused);
    else if (d->stream)
        dp_stream_flush(d->stream);
    d->feeding = false;
    if (d->state == DP_D_LEFT && d->request_done)
        dp_down_h1_request_over(d);
    if (d->state == DP_D_IDLE && !h1_idle(d->parser)) {
        dp_down_set(d, DP_D_HEAD);
        dp_down_arm(d);
    }
    return used < 0 ? n : (size_t)used;
}

/* A client that does not read its answers gets no more of them made. */
static bool wants_bytes(const struct dp_down *d)
{
    bool reads = d->state == DP_D_IDLE || d->state == DP_D_HEAD ||
                 (d->state == DP_D_REQUEST && !d->request_done);

    return reads && !d->paused && conn_unsent(d->conn) <= LIMIT_CONN_OUT;
}

/* Takes what had to wait. The frame keeps the connection alive until the loop is left. */
void dp_down_h1_go_on(struct dp_down *d)
{
    if (d->going || d->feeding)
        return;
    d->going = true;
    while (wants_bytes(d) && d->in.n > 0)
        buf_consume(&d->in, feed(d, d->in.p, d->in.n));
    bool nothing_more = d->half_closed && d->in.n == 0;
    if (nothing_more && (d->state == DP_D_IDLE || d->state == DP_D_HEAD))
        dp_down_close(d, dp_down_linger);
    else if (nothing_more && d->state == DP_D_REQUEST && !d->request_done)
        dp_down_close(d, conn_close); /* the rest of the request never comes */
    if (d->full && d->in.n == 0) {
        d->full = false;
        dp_down_reading(d);
    }
    if (d->state != DP_D_CLOSED && d->in.n == 0 && d->in.cap > KEEP_IN)
        buf_done(&d->in);
    d->going = false;
    dp_down_free_if_closed(d);
}

void dp_down_h1_request_over(struct dp_down *d)
{
    if (d->feeding)
        return; /* looked at again when this read is done with */
    dp_down_set(d, DP_D_IDLE);
    if (!d->how.keep_alive || d->w->draining) {
        dp_down_close(d, dp_down_linger);
        return;
    }
    dp_down_arm(d);
    dp_down_h1_go_on(d);
}

/* ---- the connection ---- */

static void on_data(void *ctx, const char *p, size_t n)
{
    struct dp_down *d = ctx;
    size_t used = 0;

    d->going = true;
    while (wants_bytes(d) && d->in.n == 0 && used < n)
        used += feed(d, p + used, n - used);
    d->going = false;
    if (d->state != DP_D_CLOSED && used < n) {
        buf_add(&d->in, p + used, n - used);
        if (d->in.n > LIMIT_DP_PIPELINED) {
            d->full = true;
            dp_down_reading(d);
        }
    }
    dp_down_h1_go_on(d);
}

static void on_drain(void *ctx)
{
    struct dp_down *d = ctx;

    d->going = true;
    if (d->stream)
        dp_stream_room(d->stream);
    d->going = false;
    dp_down_h1_go_on(d);
}

/* The client sends nothing more: it has left, or has said all that it wanted to say. */
static void on_eof(void *ctx)
{
    struct dp_down *d = ctx;

    d->half_closed = true;
    if (d->state != DP_D_REQUEST) {
        dp_down_close(d, dp_down_linger);
        return;
    }
    bool whole = d->request_done || d->in.n > 0;
    if (!whole || dp_stream_answering(d->stream) || (d->how.old && dp_stream_waits(d->stream))) {
        dp_down_close(d, conn_close);
        return;
    }
    dp_down_ask(d);
    dp_down_watch(d);
}

static void on_close(void *ctx, const struct err *why)
{
    dp_down_close(ctx, conn_close);
}

const struct conn_events dp_down_conn_events = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};
