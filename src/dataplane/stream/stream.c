/*
 * The life of a stream: its states, what it holds in them, its end. A stream is in one list and in
 * one counter at a time; dp_stream_set moves it. Ended ones are kept for reuse, so that a request
 * allocates nothing.
 */
#include <assert.h>

#include "base/clock.h"
#include "dataplane/stream/impl.h"

#define KEEP_BODY (16 * 1024)

void dp_streams_init(struct dp_streams *w)
{
    list_init(&w->live);
}

static void stream_free(struct dp_stream *s)
{
    arena_done(&s->arena);
    buf_done(&s->body);
    free(s);
}

void dp_streams_done(struct dp_streams *w)
{
    assert(list_empty(&w->live));
    while (w->n_kept > 0)
        stream_free(w->kept[--w->n_kept]);
}

/* Which states may follow, as bits. */
static const unsigned may_follow[DP_S_STATES] = {
    [DP_S_NEW] = 1 << DP_S_WAIT | 1 << DP_S_CONNECT | 1 << DP_S_SENT | 1 << DP_S_OVER,
    [DP_S_WAIT] = 1 << DP_S_WAIT | 1 << DP_S_CONNECT | 1 << DP_S_SENT | 1 << DP_S_OVER,
    [DP_S_CONNECT] = 1 << DP_S_WAIT | 1 << DP_S_SENT | 1 << DP_S_OVER,
    [DP_S_SENT] = 1 << DP_S_CONNECT | 1 << DP_S_ANSWER | 1 << DP_S_TUNNEL | 1 << DP_S_OVER,
    [DP_S_ANSWER] = 1 << DP_S_TUNNEL | 1 << DP_S_OVER,
    [DP_S_TUNNEL] = 1 << DP_S_OVER,
};

void dp_stream_set(struct dp_stream *s, enum dp_stream_state to)
{
    assert(may_follow[s->state] & 1u << to);
    assert(s->w->n_in[s->state] > 0);
    s->w->n_in[s->state]--;
    s->w->n_in[to]++;
    s->state = to;
}

static struct dp_stream *take(struct dp_streams *w)
{
    if (w->n_kept > 0)
        return w->kept[--w->n_kept];
    struct dp_stream *s = xnew(struct dp_stream);
    arena_init(&s->arena);
    buf_init(&s->body, SIZE_MAX / 2); /* reading pauses above LIMIT_DP_QUEUE_BODY */
    return s;
}

static bool is_idempotent(const struct dp_head *h)
{
    static const struct str methods[] = {{"GET", 3},   {"HEAD", 4}, {"OPTIONS", 7},
                                         {"TRACE", 5}, {"PUT", 3},  {"DELETE", 6}};

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (str_eq(h->method, methods[i]))
            return true;
    }
    return dp_head_get(h, "Idempotency-Key").n > 0 || dp_head_get(h, "X-Idempotency-Key").n > 0;
}

struct dp_stream *dp_stream_new(struct dp_streams *w, const struct dp_down_ops *ops, void *down,
                                const struct dp_client *client, const struct dp_head *head,
                                struct h1_area *area)
{
    struct dp_stream *s = take(w);
    struct arena arena = s->arena;
    struct buf body = s->body;

    *s = (struct dp_stream){.w = w,
                            .ops = ops,
                            .down = down,
                            .client = client,
                            .head = *head,
                            .area = area,
                            .arena = arena,
                            .body = body,
                            .in_turn = true};
    list_init(&s->waiter.link);
    list_push_back(&w->live, &s->link);
    w->n_in[DP_S_NEW]++;
    s->is_head = str_eq(head->method, STR("HEAD"));
    s->idempotent = is_idempotent(head);
    s->started_ns = s->active_ns = loop_now_ns(w->up->loop);
    return s;
}

void dp_stream_let_go(struct dp_stream *s)
{
    struct dp_back *b = s->back;
    struct dp_pod *p = s->pod;

    dp_unwait(s->w->up, &s->waiter);
    connecting_cancel(s->connecting);
    dp_exchange_abort(&s->x);
    s->connecting = NULL;
    s->back = NULL;
    s->pod = NULL;
    if (!b)
        return;
    dp_back_leave(s->w->up, b);
    if (p)
        dp_back_release(s->w->up, b, p);
}

static void end(struct dp_stream *s)
{
    struct dp_streams *w = s->w;

    dp_stream_let_go(s);
    dp_stream_set(s, DP_S_OVER);
    w->n_in[DP_S_OVER]--;
    list_del(&s->link);
    h1_area_give(w->pool, s->area);
    s->area = NULL;
    if (w->n_kept == DP_STREAMS_KEPT) {
        stream_free(s);
        return;
    }
    arena_reset(&s->arena);
    if (s->body.cap > KEEP_BODY)
        buf_done(&s->body);
    buf_clear(&s->body);
    w->kept[w->n_kept++] = s;
}

void dp_stream_over(struct dp_stream *s)
{
    const struct dp_down_ops *ops = s->ops;
    void *down = s->down;

    end(s);
    ops->over(down);
}

void dp_stream_cut(struct dp_stream *s)
{
    const struct dp_down_ops *ops = s->ops;
    void *down = s->down;

    end(s);
    ops->cut(down);
}

void dp_stream_close(struct dp_stream *s)
{
    const struct dp_down_ops *ops = s->ops;
    void *down = s->down;

    end(s);
    ops->close(down);
}

void dp_stream_abort(struct dp_stream *s)
{
    end(s);
}

bool dp_stream_answering(const struct dp_stream *s)
{
    return s->state == DP_S_ANSWER || s->state == DP_S_TUNNEL;
}

bool dp_stream_waits(const struct dp_stream *s)
{
    return s->state == DP_S_WAIT || s->state == DP_S_CONNECT;
}
