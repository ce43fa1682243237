/*
 * The limits of a revision. All are dues of one record: its start, its last activity and its state;
 * the client's connection has the timer and asks for the next due.
 *
 * A limit that passes before the answer began is answered 504. After that an answer of unknown
 * length gets the same words at its end and ends in order, as upstream's does; one with a length is
 * cut, since it cannot be ended otherwise.
 */
#include "base/clock.h"
#include "dataplane/stream/impl.h"

#define DEFAULT_TIMEOUT_MS 300000

static const char text[] = "request timeout";

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t after(int64_t from_ns, uint64_t ms)
{
    int64_t most = INT64_MAX - from_ns;

    if (ms == 0 || ms > (uint64_t)(most / NS_PER_MS))
        return 0;
    return from_ns + (int64_t)ms * NS_PER_MS;
}

/* The response-start limit goes on over a 101, until the pod says something. */
static bool has_begun(const struct dp_stream *s)
{
    return s->state == DP_S_ANSWER || (s->state == DP_S_TUNNEL && s->t.spoken);
}

static int64_t limit_due(const struct dp_stream *s)
{
    const struct dp_settings *set = dp_back_settings(s->back, s->w->up);
    int64_t due = after(s->started_ns, set ? set->timeout_ms : DEFAULT_TIMEOUT_MS);

    if (set && !has_begun(s))
        due = sooner(due, after(s->started_ns, set->response_start_ms));
    if (set)
        due = sooner(due, after(s->active_ns, set->idle_ms));
    return due;
}

int64_t dp_stream_due(const struct dp_stream *s)
{
    if (!s->back)
        return 0;
    return sooner(limit_due(s), s->state == DP_S_WAIT ? s->waiter.retry_ns : 0);
}

static void end_in_order(struct dp_stream *s)
{
    dp_exchange_abort(&s->x);
    s->ops->body(s->down, text, sizeof(text) - 1);
    s->ops->end(s->down, NULL, 0);
    s->ops->flush(s->down);
    dp_stream_over(s);
}

void dp_stream_late(struct dp_stream *s)
{
    int64_t now = loop_now_ns(s->w->up->loop), due = limit_due(s);

    if (due == 0 || now < due) {
        dp_serve(s->w->up, s->back); /* a pause is over */
        return;
    }
    dp_say(s->w->report, now, DP_SAY_TIMEOUT, "%s/%s: a request of %s took longer than allowed",
           s->back->ns, s->back->service, s->client->ip);
    if (s->state == DP_S_TUNNEL)
        dp_stream_close(s);
    else if (s->state == DP_S_ANSWER && s->open_ended)
        end_in_order(s);
    else
        dp_stream_reply_text(s, 504, text);
}
