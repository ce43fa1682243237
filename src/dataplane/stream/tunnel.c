/* After an upgrade both connections carry bytes unseen, each half ending on its own. */
#include "dataplane/stream/impl.h"

static void pass_down(void *ctx, const char *p, size_t n)
{
    struct dp_stream *s = ctx;

    s->t.spoken = true;
    s->active_ns = loop_now_ns(s->w->up->loop);
    if (conn_write1(s->t.down, p, n) > LIMIT_CONN_OUT)
        conn_read_stop(s->t.up);
}

static void pass_up(void *ctx, const char *p, size_t n)
{
    struct dp_stream *s = ctx;

    s->active_ns = loop_now_ns(s->w->up->loop);
    if (conn_write1(s->t.up, p, n) > LIMIT_CONN_OUT)
        conn_read_stop(s->t.down);
}

static void down_drained(void *ctx)
{
    conn_read_start(((struct dp_stream *)ctx)->t.up);
}

static void up_drained(void *ctx)
{
    conn_read_start(((struct dp_stream *)ctx)->t.down);
}

static void end_if_both(struct dp_stream *s)
{
    if (s->t.down_eof && s->t.up_eof)
        dp_stream_close(s);
}

static void client_eof(void *ctx)
{
    struct dp_stream *s = ctx;

    s->t.down_eof = true;
    conn_shutdown(s->t.up);
    end_if_both(s);
}

static void pod_eof(void *ctx)
{
    struct dp_stream *s = ctx;

    s->t.up_eof = true;
    conn_shutdown(s->t.down);
    end_if_both(s);
}

static void client_gone(void *ctx, const struct err *why)
{
    dp_stream_cut(ctx);
}

static void pod_gone(void *ctx, const struct err *why)
{
    dp_stream_close(ctx);
}

static const struct conn_events down_events = {
    .on_data = pass_up, .on_drain = down_drained, .on_eof = client_eof, .on_close = client_gone};
static const struct conn_events up_events = {
    .on_data = pass_down, .on_drain = up_drained, .on_eof = pod_eof, .on_close = pod_gone};

void dp_stream_tunnel(struct dp_stream *s, const char *rest, size_t n)
{
    struct buf ahead;

    buf_init(&ahead, SIZE_MAX / 2);
    dp_stream_set(s, DP_S_TUNNEL);
    s->t.up = dp_exchange_conn(&s->x);
    s->t.down = s->ops->tunnel(s->down, &ahead);
    s->t.spoken = n > 0;
    conn_set_events(s->t.down, &down_events, s);
    conn_set_events(s->t.up, &up_events, s);
    if (n > 0)
        conn_write1(s->t.down, rest, n);
    if (ahead.n > 0)
        conn_write1(s->t.up, ahead.p, ahead.n);
    buf_done(&ahead);
    conn_read_start(s->t.down);
    s->ops->arm(s->down);
}
