/*
 * A filter that gives bytes back to the front of a connection. Until they are handed on the lower
 * connection is not read, so the order is kept; afterwards everything passes through. The context
 * of the lower connection's events is the filter, whose own events are the owner's.
 */
#include <errno.h>

#include "base/buf.h"
#include "net/conn_impl.h"

struct unread_conn {
    struct conn base;
    struct conn *lower;
    struct buf first;
    bool reading, closed;
    unsigned pins; /* deferred calls on their way */
};

static struct unread_conn *unread_of(struct conn *c)
{
    return container_of(c, struct unread_conn, base);
}

static void release(struct unread_conn *u)
{
    if (!u->closed || u->pins > 0)
        return;
    buf_done(&u->first);
    free(u);
}

static void hand_on(void *arg)
{
    struct unread_conn *u = arg;
    size_t n = u->first.n;

    if (!u->closed && u->reading && n > 0) {
        _cleanup_free_ char *p = buf_steal(&u->first, &n);
        if (u->base.ev.on_data)
            u->base.ev.on_data(u->base.ctx, p, n);
    }
    if (!u->closed && u->reading)
        conn_read_start(u->lower);
    u->pins--;
    release(u);
}

/* ---- from below ---- */

static void lower_data(void *ctx, const char *p, size_t n)
{
    struct unread_conn *u = ctx;

    if (u->base.ev.on_data)
        u->base.ev.on_data(u->base.ctx, p, n);
}

static void lower_drain(void *ctx)
{
    struct unread_conn *u = ctx;

    if (u->base.ev.on_drain)
        u->base.ev.on_drain(u->base.ctx);
}

static void lower_close(void *ctx, const struct err *why)
{
    struct unread_conn *u = ctx;

    if (u->base.ev.on_close)
        u->base.ev.on_close(u->base.ctx, why);
}

static void lower_eof(void *ctx)
{
    struct unread_conn *u = ctx;

    if (u->base.ev.on_eof)
        u->base.ev.on_eof(u->base.ctx);
    else
        conn_tell_close(&u->base, -ECONNRESET, "closed by the peer");
}

static const struct conn_events lower_events = {
    .on_data = lower_data, .on_drain = lower_drain, .on_eof = lower_eof, .on_close = lower_close};

/* ---- from above ---- */

static ssize_t unread_write(struct conn *c, const struct iovec *iov, int n)
{
    return conn_write(unread_of(c)->lower, iov, n);
}

static size_t unread_unsent(const struct conn *c)
{
    return conn_unsent(container_of(c, const struct unread_conn, base)->lower);
}

static void unread_read_stop(struct conn *c)
{
    unread_of(c)->reading = false;
    conn_read_stop(unread_of(c)->lower);
}

static void unread_read_start(struct conn *c)
{
    struct unread_conn *u = unread_of(c);

    if (u->reading)
        return;
    u->reading = true;
    u->pins++;
    loop_defer(c->loop, hand_on, u);
}

static void unread_shutdown(struct conn *c)
{
    conn_shutdown(unread_of(c)->lower);
}

static void unread_close(struct conn *c)
{
    struct unread_conn *u = unread_of(c);

    if (u->closed)
        return;
    u->closed = true;
    conn_close(u->lower);
    release(u);
}

static void unread_close_flush(struct conn *c, uint64_t stall_ms)
{
    struct unread_conn *u = unread_of(c);

    if (u->closed)
        return;
    u->closed = true;
    conn_close_flush_within(u->lower, stall_ms);
    release(u);
}

static bool unread_peer_left(struct conn *c)
{
    return conn_peer_left(unread_of(c)->lower);
}

static const char *unread_peer(struct conn *c)
{
    return conn_peer(unread_of(c)->lower);
}

static const char *unread_local(struct conn *c)
{
    return conn_local(unread_of(c)->lower);
}

static const struct conn_ops unread_ops = {
    .write = unread_write,
    .unsent = unread_unsent,
    .read_stop = unread_read_stop,
    .read_start = unread_read_start,
    .shutdown = unread_shutdown,
    .close = unread_close,
    .close_flush = unread_close_flush,
    .peer_left = unread_peer_left,
    .peer = unread_peer,
    .local = unread_local,
};

struct conn *conn_with_unread(struct conn *c, const void *p, size_t n)
{
    conn_set_events(c, NULL, NULL);
    if (n == 0) {
        conn_read_start(c);
        return c;
    }
    struct unread_conn *u = xnew(struct unread_conn);
    conn_read_stop(c);
    conn_init(&u->base, &unread_ops, c->loop);
    u->base.name = c->name;
    u->base.alpn = c->alpn;
    u->base.tls = c->tls;
    u->lower = c;
    buf_init(&u->first, n);
    buf_add(&u->first, p, n);
    conn_set_events(c, &lower_events, u);
    unread_read_start(&u->base);
    return &u->base;
}
