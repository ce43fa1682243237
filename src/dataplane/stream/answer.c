/* The pod's answer on its way to the client. */
#include <stdio.h>

#include "base/clock.h"
#include "dataplane/stream/impl.h"
#include "dataplane/up/cold.h"

static struct dp_stream *stream_of(struct dp_exchange *x)
{
    return container_of(x, struct dp_stream, x);
}

static void say(struct dp_stream *s, const char *why)
{
    dp_say(s->w->report, loop_now_ns(s->w->up->loop), DP_SAY_ANSWER, "%s/%s: pod %s: %s",
           s->back->ns, s->back->service, s->pod->name, why);
}

static void add_timing(struct dp_stream *s, struct dp_head *h)
{
    char text[256];

    dp_cold_timing(s->w->up, s->back, text, sizeof(text));
    if (!*text)
        return;
    struct http_header *f = arena_alloc(&s->arena, (h->n + 1) * sizeof(*f));
    if (h->n)
        memcpy(f, h->f, h->n * sizeof(*f));
    f[h->n] = (struct http_header){STR("Server-Timing"), arena_str(&s->arena, str_of(text))};
    h->f = f;
    h->n++;
}

static void on_head(struct dp_exchange *x, struct dp_head *h)
{
    struct dp_stream *s = stream_of(x);
    bool interim = h->status < 200 && h->status != 101;

    if (!interim) {
        dp_stream_set(s, DP_S_ANSWER);
        s->open_ended = h->framing == DP_PIECES || h->framing == DP_TO_END;
        if (s->want_timing && s->waiter.cold && h->status != 101)
            add_timing(s, h);
    }
    if (s->ops->head(s->down, h) < 0)
        s->bad_answer = true;
}

static void on_body(struct dp_exchange *x, const char *p, size_t n)
{
    struct dp_stream *s = stream_of(x);

    if (!s->bad_answer)
        s->ops->body(s->down, p, n);
}

static void on_end(struct dp_exchange *x, const struct http_header *trailers, size_t n)
{
    struct dp_stream *s = stream_of(x);

    if (!s->bad_answer)
        s->ops->end(s->down, trailers, n);
}

static void on_turn(struct dp_exchange *x, bool complete)
{
    struct dp_stream *s = stream_of(x);

    if (s->bad_answer) {
        say(s, "the head of its answer is too large");
        dp_stream_reply_text(s, 502, "the revision's answer is too large\n");
        return;
    }
    s->active_ns = loop_now_ns(s->w->up->loop);
    ssize_t left = s->ops->flush(s->down);
    if (complete) {
        dp_stream_over(s);
    } else if (left > LIMIT_CONN_OUT && !s->answer_paused) {
        s->answer_paused = true;
        dp_exchange_pause(x, true);
    }
}

void dp_stream_room(struct dp_stream *s)
{
    if (!s->answer_paused)
        return;
    s->answer_paused = false;
    dp_exchange_pause(&s->x, false);
}

static void on_switched(struct dp_exchange *x, const char *rest, size_t n)
{
    struct dp_stream *s = stream_of(x);

    s->active_ns = loop_now_ns(s->w->up->loop);
    s->ops->flush(s->down);
    dp_stream_tunnel(s, rest, n);
}

static void on_lost(struct dp_exchange *x, const char *why)
{
    struct dp_stream *s = stream_of(x);

    if (dp_stream_again(s))
        return;
    say(s, why);
    dp_stream_reply_text(s, 502, "the revision's answer was broken or cut\n");
}

static void on_room(struct dp_exchange *x)
{
    struct dp_stream *s = stream_of(x);

    if (s->paused) {
        s->paused = false;
        s->ops->pause(s->down, false);
    }
}

const struct dp_exchange_events dp_stream_answer_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_turn = on_turn,
    .on_switched = on_switched,
    .on_lost = on_lost,
    .on_room = on_room,
};
