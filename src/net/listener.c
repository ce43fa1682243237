/*
 * Accepting connections. The listening socket is polled and accepted from here, not through
 * uv_listen: libuv's accept loop holds one reserve descriptor for the case that there is no other,
 * and repeats for ever once another thread has taken that number.
 *
 * One turn of accept_some ends in one of three ways: nothing is waiting; the bound of connections
 * is reached and the owner could not make room, so polling stops until a connection ends; or the
 * process (or the class's share) has no descriptor, so polling stops for RETRY_MS. Whoever waits
 * then waits in the kernel's backlog.
 *
 * A connection that is to speak TLS is handed on once its handshake is complete; handshakes are few
 * at a time, and a newcomer takes the place of the oldest.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "net/conn_impl.h"
#include "net/listen_socket.h"
#include "net/tls.h"

#define HANDSHAKE_MS 10000
#define RETRY_MS     100
#define TURN         64 /* accepted before other connections get their turn */
#define SAY_NS       (10 * NS_PER_SEC)

struct listener {
    struct loop_owned owned;
    uv_poll_t poll;
    int fd;
    bool is_unix;
    struct loop *loop;
    struct listen_opts o;
    int port;
    void (*on_conn)(void *ctx, struct conn *c);
    void *ctx;
    bool wanted;  /* the owner wants connections */
    bool polling; /* the socket is being watched */
    struct timer *retry;
    struct conn_count *count;
    struct list shaking; /* struct shaking: handshakes under way, the oldest first */
    size_t n_shaking;
    int64_t said_ns; /* when trouble was last told of; 0 = never */
    size_t troubles; /* since then */
};

static void accept_some(struct listener *ls);

/* ---- counting ---- */

void conn_count_unref(struct conn_count *k)
{
    if (k && --k->refs == 0)
        free(k);
}

void conn_count_give(struct conn_count *k)
{
    if (!k)
        return;
    assert(k->n > 0);
    k->n--;
    if (k->given)
        k->given(k->ctx);
    conn_count_unref(k);
}

/* ---- watching the socket ---- */

static void on_poll(uv_poll_t *h, int status, int events)
{
    accept_some(container_of(h, struct listener, poll));
}

static void watch(struct listener *ls, bool on)
{
    if (ls->polling == on || uv_is_closing((uv_handle_t *)&ls->poll))
        return;
    ls->polling = on;
    if (on)
        uv_poll_start(&ls->poll, UV_READABLE, on_poll);
    else
        uv_poll_stop(&ls->poll);
}

static void resume(struct listener *ls)
{
    watch(ls, ls->wanted && ls->count->n < ls->o.max_connections && !timer_active(ls->retry));
}

static void on_retry(void *ctx)
{
    resume(ctx);
}

static void on_given(void *ctx)
{
    resume(ctx);
}

/* Tells of it the first time and then at most every ten seconds. */
static void trouble(struct listener *ls, int code, const char *why)
{
    int64_t now = loop_now_ns(ls->loop);
    struct err e;

    ls->troubles++;
    if (!ls->o.on_trouble || (ls->said_ns && now - ls->said_ns < SAY_NS))
        return;
    err_set(&e, code,
            "port %d accepts no connections for now: %s (%zu times since the last report)",
            ls->port, why, ls->troubles);
    ls->said_ns = now;
    ls->troubles = 0;
    ls->o.on_trouble(ls->ctx, &e);
}

static void wait_a_little(struct listener *ls, int errnum)
{
    watch(ls, false);
    timer_start(ls->retry, RETRY_MS);
    trouble(ls, -errnum, strerror(errnum));
}

/* ---- handshakes ---- */

struct shaking {
    struct list link;
    struct listener *ls;
    struct conn *conn;
    struct timer *limit;
};

static void shaking_free(struct shaking *k)
{
    k->ls->n_shaking--;
    list_del(&k->link);
    timer_free(k->limit);
    free(k);
}

static void shaking_late(void *ctx)
{
    struct shaking *k = ctx;
    struct conn *c = k->conn;

    shaking_free(k);
    conn_close(c);
}

static void shaking_done(void *ctx, struct conn *c, const struct err *why)
{
    struct shaking *k = ctx;
    struct listener *ls = k->ls;

    shaking_free(k);
    if (c)
        ls->on_conn(ls->ctx, c);
}

static bool drop_oldest_handshake(struct listener *ls)
{
    if (list_empty(&ls->shaking))
        return false;
    shaking_late(list_entry(ls->shaking.next, struct shaking, link));
    return true;
}

static void start_tls(struct listener *ls, struct conn *c)
{
    struct shaking *k = xnew(struct shaking);

    if (ls->n_shaking >= ls->o.max_handshakes)
        drop_oldest_handshake(ls);
    k->ls = ls;
    list_push_back(&ls->shaking, &k->link);
    ls->n_shaking++;
    k->limit = timer_new(ls->loop, shaking_late, k);
    timer_start(k->limit, HANDSHAKE_MS);
    k->conn = tls_accept(c, ls->o.tls, shaking_done, k);
}

/* ---- accepting ---- */

static void take_in(struct listener *ls, int fd)
{
    ls->count->n++;
    ls->count->refs++;
    struct conn *c = stream_conn_accepted(ls->loop, fd, ls->is_unix, ls->count, ls->o.fd_class);

    if (!c)
        return;
    if (ls->o.tls)
        start_tls(ls, c);
    else
        ls->on_conn(ls->ctx, c);
}

static bool is_full(const struct listener *ls)
{
    return ls->count->n >= ls->o.max_connections;
}

static bool can_make_room(const struct listener *ls)
{
    return ls->o.make_room || !list_empty(&ls->shaking);
}

/* The owner closes somebody, or the oldest unfinished handshake goes. */
static bool make_room(struct listener *ls)
{
    return (ls->o.make_room && ls->o.make_room(ls->ctx)) || drop_oldest_handshake(ls);
}

static void wait_for_room(struct listener *ls)
{
    watch(ls, false);
    trouble(ls, -EUSERS, "the maximum of connections is reached");
}

static bool means_wait(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

static bool accept_failed(struct listener *ls, int errnum)
{
    if (means_wait(errnum))
        wait_a_little(ls, errnum);
    /* What else can happen concerns the one connection that did not come about. */
    return errnum == EINTR || errnum == ECONNABORTED || errnum == EPROTO || errnum == EPERM;
}

/* One connection; false when there is no other to be had now. Nobody has to go before it is certain
 * that somebody came. */
static bool accept_one(struct listener *ls)
{
    bool share = fdbudget_take(ls->o.fd_class);

    if (is_full(ls) && !can_make_room(ls)) {
        wait_for_room(ls);
    } else if (!share && !can_make_room(ls)) {
        wait_a_little(ls, EMFILE);
    } else {
        int fd = accept4(ls->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), errnum = errno;
        bool room = fd < 0 || !is_full(ls) || make_room(ls);
        share = share || (fd >= 0 && make_room(ls) && fdbudget_take(ls->o.fd_class));
        if (fd >= 0 && room && share) {
            take_in(ls, fd);
            return true;
        }
        if (share)
            fdbudget_give(ls->o.fd_class);
        if (fd < 0)
            return accept_failed(ls, errnum);
        close(fd);
        room ? wait_a_little(ls, EMFILE) : wait_for_room(ls);
        return false;
    }
    if (share)
        fdbudget_give(ls->o.fd_class);
    return false;
}

static void accept_some(struct listener *ls)
{
    for (int i = 0; i < TURN && ls->polling; i++) {
        if (!accept_one(ls))
            break;
    }
}

void listener_accept(struct listener *ls, bool on)
{
    ls->wanted = on;
    resume(ls);
}

/* ---- life ---- */

static void listener_drop(struct loop_owned *o)
{
    listener_free(container_of(o, struct listener, owned));
}

static struct conn_count *count_new(struct listener *ls)
{
    struct conn_count *k = xnew(struct conn_count);

    *k = (struct conn_count){.refs = 1, .given = on_given, .ctx = ls};
    return k;
}

struct listener *listener_new(struct loop *l, const struct listen_opts *o,
                              void (*on_conn)(void *ctx, struct conn *c), void *ctx, struct err *e)
{
    int fd = listen_socket(o, e);

    if (fd < 0)
        return NULL;
    struct listener *ls = xnew(struct listener);
    ls->owned.drop = listener_drop;
    ls->loop = l;
    ls->o = *o;
    ls->o.host = NULL; /* not ours to keep */
    tls_server_ref(ls->o.tls);
    ls->o.max_connections = o->max_connections ? o->max_connections : LIMIT_NET_CONNECTIONS;
    ls->o.max_handshakes = o->max_handshakes ? o->max_handshakes : LIMIT_NET_HANDSHAKES;
    ls->fd = fd;
    ls->is_unix = listen_socket_is_unix(fd);
    ls->port = listen_socket_port(fd);
    ls->on_conn = on_conn;
    ls->ctx = ctx;
    list_init(&ls->shaking);
    ls->count = count_new(ls);
    ls->retry = timer_new(l, on_retry, ls);
    uv_poll_init(&l->uv, &ls->poll, fd);
    ls->poll.data = &ls->owned;
    listener_accept(ls, !o->paused);
    return ls;
}

int listener_port(const struct listener *ls)
{
    return ls->port;
}

size_t listener_connections(const struct listener *ls)
{
    return ls->count->n;
}

static void listener_gone(uv_handle_t *h)
{
    struct listener *ls = container_of((uv_poll_t *)h, struct listener, poll);

    tls_server_unref(ls->o.tls);
    free(ls);
}

void listener_free(struct listener *ls)
{
    if (!ls || uv_is_closing((uv_handle_t *)&ls->poll))
        return;
    ls->wanted = false;
    watch(ls, false);
    while (drop_oldest_handshake(ls))
        ;
    ls->count->given = NULL;
    conn_count_unref(ls->count);
    timer_free(ls->retry);
    uv_close((uv_handle_t *)&ls->poll, listener_gone);
    close(ls->fd);
}
