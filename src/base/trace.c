/*
 * The table is a fixed ring under one mutex. Marks happen a handful of times per start from zero,
 * never per request, so a lock and a linear search of a few hundred entries cost less than anything
 * cleverer.
 */
#include "base/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void trace_begin(const struct trace_sink *s, const char *subject, int64_t at_ns)
{
    if (s)
        s->ops->begin(s->ctx, subject, at_ns);
}

void trace_mark(const struct trace_sink *s, const char *subject, const char *span, int64_t at_ns)
{
    if (s)
        s->ops->mark(s->ctx, subject, span, at_ns);
}

void trace_end(const struct trace_sink *s, const char *subject, int64_t at_ns)
{
    if (s)
        s->ops->end(s->ctx, subject, at_ns);
}

int trace_read(const struct trace_sink *s, const char *subject, struct trace *ret)
{
    return s ? s->ops->read(s->ctx, subject, ret) : -ENOENT;
}

/* ---- the table ---- */

struct entry {
    char subject[TRACE_SUBJECT_MAX];
    struct trace trace;
};

struct trace_table {
    struct trace_sink sink;
    pthread_mutex_t lock;
    size_t next;
    struct entry entries[TRACE_TABLE_MAX];
};

static struct entry *find(struct trace_table *t, const char *subject)
{
    for (size_t i = 0; i < TRACE_TABLE_MAX; i++) {
        if (strcmp(t->entries[i].subject, subject) == 0)
            return &t->entries[i];
    }
    return NULL;
}

/* The entry of a trace that runs. */
static struct entry *running(struct trace_table *t, const char *subject)
{
    struct entry *e = find(t, subject);

    return e && e->trace.end_ns == 0 ? e : NULL;
}

static void table_begin(void *ctx, const char *subject, int64_t at_ns)
{
    struct trace_table *t = ctx;
    size_t n = strlen(subject);

    if (n == 0 || n >= TRACE_SUBJECT_MAX)
        return;
    pthread_mutex_lock(&t->lock);
    struct entry *e = find(t, subject);
    if (!e || e->trace.end_ns) {
        if (!e)
            e = &t->entries[t->next++ % TRACE_TABLE_MAX];
        memcpy(e->subject, subject, n + 1);
        e->trace = (struct trace){.begin_ns = at_ns};
    }
    pthread_mutex_unlock(&t->lock);
}

static void add_span(struct trace *t, const char *name, int64_t at_ns)
{
    int64_t from = t->begin_ns;

    for (size_t i = 0; i < t->n_spans; i++) {
        if (strcmp(t->spans[i].name, name) == 0)
            return;
        from = t->spans[i].end_ns;
    }
    if (t->n_spans < TRACE_SPANS_MAX)
        t->spans[t->n_spans++] = (struct trace_span){name, from, at_ns};
}

static void table_mark(void *ctx, const char *subject, const char *span, int64_t at_ns)
{
    struct trace_table *t = ctx;

    pthread_mutex_lock(&t->lock);
    struct entry *e = running(t, subject);
    if (e)
        add_span(&e->trace, span, at_ns);
    pthread_mutex_unlock(&t->lock);
}

static void table_end(void *ctx, const char *subject, int64_t at_ns)
{
    struct trace_table *t = ctx;

    pthread_mutex_lock(&t->lock);
    struct entry *e = running(t, subject);
    if (e)
        e->trace.end_ns = at_ns;
    pthread_mutex_unlock(&t->lock);
}

static int table_read(void *ctx, const char *subject, struct trace *ret)
{
    struct trace_table *t = ctx;

    pthread_mutex_lock(&t->lock);
    struct entry *e = *subject ? find(t, subject) : NULL;
    if (e)
        *ret = e->trace;
    pthread_mutex_unlock(&t->lock);
    return e ? 0 : -ENOENT;
}

static const struct trace_ops table_ops = {
    .begin = table_begin,
    .mark = table_mark,
    .end = table_end,
    .read = table_read,
};

struct trace_table *trace_table_new(void)
{
    struct trace_table *t = xnew(struct trace_table);

    t->sink = (struct trace_sink){&table_ops, t};
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void trace_table_free(struct trace_table *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

const struct trace_sink *trace_table_sink(struct trace_table *t)
{
    return &t->sink;
}
