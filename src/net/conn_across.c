/*
 * Two ends on two loops. What one end writes collects in the other's inbox under a lock; the first
 * bytes of a burst post one delivery to the other loop, which takes the whole inbox. Draining and
 * closing travel the same way. The pair is freed with the last of its references: one for each open
 * end and one for each posted call.
 *
 * A post that is refused means that the other loop is going: the connection is then a broken one.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "net/conn_impl.h"

struct across;

struct end {
    struct conn base;
    struct across *pair;
    /* on its own loop */
    bool reading, told_eof, told_close, told_full, closed;
    /* under the lock */
    struct buf inbox;
    bool posted;   /* a delivery is on its way to this end's loop */
    bool drained;  /* what this end wrote has been taken */
    bool want_eof; /* the other end is shut */
    bool gone;     /* this end is closed */
};

struct across {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct end end[2];
};

static struct end *end_of(struct conn *c)
{
    return container_of(c, struct end, base);
}

static struct end *other(const struct end *e)
{
    return &e->pair->end[e == &e->pair->end[0]];
}

static void unref(struct across *p)
{
    unsigned had = atomic_fetch_sub(&p->refs, 1);

    assert(had > 0);
    if (had > 1)
        return;
    buf_done(&p->end[0].inbox);
    buf_done(&p->end[1].inbox);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void deliver(void *arg);

/* With the lock held: e's loop looks at the state of e. */
static void wake(struct end *e)
{
    if (e->posted || e->gone)
        return;
    e->posted = true;
    atomic_fetch_add(&e->pair->refs, 1);
    if (loop_post(e->base.loop, deliver, e) == 0)
        return;
    atomic_fetch_sub(&e->pair->refs, 1); /* never the last: whoever calls holds one */
    e->gone = true;
}

static void give_data(struct end *e, struct str bytes)
{
    if (bytes.n > 0 && !e->closed && e->base.ev.on_data)
        e->base.ev.on_data(e->base.ctx, bytes.p, bytes.n);
}

static void give_eof(struct end *e)
{
    if (e->closed || e->told_eof)
        return;
    e->told_eof = true;
    if (e->base.ev.on_eof) {
        e->base.ev.on_eof(e->base.ctx);
    } else if (!e->told_close) {
        e->told_close = true;
        conn_tell_close(&e->base, -ECONNRESET, "closed by the peer");
    }
}

static void give_drain(struct end *e)
{
    if (e->closed || !e->told_full)
        return;
    e->told_full = false;
    if (e->base.ev.on_drain)
        e->base.ev.on_drain(e->base.ctx);
}

static void deliver(void *arg)
{
    struct end *e = arg;
    struct across *p = e->pair;
    _cleanup_buf_ struct buf got = BUF_INIT(SIZE_MAX / 2);

    pthread_mutex_lock(&p->lock);
    e->posted = false;
    bool drained = e->drained;
    e->drained = false;
    if (e->reading && e->inbox.n > 0) {
        struct buf empty = got;
        got = e->inbox;
        e->inbox = empty;
        other(e)->drained = true;
        wake(other(e));
    }
    bool eof = e->reading && e->want_eof;
    pthread_mutex_unlock(&p->lock);

    if (drained)
        give_drain(e);
    give_data(e, buf_str(&got));
    if (eof && e->reading)
        give_eof(e);
    unref(p);
}

static ssize_t across_write(struct conn *c, const struct iovec *iov, int n)
{
    struct end *e = end_of(c), *o = other(e);
    ssize_t waiting = -EPIPE;

    pthread_mutex_lock(&e->pair->lock);
    if (!o->gone && !o->want_eof) {
        for (int i = 0; i < n; i++)
            buf_add(&o->inbox, iov[i].iov_base, iov[i].iov_len);
        waiting = (ssize_t)o->inbox.n;
        e->told_full |= waiting > 0;
        wake(o);
    }
    pthread_mutex_unlock(&e->pair->lock);
    return waiting;
}

static size_t across_unsent(const struct conn *c)
{
    struct end *e = container_of(c, struct end, base), *o = other(e);

    pthread_mutex_lock(&e->pair->lock);
    size_t n = o->inbox.n;
    pthread_mutex_unlock(&e->pair->lock);
    return n;
}

static void across_read_stop(struct conn *c)
{
    end_of(c)->reading = false;
}

static void across_read_start(struct conn *c)
{
    struct end *e = end_of(c);

    if (e->reading)
        return;
    pthread_mutex_lock(&e->pair->lock);
    e->reading = true;
    wake(e);
    pthread_mutex_unlock(&e->pair->lock);
}

static void across_shutdown(struct conn *c)
{
    struct end *e = end_of(c), *o = other(e);

    pthread_mutex_lock(&e->pair->lock);
    o->want_eof = true;
    wake(o);
    pthread_mutex_unlock(&e->pair->lock);
}

static void across_close(struct conn *c)
{
    struct end *e = end_of(c);

    if (e->closed)
        return;
    e->closed = true;
    across_shutdown(c);
    pthread_mutex_lock(&e->pair->lock);
    e->gone = true;
    buf_done(&e->inbox);
    pthread_mutex_unlock(&e->pair->lock);
    unref(e->pair);
}

static void across_close_flush(struct conn *c, uint64_t stall_ms)
{
    across_close(c); /* what was written already lies with the other end */
}

static bool across_peer_left(struct conn *c)
{
    struct end *e = end_of(c);

    pthread_mutex_lock(&e->pair->lock);
    bool left = e->want_eof || other(e)->gone;
    pthread_mutex_unlock(&e->pair->lock);
    return left;
}

static const char *across_name(struct conn *c)
{
    return "in-process";
}

static const struct conn_ops across_ops = {
    .write = across_write,
    .unsent = across_unsent,
    .read_stop = across_read_stop,
    .read_start = across_read_start,
    .shutdown = across_shutdown,
    .close = across_close,
    .close_flush = across_close_flush,
    .peer_left = across_peer_left,
    .peer = across_name,
    .local = across_name,
};

void conn_pair_across(struct loop *a, struct loop *b, struct conn *ret_ends[static 2])
{
    struct across *p = xnew(struct across);
    struct loop *const loops[2] = {a, b};

    atomic_init(&p->refs, 2);
    pthread_mutex_init(&p->lock, NULL);
    for (int i = 0; i < 2; i++) {
        conn_init(&p->end[i].base, &across_ops, loops[i]);
        p->end[i].pair = p;
        p->end[i].reading = true;
        buf_init(&p->end[i].inbox, SIZE_MAX / 2);
        ret_ends[i] = &p->end[i].base;
    }
}
