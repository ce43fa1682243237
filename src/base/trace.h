/*
 * Traces: the story of one thing that crosses roles (a start from zero), told as spans.
 *
 * A trace has a subject ("namespace/name" of whatever it is about), a beginning, and spans that
 * follow one another: each role marks the end of the span that it owns, and a span begins where the
 * one before it ended. So no role needs to know what another one knows. Roles get a sink from the
 * environment that they are started with; they do not know what is behind it.
 *
 * Only ever informative: nothing decides on a trace. Every function may be called from any thread,
 * and accepts NULL for the sink, which then does nothing. Times are monotonic nanoseconds.
 */
#ifndef NONAGON_BASE_TRACE_H
#define NONAGON_BASE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_SPANS_MAX   8   /* of one trace; further marks are dropped */
#define TRACE_SUBJECT_MAX 320 /* bytes of a subject with its end; longer ones are not traced */

struct trace_span {
    const char *name; /* as given to trace_mark: a literal */
    int64_t begin_ns, end_ns;
};

struct trace {
    int64_t begin_ns, end_ns; /* end 0: it still runs */
    size_t n_spans;
    struct trace_span spans[TRACE_SPANS_MAX];
};

/* What a sink must be able to do; the functions below call it. */
struct trace_ops {
    void (*begin)(void *ctx, const char *subject, int64_t at_ns);
    void (*mark)(void *ctx, const char *subject, const char *span, int64_t at_ns);
    void (*end)(void *ctx, const char *subject, int64_t at_ns);
    int (*read)(void *ctx, const char *subject, struct trace *ret);
};
struct trace_sink {
    const struct trace_ops *ops;
    void *ctx;
};

/* Begins the subject's trace; nothing if one runs. The one before is forgotten. */
void trace_begin(const struct trace_sink *s, const char *subject, int64_t at_ns);
/* The span ended now. Counted once a trace; ignored where no trace runs. */
void trace_mark(const struct trace_sink *s, const char *subject, const char *span, int64_t at_ns);
void trace_end(const struct trace_sink *s, const char *subject, int64_t at_ns);
/* The subject's latest trace, ended or not: 0, or -ENOENT when there is none. */
int trace_read(const struct trace_sink *s, const char *subject, struct trace *ret);

/* A sink in memory: the newest TRACE_TABLE_MAX traces, the oldest making room. */
#define TRACE_TABLE_MAX 256
struct trace_table;
struct trace_table *trace_table_new(void);
void trace_table_free(struct trace_table *t); /* when nobody uses its sink any more */
const struct trace_sink *trace_table_sink(struct trace_table *t);

#endif
