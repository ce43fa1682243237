/* HTTP/1.1 towards a pod: one exchange at a time. */
#include <assert.h>

#include "base/clock.h"
#include "dataplane/up/pconn.h"

/* ---- the request ---- */

static void begin(struct dp_pconn *k, struct dp_exchange *x)
{
    k->x = x;
    k->final_head = k->complete = k->switched = k->keep_alive = false;
    k->bad = NULL;
    if (x->is_head)
        h1_expect_head(k->parser);
}

static int head(struct dp_exchange *x, const struct dp_head *h)
{
    struct dp_up *u = x->conn->up;

    assert(u->out.n == 0);
    buf_clear(&u->head);
    int r = dp_h1_put_request(&u->head, h);
    if (r == 0)
        dp_output_add(&u->out, u->head.p, u->head.n);
    return r;
}

static void body(struct dp_exchange *x, const char *p, size_t n, enum dp_framing f)
{
    struct dp_output *o = &x->conn->up->out;

    if (dp_output_body(o, p, n, f == DP_PIECES))
        return;
    dp_exchange_flush(x);
    dp_output_body(o, p, n, f == DP_PIECES);
}

static void end(struct dp_exchange *x, enum dp_framing f, const struct http_header *t, size_t n)
{
    struct dp_up *u = x->conn->up;

    if (f != DP_PIECES)
        return;
    if (n == 0) {
        if (u->out.n == (int)ARRAY_LEN(u->out.iov))
            dp_exchange_flush(x);
        dp_output_add(&u->out, "0\r\n\r\n", 5);
        return;
    }
    dp_exchange_flush(x); /* the head may lie in the buffer that is needed now */
    buf_clear(&u->head);
    dp_h1_put_end(&u->head, t, n);
    dp_output_add(&u->out, u->head.p, u->head.n);
    dp_exchange_flush(x);
}

/* ---- the answer ---- */

static int on_head(void *ctx, struct h1_head *parsed)
{
    struct dp_pconn *k = ctx;
    bool interim = parsed->status < 200 && parsed->status != 101;
    struct dp_head h;

    if (!k->x)
        return 1;
    if (dp_head_of_answer(parsed, &h, &k->bad) < 0)
        return 1;
    if (parsed->status == 101 && !k->x->upgrade) {
        k->bad = "the revision switched protocols unasked";
        return 1;
    }
    if (!interim) {
        k->final_head = true;
        k->switched = parsed->status == 101;
        k->keep_alive = parsed->keep_alive;
    }
    k->x->ev->on_head(k->x, &h);
    return k->dead;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    struct dp_pconn *k = ctx;

    if (k->x)
        k->x->ev->on_body(k->x, p, n);
    return k->dead;
}

static int on_done(void *ctx)
{
    struct dp_pconn *k = ctx;
    size_t n;

    if (!k->final_head || k->dead)
        return k->dead; /* of an interim answer */
    const struct http_header *t = h1_trailers(k->parser, &n);
    k->complete = true;
    if (!k->switched)
        k->x->ev->on_end(k->x, t, n);
    return 1;
}

static const struct h1_events parser_events = {on_head, on_body, on_done};

static void finish(struct dp_pconn *k, bool reusable)
{
    struct dp_exchange *x = k->x;

    k->x = NULL;
    x->conn = NULL;
    dp_pconn_give_back(k, reusable && k->keep_alive && x->request_done);
    x->ev->on_turn(x, true);
}

static void lost(struct dp_pconn *k, const char *why)
{
    struct dp_exchange *x = k->x;

    if (!x) {
        dp_pconn_idle_end(k);
        return;
    }
    k->x = NULL;
    x->conn = NULL;
    k->n_exchanges--;
    dp_pconn_close(k);
    x->ev->on_lost(x, why);
}

static bool died(struct dp_pconn *k)
{
    bool dead = k->dead;

    if (dead)
        k->ops->free(k);
    return dead;
}

static void on_data(void *ctx, const char *p, size_t n)
{
    struct dp_pconn *k = ctx;
    struct err e;

    if (!k->x) {
        dp_pconn_close(k); /* nobody asked */
        return;
    }
    k->x->got_bytes = true;
    k->feeding = true;
    ssize_t used = h1_feed(k->parser, p, n, &e);
    k->feeding = false;
    if (k->dead)
        k->ops->free(k);
    else if (used < 0 || k->bad)
        lost(k, k->bad ? k->bad : e.msg);
    else if (k->switched)
        k->x->ev->on_switched(k->x, p + used, n - (size_t)used);
    else if (k->complete)
        finish(k, (size_t)used == n);
    else
        k->x->ev->on_turn(k->x, false);
}

static void on_drain(void *ctx)
{
    struct dp_pconn *k = ctx;

    if (k->x)
        k->x->ev->on_room(k->x);
}

static void on_eof(void *ctx)
{
    struct dp_pconn *k = ctx;
    struct err e;

    if (!k->x) {
        dp_pconn_idle_end(k);
        return;
    }
    k->feeding = true;
    int r = h1_eof(k->parser, &e);
    k->feeding = false;
    if (died(k))
        return;
    if (r == 0 && k->complete)
        finish(k, false);
    else
        lost(k, "the revision closed the connection before its answer was complete");
}

static void on_close(void *ctx, const struct err *why)
{
    lost(ctx, "the connection to the revision broke");
}

static const struct conn_events events = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};

void dp_pconn_h1_open(struct dp_pconn *k)
{
    k->parser = h1_new_with(H1_RESPONSE, &k->up->h1, &parser_events, k);
    conn_set_events(k->conn, &events, k);
}

static void free_pconn(struct dp_pconn *k)
{
    h1_free(k->parser);
    free(k);
}

const struct dp_pconn_ops dp_pconn_h1 = {
    .capacity = 1,
    .begin = begin,
    .head = head,
    .body = body,
    .end = end,
    .free = free_pconn,
};
