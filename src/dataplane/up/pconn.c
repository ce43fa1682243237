/*
 * Connections to pods: idle ones, kept per pod and worker, and the exchanges on them.
 *
 * A pod may close an idle connection in the moment in which a request is written to it; then nobody
 * knows whether the request was taken. So a connection is not used when it has idled for nearly as
 * long as its pod is known to allow, which is learned from the ends that are seen; and for requests
 * that must not be sent twice only one is used that idled briefly and shows no end when it is
 * looked at.
 */
#include "dataplane/up/pconn.h"

#include <assert.h>

#include "base/clock.h"

#define SURE_NS NS_PER_SEC

void dp_pconn_close(struct dp_pconn *k)
{
    if (k->dead)
        return;
    k->dead = true;
    if (!list_empty(&k->idle)) {
        list_del(&k->idle);
        k->pod->w[k->up->index].n_idle--;
    }
    list_del(&k->link);
    if (k->tunnel)
        conn_close_flush(k->conn);
    else
        conn_close(k->conn);
    dp_pod_unref(k->pod);
    if (!k->feeding)
        k->ops->free(k);
}

static int64_t limit_of(const struct dp_pod *p)
{
    return atomic_load_explicit(&p->idle_limit_ns, memory_order_relaxed) / 4 * 3;
}

void dp_pconn_idle_end(struct dp_pconn *k)
{
    int64_t age = loop_now_ns(k->up->loop) - k->idle_since_ns;

    if (age < atomic_load_explicit(&k->pod->idle_limit_ns, memory_order_relaxed))
        atomic_store_explicit(&k->pod->idle_limit_ns, age, memory_order_relaxed);
    dp_pconn_close(k);
}

struct dp_pconn *dp_pconn_take(struct dp_up *u, struct dp_pod *p, bool sure)
{
    struct dp_pod_worker *pw = &p->w[u->index];
    int64_t now = loop_now_ns(u->loop), oldest = limit_of(p);

    if (sure && oldest > SURE_NS)
        oldest = SURE_NS;
    while (!list_empty(&pw->idle)) {
        struct dp_pconn *k = list_entry(pw->idle.next, struct dp_pconn, idle);
        if (now - k->idle_since_ns > oldest)
            return NULL; /* and so are all behind it */
        if (sure && conn_peer_left(k->conn)) {
            dp_pconn_idle_end(k);
            continue;
        }
        list_del(&k->idle);
        pw->n_idle--;
        k->reused = true;
        return k;
    }
    return NULL;
}

struct dp_pconn *dp_pconn_new(struct dp_up *u, struct dp_pod *p, struct conn *c)
{
    struct dp_pconn *k = xnew(struct dp_pconn);

    k->ops = &dp_pconn_h1;
    k->up = u;
    k->pod = dp_pod_ref(p);
    k->conn = c;
    list_init(&k->idle);
    list_push_back(&u->conns, &k->link);
    dp_pconn_h1_open(k);
    return k;
}

void dp_pconn_give_back(struct dp_pconn *k, bool reusable)
{
    struct dp_up *u = k->up;
    struct dp_pod_worker *pw = &k->pod->w[u->index];

    assert(k->n_exchanges > 0);
    k->n_exchanges--;
    if (!reusable || pw->removed || pw->n_idle >= LIMIT_DP_POD_IDLE || u->draining) {
        dp_pconn_close(k);
        return;
    }
    k->idle_since_ns = loop_now_ns(u->loop);
    list_push_front(&pw->idle, &k->idle);
    pw->n_idle++;
}

void dp_pconn_drop_idle(struct dp_up *u, struct dp_pod *p)
{
    struct dp_pod_worker *pw = &p->w[u->index];

    pw->removed = true;
    dp_pod_ref(p);
    while (!list_empty(&pw->idle))
        dp_pconn_close(list_entry(pw->idle.next, struct dp_pconn, idle));
    dp_pod_unref(p);
}

void dp_pconn_sweep(struct dp_up *u)
{
    int64_t now = loop_now_ns(u->loop);

    list_for_each_safe(it, &u->conns)
    {
        struct dp_pconn *k = list_entry(it, struct dp_pconn, link);
        if (k->n_exchanges == 0 && now - k->idle_since_ns > limit_of(k->pod))
            dp_pconn_close(k);
    }
}

/* ---- exchanges ---- */

void dp_exchange_start(struct dp_exchange *x, struct dp_pconn *k)
{
    assert(k->n_exchanges < k->ops->capacity && !x->conn);
    k->n_exchanges++;
    x->conn = k;
    x->reused = k->reused;
    x->got_bytes = x->written = x->request_done = false;
    k->ops->begin(k, x);
}

int dp_exchange_head(struct dp_exchange *x, const struct dp_head *h)
{
    return x->conn ? x->conn->ops->head(x, h) : 0;
}

void dp_exchange_body(struct dp_exchange *x, const char *p, size_t n, enum dp_framing f)
{
    if (x->conn)
        x->conn->ops->body(x, p, n, f);
}

void dp_exchange_end(struct dp_exchange *x, enum dp_framing f, const struct http_header *t,
                     size_t n)
{
    x->request_done = true;
    if (x->conn)
        x->conn->ops->end(x, f, t, n);
}

ssize_t dp_exchange_flush(struct dp_exchange *x)
{
    struct dp_output *o = x->conn ? &x->conn->up->out : NULL;

    if (!o || o->n == 0)
        return 0;
    ssize_t left = conn_write(x->conn->conn, o->iov, o->n);
    dp_output_clear(o);
    if (left >= 0)
        x->written = true;
    return left;
}

void dp_exchange_pause(struct dp_exchange *x, bool pause)
{
    if (x->conn && pause)
        conn_read_stop(x->conn->conn);
    else if (x->conn)
        conn_read_start(x->conn->conn);
}

void dp_exchange_abort(struct dp_exchange *x)
{
    struct dp_pconn *k = x->conn;

    if (!k)
        return;
    dp_output_clear(&k->up->out);
    x->conn = NULL;
    k->x = NULL;
    k->n_exchanges--;
    dp_pconn_close(k);
}

struct conn *dp_exchange_conn(struct dp_exchange *x)
{
    x->conn->tunnel = true;
    return x->conn->conn;
}
