/* The common face of all connections: hands each call to the filter's table. */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>

#include "net/conn_impl.h"

#define FLUSH_MS 5000

void conn_init(struct conn *c, const struct conn_ops *ops, struct loop *l)
{
    c->ops = ops;
    c->loop = l;
}

void conn_tell_close(struct conn *c, int code, const char *why)
{
    struct err e;

    if (!c->ev.on_close)
        return;
    err_set(&e, code < 0 ? code : -ECONNRESET, "connection with %s: %s", conn_peer(c), why);
    c->ev.on_close(c->ctx, &e);
}

void conn_set_events(struct conn *c, const struct conn_events *ev, void *ctx)
{
    assert(loop_is_current(c->loop));
    c->ev = ev ? *ev : (struct conn_events){0};
    c->ctx = ctx;
}

ssize_t conn_write(struct conn *c, const struct iovec *iov, int n)
{
    assert(loop_is_current(c->loop));
    return c->ops->write(c, iov, n);
}

ssize_t conn_write1(struct conn *c, const void *p, size_t n)
{
    struct iovec iov = {(void *)p, n};

    return conn_write(c, &iov, 1);
}

size_t conn_unsent(const struct conn *c)
{
    return c->ops->unsent(c);
}

void conn_read_stop(struct conn *c)
{
    c->ops->read_stop(c);
}

void conn_read_start(struct conn *c)
{
    c->ops->read_start(c);
}

void conn_shutdown(struct conn *c)
{
    c->ops->shutdown(c);
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    c->ev = (struct conn_events){0};
    c->ops->close(c);
}

void conn_close_flush_within(struct conn *c, uint64_t stall_ms)
{
    if (!c)
        return;
    c->ev = (struct conn_events){0};
    c->ops->close_flush(c, stall_ms);
}

void conn_close_flush(struct conn *c)
{
    conn_close_flush_within(c, FLUSH_MS);
}

bool conn_peer_left(struct conn *c)
{
    return c->ops->peer_left(c);
}

bool conn_peer_reset(struct conn *c)
{
    return c->ops->peer_reset && c->ops->peer_reset(c);
}

const char *conn_peer(struct conn *c)
{
    return c->ops->peer(c);
}

const char *conn_local(struct conn *c)
{
    return c->ops->local(c);
}

const char *conn_peer_cn(const struct conn *c)
{
    return c->name && c->name->cn ? c->name->cn : "";
}

size_t conn_peer_orgs(const struct conn *c, const char *const **ret)
{
    *ret = c->name ? (const char *const *)c->name->orgs.p : NULL;
    return c->name ? c->name->orgs.n : 0;
}

struct loop *conn_loop(const struct conn *c)
{
    return c->loop;
}

bool conn_is_tls(const struct conn *c)
{
    return c->tls;
}

const char *conn_alpn(const struct conn *c)
{
    return c->alpn ? c->alpn : "";
}
