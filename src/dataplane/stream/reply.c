/* Answers of ours. What went wrong inside is told to the operator, not to the client. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "dataplane/stream/impl.h"

static void format_date(int64_t wall_ns, char ret[static 40])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)(wall_ns / NS_PER_SEC);
    struct tm tm;

    gmtime_r(&t, &tm);
    snprintf(ret, 40, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7], tm.tm_mday,
             months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void send_reply(const struct dp_down_ops *ops, void *down, int64_t wall_ns, bool is_head,
                       const struct dp_reply *r)
{
    char date[40];
    struct http_header f[4];
    size_t n = strlen(r->text);
    struct dp_head h = {.status = r->status,
                        .closes = true,
                        .reason = str_of(http_reason(r->status)),
                        .framing = is_head || n == 0 ? DP_NO_BODY : DP_LENGTH,
                        .length = (int64_t)n,
                        .f = f};

    format_date(wall_ns, date);
    f[h.n++] = (struct http_header){STR("Content-Type"), STR("text/plain; charset=utf-8")};
    f[h.n++] = (struct http_header){STR("Date"), str_of(date)};
    if (r->retry_after)
        f[h.n++] = (struct http_header){STR("Retry-After"), STR("1")};
    if (r->extra.name.n)
        f[h.n++] = r->extra;
    ops->head(down, &h);
    if (h.framing == DP_LENGTH)
        ops->body(down, r->text, n);
    ops->end(down, NULL, 0);
    ops->flush(down);
}

void dp_reply_down(const struct dp_down_ops *ops, void *down, int64_t wall_ns, int status,
                   const char *text)
{
    send_reply(ops, down, wall_ns, false, &(struct dp_reply){.status = status, .text = text});
}

void dp_stream_reply(struct dp_stream *s, const struct dp_reply *r)
{
    bool is_head = s->is_head;

    if (dp_stream_answering(s) && !s->ops->take_back(s->down)) {
        dp_stream_cut(s); /* too late for a status: the cut tells */
        return;
    }
    dp_stream_let_go(s);
    send_reply(s->ops, s->down, loop_wall_ns(s->w->up->loop), is_head, r);
    dp_stream_over(s);
}

void dp_stream_reply_text(struct dp_stream *s, int status, const char *text)
{
    dp_stream_reply(
        s, &(struct dp_reply){.status = status, .text = text, .retry_after = status == 503});
}

void dp_stream_fail(struct dp_stream *s, int status, const char *text)
{
    dp_stream_reply_text(s, status, text);
}

void dp_stream_refuse(struct dp_stream *s, enum dp_refusal why)
{
    struct dp_up *u = s->w->up;
    const struct dp_back *b = s->back;
    char text[700];
    struct dp_reply r = {.status = 503, .retry_after = true, .text = text};

    switch (why) {
    case DP_REFUSED_FULL:
        snprintf(text, sizeof(text), "pending request queue full\n");
        break;
    case DP_REFUSED_PEER:
        r.status = 429;
        snprintf(text, sizeof(text), "too many of your requests wait for %.200s/%.200s\n", b->ns,
                 b->service);
        break;
    case DP_REFUSED_PLAIN:
        snprintf(text, sizeof(text), "no endpoint of the service %.200s/%.200s can be reached\n",
                 b->ns, b->service);
        break;
    case DP_REFUSED_GONE:
        snprintf(text, sizeof(text), "the service %.200s/%.200s was removed\n", b->ns, b->service);
        break;
    case DP_REFUSED_UNKNOWN:
        snprintf(text, sizeof(text), "there is no service %.200s/%.200s\n", b->ns, b->service);
        break;
    }
    dp_say(s->w->report, loop_now_ns(u->loop), DP_SAY_FULL, "%s/%s: %d to %s: %.*s", b->ns,
           b->service, r.status, s->client->ip, (int)strlen(text) - 1, text);
    dp_stream_reply(s, &r);
}
