/* A revision's start from zero: `queue` is the whole of it, the roles' spans are its parts. */
#include "dataplane/up/cold.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/trace.h"

static bool subject(const struct dp_up *u, const struct dp_back *b, char ret[TRACE_SUBJECT_MAX])
{
    const char *revision = dp_back_revision(b, u);

    return revision &&
           snprintf(ret, TRACE_SUBJECT_MAX, "%s/%s", b->ns, revision) < TRACE_SUBJECT_MAX;
}

void dp_cold_began(struct dp_up *u, const struct dp_back *b)
{
    char name[TRACE_SUBJECT_MAX];

    if (!subject(u, b, name))
        return;
    trace_begin(u->trace, name, loop_now_ns(u->loop));
}

void dp_cold_served(struct dp_up *u, const struct dp_back *b)
{
    char name[TRACE_SUBJECT_MAX];

    if (!subject(u, b, name))
        return;
    trace_end(u->trace, name, loop_now_ns(u->loop));
}

static double ms_between(int64_t from, int64_t to)
{
    return from > 0 && to > from ? (double)(to - from) / (double)NS_PER_MS : 0;
}

static void from_spans(const struct trace *t, char *ret, size_t n)
{
    size_t at = (size_t)snprintf(ret, n, "queue;dur=%.1f", ms_between(t->begin_ns, t->end_ns));

    for (size_t i = 0; i < t->n_spans && at < n; i++)
        at += (size_t)snprintf(ret + at, n - at, ", %s;dur=%.1f", t->spans[i].name,
                               ms_between(t->spans[i].begin_ns, t->spans[i].end_ns));
}

void dp_cold_timing(struct dp_up *u, const struct dp_back *b, char *ret, size_t n)
{
    char name[TRACE_SUBJECT_MAX];
    struct trace trace;

    *ret = '\0';
    if (subject(u, b, name) && trace_read(u->trace, name, &trace) == 0)
        from_spans(&trace, ret, n);
}
