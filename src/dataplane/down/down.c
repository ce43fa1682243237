/* The life of a client connection: states, limits of time, its end. */
#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "dataplane/down/impl.h"

#define HEAD_NS       (60 * NS_PER_SEC)
#define KEEP_ALIVE_NS (120 * NS_PER_SEC)
#define LINGER_MS     60000
#define WATCH_MS      250
#define ASK_MAX       3

static void down_free(struct dp_down *d)
{
    struct dp_downs *w = d->w;

    list_del(&d->link);
    list_del(&d->watched);
    timer_free(d->timer);
    h1_free(d->parser);
    buf_done(&d->in);
    free(d);
    assert(w->n > 0);
    w->n--;
    w->gone(w->ctx);
}

void dp_down_set(struct dp_down *d, enum dp_down_state to)
{
    bool was_idle = d->state == DP_D_IDLE;

    assert(d->state != DP_D_CLOSED);
    if (to == DP_D_REQUEST) {
        d->asked = 0;
        d->asked_ns = loop_now_ns(d->w->loop);
    }
    assert((to == DP_D_REQUEST) <= (d->state == DP_D_IDLE || d->state == DP_D_HEAD));
    assert(!(to == DP_D_IDLE || to == DP_D_LEFT) || !d->stream);
    d->state = to;
    if (to == DP_D_IDLE || to == DP_D_HEAD)
        d->mark_ns = loop_now_ns(d->w->loop);
    if (was_idle == (to == DP_D_IDLE))
        return;
    list_del(&d->link);
    list_push_back(to == DP_D_IDLE ? &d->w->idle : &d->w->busy, &d->link);
}

void dp_down_linger(struct conn *conn)
{
    conn_close_flush_within(conn, LINGER_MS);
}

void dp_down_close(struct dp_down *d, void (*close_conn)(struct conn *conn))
{
    struct dp_stream *s = d->stream;

    if (d->state == DP_D_CLOSED)
        return;
    d->stream = NULL;
    dp_down_set(d, DP_D_CLOSED);
    if (s)
        dp_stream_abort(s);
    close_conn(d->conn);
    dp_down_free_if_closed(d);
}

void dp_down_free_if_closed(struct dp_down *d)
{
    if (d->state == DP_D_CLOSED && !d->feeding && !d->going)
        down_free(d);
}

void dp_down_reading(struct dp_down *d)
{
    if (d->state == DP_D_CLOSED)
        return;
    if (d->paused || d->full || !d->w->open) {
        conn_read_stop(d->conn);
        dp_down_watch(d);
    } else {
        conn_read_start(d->conn);
    }
}

/* ---- is it still there? ---- */

void dp_down_ask(struct dp_down *d)
{
    static const char are_you_there[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (!d->how.old)
        conn_write1(d->conn, are_you_there, sizeof(are_you_there) - 1);
    d->asked++;
    d->asked_ns = loop_now_ns(d->w->loop);
}

/* Behind a body that is not read the client's end cannot arrive. Few interim answers only: clients
 * count them. */
static void ask_again(struct dp_down *d)
{
    int64_t pause = d->asked < ASK_MAX ? NS_PER_SEC << (2 * d->asked) : INT64_MAX;

    if (loop_now_ns(d->w->loop) - d->asked_ns >= pause)
        dp_down_ask(d);
}

static void look(struct dp_down *d)
{
    bool reading = !d->paused && !d->full;

    if (reading && !d->half_closed) {
        list_del(&d->watched);
        return;
    }
    if (d->half_closed ? conn_peer_reset(d->conn) : conn_peer_left(d->conn))
        dp_down_close(d, conn_close);
    else if (!d->half_closed && d->stream && dp_stream_waits(d->stream))
        ask_again(d);
}

static void on_watch(void *ctx)
{
    struct dp_downs *w = ctx;

    size_t n = 0;

    list_for_each(it, &w->watched) n++;
    /* A close may end others with it, so each turn begins at the front. */
    while (n-- > 0 && !list_empty(&w->watched)) {
        struct dp_down *d = list_entry(w->watched.next, struct dp_down, watched);
        list_del(&d->watched);
        list_push_back(&w->watched, &d->watched);
        look(d);
    }
    if (list_empty(&w->watched))
        timer_stop(w->watch);
}

void dp_down_watch(struct dp_down *d)
{
    struct dp_downs *w = d->w;

    if (list_empty(&d->watched))
        list_push_back(&w->watched, &d->watched);
    if (!timer_active(w->watch))
        timer_repeat(w->watch, WATCH_MS);
}

/* ---- limits of time ---- */

/*
 * One timer serves all of them: it is only ever moved to an earlier time and looks again when it
 * fires, so a request usually sets none.
 */
static int64_t next_due(const struct dp_down *d)
{
    switch (d->state) {
    case DP_D_IDLE:
        return d->mark_ns + KEEP_ALIVE_NS;
    case DP_D_HEAD:
        return d->mark_ns + HEAD_NS;
    default:
        return d->stream ? dp_stream_due(d->stream) : 0;
    }
}

void dp_down_arm(struct dp_down *d)
{
    int64_t due = next_due(d);

    if (due == 0 || (d->timer_due_ns != 0 && d->timer_due_ns <= due))
        return;
    int64_t left = due - loop_now_ns(d->w->loop);
    d->timer_due_ns = due;
    timer_start(d->timer, left > 0 ? (uint64_t)((left + NS_PER_MS - 1) / NS_PER_MS) : 0);
}

static void head_over(struct dp_down *d)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";

    conn_write1(d->conn, late, sizeof(late) - 1);
    dp_down_close(d, conn_close_flush);
}

static void on_timer(void *ctx)
{
    struct dp_down *d = ctx;
    int64_t due = next_due(d);

    d->timer_due_ns = 0;
    if (due == 0 || loop_now_ns(d->w->loop) < due) {
        dp_down_arm(d);
        return;
    }
    if (d->state == DP_D_IDLE) {
        dp_down_close(d, conn_close_flush);
    } else if (d->state == DP_D_HEAD) {
        head_over(d);
    } else {
        d->going = true;
        dp_stream_late(d->stream);
        d->going = false;
        if (d->stream) /* still there, with more to wait for */
            dp_down_arm(d);
        dp_down_h1_go_on(d);
    }
}

/* ---- birth ---- */

static void set_client(struct dp_down *d, enum dp_visibility visibility, bool activator)
{
    const char *peer = conn_peer(d->conn), *end = strrchr(peer, ':');
    size_t n = end ? (size_t)(end - peer) : strlen(peer);

    if (n > 2 && peer[0] == '[') {
        peer++;
        n -= 2;
    }
    if (n > 7 && memcmp(peer, "::ffff:", 7) == 0 && memchr(peer, '.', n)) {
        peer += 7;
        n -= 7;
    }
    snprintf(d->client.ip, sizeof(d->client.ip), "%.*s", (int)n, peer);
    d->client.ip_hash = hash_fnv32(d->client.ip, strlen(d->client.ip));
    d->client.visibility = visibility;
    d->client.activator = activator;
    d->client.tls = conn_is_tls(d->conn);
}

bool dp_downs_crowded(const struct dp_downs *w)
{
    return (w->max > 0 && w->n >= w->max) ||
           fdbudget_used(FD_CLIENT) + DP_MAX_WORKERS / 8 >= fdbudget_share(FD_CLIENT);
}

/* The last place is for the next one: whoever idled longest leaves for it. */
static void make_room(struct dp_downs *w)
{
    struct list *oldest = w->idle.next;

    if (dp_downs_crowded(w) && oldest != w->idle.prev)
        dp_down_close(list_entry(oldest, struct dp_down, link), conn_close);
}

void dp_down_new(struct dp_downs *w, struct conn *conn, enum dp_visibility visibility,
                 bool activator)
{
    if (w->draining) {
        conn_close(conn);
        return;
    }
    struct dp_down *d = xnew(struct dp_down);
    d->w = w;
    d->conn = conn;
    d->parser = h1_new_with(H1_REQUEST, &w->h1, &dp_down_h1_events, d);
    d->timer = timer_new(w->loop, on_timer, d);
    list_init(&d->watched);
    buf_init(&d->in, SIZE_MAX / 2); /* reading pauses above LIMIT_DP_PIPELINED */
    set_client(d, visibility, activator);
    list_push_back(&w->idle, &d->link);
    w->n++;
    d->mark_ns = loop_now_ns(w->loop);
    dp_down_arm(d);
    conn_set_events(conn, &dp_down_conn_events, d);
    if (!w->open)
        conn_read_stop(conn);
    make_room(w);
}

/* ---- all of a worker ---- */

void dp_downs_init(struct dp_downs *w)
{
    list_init(&w->idle);
    list_init(&w->busy);
    list_init(&w->watched);
    buf_init(&w->head, 4 * w->h1.head_max);
    w->watch = timer_new(w->loop, on_watch, w);
}

void dp_downs_done(struct dp_downs *w)
{
    w->draining = true;
    list_for_each_safe(it, &w->idle)
        dp_down_close(list_entry(it, struct dp_down, link), conn_close);
    while (!list_empty(&w->busy))
        dp_down_close(list_entry(w->busy.next, struct dp_down, link), conn_close);
    timer_free(w->watch);
    buf_done(&w->head);
}

void dp_downs_open(struct dp_downs *w)
{
    if (w->open)
        return;
    w->open = true;
    list_for_each(it, &w->idle) dp_down_reading(list_entry(it, struct dp_down, link));
}

void dp_downs_drain(struct dp_downs *w)
{
    w->draining = true;
    list_for_each(it, &w->busy) list_entry(it, struct dp_down, link)->how.keep_alive = false;
    list_for_each_safe(it, &w->idle)
        dp_down_close(list_entry(it, struct dp_down, link), conn_close_flush);
}
