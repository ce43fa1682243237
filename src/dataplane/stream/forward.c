/*
 * From a routed request to a pod: a slot, an idle or a new connection, or the queue; and the
 * request's bytes. A body that cannot go yet is held, and reading it is paused beyond a bound.
 *
 * A request is executed at most once. One that may have been written to a pod is sent again only if
 * it is idempotent, once, and as long as nothing of an answer came; any other only if it is sure
 * that nothing of it was written.
 */
#include <stdio.h>

#include "base/clock.h"
#include "dataplane/stream/impl.h"

#define CONNECT_TIMEOUT_MS 2000
#define RETRY_FOR_NS       (10 * NS_PER_SEC)

static void pause_reading(struct dp_stream *s, bool pause)
{
    if (s->paused == pause)
        return;
    s->paused = pause;
    s->ops->pause(s->down, pause);
}

/* Whether it can be sent once more after it was written to a connection that then ended. */
static bool can_repeat(const struct dp_stream *s)
{
    return s->idempotent && !s->replayed && s->head.framing != DP_PIECES &&
           s->head.length <= LIMIT_DP_REPLAY;
}

/* ---- sending ---- */

static void after_flush(struct dp_stream *s, ssize_t left)
{
    if (!s->x.conn)
        return;
    if (s->x.written && !(s->x.reused && can_repeat(s))) {
        s->body_lost |= s->body.n > 0 || s->head.framing != DP_NO_BODY;
        buf_clear(&s->body);
    }
    pause_reading(s, left > LIMIT_CONN_OUT);
}

void dp_stream_send(struct dp_stream *s)
{
    struct dp_exchange *x = &s->x;

    dp_stream_set(s, DP_S_SENT);
    if (dp_exchange_head(x, &s->head) < 0) {
        dp_stream_reply_text(s, 431, "the request head is too large to be forwarded\n");
        return;
    }
    if (s->body.n > 0)
        dp_exchange_body(x, s->body.p, s->body.n, s->head.framing);
    if (s->request_done)
        dp_exchange_end(x, s->head.framing, s->trailers, s->n_trailers);
    if (!s->in_turn)
        after_flush(s, dp_exchange_flush(x));
}

void dp_stream_flush(struct dp_stream *s)
{
    s->in_turn = false;
    if (s->state == DP_S_SENT || s->state == DP_S_ANSWER)
        after_flush(s, dp_exchange_flush(&s->x));
}

static void hold(struct dp_stream *s, const char *p, size_t n)
{
    buf_add(&s->body, p, n);
    dp_wait_more(s->w->up, &s->waiter, n);
    if (s->body.n > LIMIT_DP_QUEUE_BODY || s->w->up->queued_bytes > LIMIT_DP_QUEUE_BYTES)
        pause_reading(s, true);
}

void dp_stream_body(struct dp_stream *s, const char *p, size_t n)
{
    s->in_turn = true;
    if (!s->x.conn) {
        hold(s, p, n);
        return;
    }
    dp_exchange_body(&s->x, p, n, s->head.framing);
    if (s->body_lost || s->state != DP_S_SENT)
        return;
    if (s->x.reused && can_repeat(s))
        buf_add(&s->body, p, n);
    else
        s->body_lost = true;
}

static const struct http_header *keep_trailers(struct dp_stream *s, const struct http_header *t,
                                               size_t n)
{
    struct http_header *copy = n ? arena_alloc(&s->arena, n * sizeof(*copy)) : NULL;

    for (size_t i = 0; i < n; i++)
        copy[i] =
            (struct http_header){arena_str(&s->arena, t[i].name), arena_str(&s->arena, t[i].value)};
    return copy;
}

void dp_stream_end(struct dp_stream *s, const struct http_header *trailers, size_t n)
{
    s->in_turn = s->request_done = true;
    s->trailers = keep_trailers(s, trailers, n);
    s->n_trailers = n;
    if (s->x.conn)
        dp_exchange_end(&s->x, s->head.framing, s->trailers, n);
}

/* ---- a connection ---- */

static void connect_failed(struct dp_stream *s, const struct err *why);

static void begin(struct dp_stream *s, struct dp_pconn *k)
{
    s->x.ev = &dp_stream_answer_events;
    s->x.is_head = s->is_head;
    s->x.upgrade = s->head.protocol.n > 0;
    dp_exchange_start(&s->x, k);
    dp_stream_send(s);
}

static void on_connected(void *ctx, struct conn *conn, const struct err *why)
{
    struct dp_stream *s = ctx;

    s->connecting = NULL;
    if (conn)
        begin(s, dp_pconn_new(s->w->up, s->pod, conn));
    else
        connect_failed(s, why);
}

static void make_connection(struct dp_stream *s)
{
    struct connect_opts o = {
        .host = s->pod->ip, .port = s->pod->port, .timeout_ms = CONNECT_TIMEOUT_MS};

    dp_stream_set(s, DP_S_CONNECT);
    s->connecting = conn_connect(s->w->up->loop, &o, on_connected, s);
}

bool dp_stream_again(struct dp_stream *s)
{
    bool untouched = !s->x.written && !s->x.got_bytes;

    if (s->state != DP_S_SENT || s->replayed || s->body_lost)
        return false;
    if (!untouched && (!s->x.reused || s->x.got_bytes || !can_repeat(s)))
        return false;
    s->replayed = true;
    make_connection(s);
    return true;
}

/* ---- a pod ---- */

static void serve(struct dp_waiter *k, struct dp_pod *p)
{
    struct dp_stream *s = container_of(k, struct dp_stream, waiter);

    s->pod = p;
    dp_stream_dispatch(s);
}

static void refuse(struct dp_waiter *k, enum dp_refusal why)
{
    dp_stream_refuse(container_of(k, struct dp_stream, waiter), why);
}

static const struct dp_waiter_ops waiter_ops = {serve, refuse};

static void wait_in_queue(struct dp_stream *s)
{
    struct dp_waiter *k = &s->waiter;

    dp_stream_set(s, DP_S_WAIT);
    k->ops = &waiter_ops;
    k->since_ns = s->started_ns;
    k->peer = s->client->ip_hash;
    k->bytes = s->body.n + (s->area ? h1_area_bytes(s->area) : 0);
    int r = dp_wait(s->w->up, s->back, k);
    if (r < 0) {
        dp_stream_refuse(s, (enum dp_refusal)(-1 - r));
        return;
    }
    s->ops->arm(s->down);
    dp_serve(s->w->up, s->back); /* a slot may have come free just before the time was published */
}

void dp_stream_dispatch(struct dp_stream *s)
{
    struct dp_up *u = s->w->up;

    if (!s->pod)
        s->pod = dp_back_pick(u, s->back, s->waiter.failed);
    if (!s->pod) {
        wait_in_queue(s);
        return;
    }
    struct dp_pconn *k = dp_pconn_take(u, s->pod, !can_repeat(s));
    if (k)
        begin(s, k);
    else
        make_connection(s);
}

static void connect_failed(struct dp_stream *s, const struct err *why)
{
    const struct dp_settings *set = dp_back_settings(s->back, s->w->up);
    int64_t now = loop_now_ns(s->w->up->loop);
    struct dp_pod *p = steal(&s->pod);

    dp_say(s->w->report, now, DP_SAY_CONNECT, "%s/%s: pod %s: %s", s->back->ns, s->back->service,
           p->name, why->msg);
    s->waiter.failed = p; /* only compared */
    dp_back_release(s->w->up, s->back, p);
    if (s->first_failure_ns == 0)
        s->first_failure_ns = now;
    s->attempts++;
    if (now - s->first_failure_ns > RETRY_FOR_NS) {
        dp_stream_reply_text(s, 503, "the revision does not accept connections\n");
        return;
    }
    /* Another pod at once; the same ones after a pause, which new endpoints end. */
    s->waiter.retry_ns = 0;
    if (!set || s->attempts >= set->n_pods)
        s->waiter.retry_ns = now + (10LL << (s->attempts < 6 ? s->attempts : 6)) * NS_PER_MS;
    wait_in_queue(s);
}

void dp_stream_start(struct dp_stream *s)
{
    if (dp_stream_find(s) < 0)
        return;
    dp_stream_rewrite(s);
    dp_back_enter(s->w->up, s->back);
    dp_stream_dispatch(s);
}
