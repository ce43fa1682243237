/* After an upgrade both connections carry bytes unseen, each half ending on its own. */
#include "dataplane/dp.h"

static void pass_down(void *ctx, const char *p, size_t n)
{
    struct upstream *u = ctx;
    struct client *c = u->client;

    c->active_ns = loop_now_ns(u->worker->loop);
    if (conn_write1(c->conn, p, n) > LIMIT_CONN_OUT)
        conn_read_stop(u->conn);
}

static void pass_up(void *ctx, const char *p, size_t n)
{
    struct client *c = ctx;

    c->active_ns = loop_now_ns(c->worker->loop);
    if (conn_write1(c->up->conn, p, n) > LIMIT_CONN_OUT)
        conn_read_stop(c->conn);
}

static void down_drained(void *ctx)
{
    struct client *c = ctx;

    conn_read_start(c->up->conn);
}

static void up_drained(void *ctx)
{
    struct upstream *u = ctx;

    conn_read_start(u->client->conn);
}

static void end_if_both(struct client *c)
{
    if (c->eof && c->up_eof)
        client_close(c, conn_close_flush);
}

static void client_eof(void *ctx)
{
    struct client *c = ctx;

    c->eof = true;
    conn_shutdown(c->up->conn);
    end_if_both(c);
}

static void upstream_eof(void *ctx)
{
    struct upstream *u = ctx;
    struct client *c = u->client;

    c->up_eof = true;
    conn_shutdown(c->conn);
    end_if_both(c);
}

static void client_gone(void *ctx, const struct err *why)
{
    client_cut(ctx);
}

static void upstream_gone(void *ctx, const struct err *why)
{
    struct upstream *u = ctx;

    client_close(u->client, conn_close_flush);
}

static const struct conn_events down_events = {
    .on_data = pass_up, .on_drain = down_drained, .on_eof = client_eof, .on_close = client_gone};
static const struct conn_events up_events = {.on_data = pass_down,
                                             .on_drain = up_drained,
                                             .on_eof = upstream_eof,
                                             .on_close = upstream_gone};

void tunnel_start(struct client *c, const char *rest, size_t n)
{
    struct upstream *u = c->up;

    c->state = CLIENT_TUNNEL;
    u->tunnel = true;
    c->eof = c->up_eof = false;
    conn_set_events(c->conn, &down_events, c);
    conn_set_events(u->conn, &up_events, u);
    if (n > 0)
        conn_write1(c->conn, rest, n);
    if (c->in.n > 0)
        conn_write1(u->conn, c->in.p, c->in.n);
    buf_done(&c->in);
    client_resume(c);
}
