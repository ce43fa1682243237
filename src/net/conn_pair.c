/*
 * Two ends joined in memory. A write lands in the other end's inbox, which a deferred call hands
 * on, so callbacks never run inside conn_write here either. The ends share one allocation that
 * lives until both are closed and no deferred call is on its way.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "net/conn_impl.h"

struct pair;

struct pair_end {
    struct conn base;
    struct pair *pair;
    struct buf inbox; /* written by the other end, not yet handed on */
    bool reading, closed, told_full;
    bool want_eof, told_eof; /* the other end is shut; this one was told */
    bool told_close;
};

struct pair {
    struct pair_end end[2];
    unsigned pins; /* deferred calls on their way */
};

static struct pair_end *end_of(struct conn *c)
{
    return container_of(c, struct pair_end, base);
}

static struct pair_end *other(const struct pair_end *e)
{
    return &e->pair->end[e == &e->pair->end[0]];
}

static void release(struct pair *p)
{
    if (p->pins > 0 || !p->end[0].closed || !p->end[1].closed)
        return;
    buf_done(&p->end[0].inbox);
    buf_done(&p->end[1].inbox);
    free(p);
}

static void give_eof(struct pair_end *e)
{
    e->told_eof = true;
    if (e->base.ev.on_eof) {
        e->base.ev.on_eof(e->base.ctx);
    } else if (!e->told_close) {
        e->told_close = true;
        conn_tell_close(&e->base, -ECONNRESET, "closed by the peer");
    }
}

static void give_data(struct pair_end *e)
{
    size_t n;
    _cleanup_free_ char *p = NULL;

    p = buf_steal(&e->inbox, &n);
    if (e->base.ev.on_data)
        e->base.ev.on_data(e->base.ctx, p, n);
    struct pair_end *o = other(e);
    if (o->told_full && !o->closed && e->inbox.n == 0) {
        o->told_full = false;
        if (o->base.ev.on_drain)
            o->base.ev.on_drain(o->base.ctx);
    }
}

static void deliver(void *arg)
{
    struct pair_end *e = arg;

    if (!e->closed && e->reading && e->inbox.n > 0)
        give_data(e);
    if (!e->closed && e->reading && e->inbox.n == 0 && e->want_eof && !e->told_eof)
        give_eof(e);
    e->pair->pins--;
    release(e->pair);
}

static void schedule(struct pair_end *e)
{
    e->pair->pins++;
    loop_defer(e->base.loop, deliver, e);
}

static void tell_broken(void *arg)
{
    struct pair_end *e = arg;

    if (!e->closed && !e->told_close) {
        e->told_close = true;
        conn_tell_close(&e->base, -EPIPE, "closed by the peer");
    }
    e->pair->pins--;
    release(e->pair);
}

static ssize_t pair_write(struct conn *c, const struct iovec *iov, int n)
{
    struct pair_end *e = end_of(c), *o = other(e);

    if (o->want_eof)
        return -EPIPE;
    if (o->closed) {
        e->pair->pins++;
        loop_defer(c->loop, tell_broken, e);
        return -EPIPE;
    }
    for (int i = 0; i < n; i++)
        buf_add(&o->inbox, iov[i].iov_base, iov[i].iov_len);
    if (o->inbox.n > 0) {
        e->told_full = true;
        schedule(o);
    }
    return (ssize_t)o->inbox.n;
}

static size_t pair_unsent(const struct conn *c)
{
    return other(container_of(c, const struct pair_end, base))->inbox.n;
}

static void pair_read_stop(struct conn *c)
{
    end_of(c)->reading = false;
}

static void pair_read_start(struct conn *c)
{
    struct pair_end *e = end_of(c);

    if (e->reading)
        return;
    e->reading = true;
    schedule(e);
}

static void pair_shutdown(struct conn *c)
{
    struct pair_end *o = other(end_of(c));

    o->want_eof = true;
    schedule(o);
}

static void pair_close(struct conn *c)
{
    struct pair_end *e = end_of(c);

    if (e->closed)
        return;
    e->closed = true;
    pair_shutdown(c);
}

/* What was written already lies with the other end. */
static void pair_close_flush(struct conn *c, uint64_t stall_ms)
{
    pair_close(c);
}

static bool pair_peer_left(struct conn *c)
{
    return other(end_of(c))->closed || end_of(c)->want_eof;
}

static const char *pair_name(struct conn *c)
{
    return "loopback";
}

static const struct conn_ops pair_ops = {
    .write = pair_write,
    .unsent = pair_unsent,
    .read_stop = pair_read_stop,
    .read_start = pair_read_start,
    .shutdown = pair_shutdown,
    .close = pair_close,
    .close_flush = pair_close_flush,
    .peer_left = pair_peer_left,
    .peer = pair_name,
    .local = pair_name,
};

void conn_pair(struct loop *l, struct conn *ret_ends[static 2])
{
    struct pair *p = xnew(struct pair);

    for (int i = 0; i < 2; i++) {
        conn_init(&p->end[i].base, &pair_ops, l);
        p->end[i].pair = p;
        p->end[i].reading = true;
        buf_init(&p->end[i].inbox, SIZE_MAX / 2);
        ret_ends[i] = &p->end[i].base;
    }
}
