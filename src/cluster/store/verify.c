/*
 * Rows and gaps are one sequence in the order of revisions; each must continue what the one before
 * it left. Behind something damaged this cannot be told, and is not: the next whole one is
 * believed, and a gap in place of what is damaged would fit both.
 */
#include "cluster/store/verify.h"

#include <errno.h>
#include <inttypes.h>

#include "base/mem.h"
#include "cluster/store/limits.h"

void damage_vec_done(damage_vec *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->p[i].key);
    vec_done(v);
}

void verifier_done(struct verifier *v)
{
    damage_vec_done(&v->damages);
    vec_done(&v->repairs);
}

char *damage_text(const struct damage *d)
{
    switch (d->kind) {
    case DAMAGE_ROW:
        return xasprintf("revision %" PRIu64 " of %s does not fit its checksum%s", d->first, d->key,
                         d->superseded ? " (a later one of it is whole)" : "");
    case DAMAGE_MISSING:
        return d->first == d->last ? xasprintf("revision %" PRIu64 " is missing", d->first)
                                   : xasprintf("revisions %" PRIu64 " to %" PRIu64 " are missing",
                                               d->first, d->last);
    case DAMAGE_RECORD:
        break;
    }
    return xasprintf("the record of removed revisions from %" PRIu64 " does not fit its checksum",
                     d->first);
}

static int note(struct verifier *v, const struct damage *d, struct err *e)
{
    if (v->damages.n >= LIMIT_STORE_DAMAGES) {
        free(d->key);
        return err_set(e, -EIO,
                       "the database %s is damaged in more than %d places; restore a backup of it",
                       rowlog_path(v->log), LIMIT_STORE_DAMAGES);
    }
    vec_push(&v->damages, *d);
    return 0;
}

static void repair(struct verifier *v, uint64_t last, uint32_t sum)
{
    struct gap g = {v->at + 1, last, v->sum, sum, true};

    vec_push(&v->repairs, g);
}

static int out_of_order(struct verifier *v, uint64_t rev, struct err *e)
{
    return err_set(e, -EIO,
                   "the database %s is damaged (revision %" PRIu64 " stands in the wrong place); "
                   "restore a backup of it",
                   rowlog_path(v->log), rev);
}

/* Something whole comes next. */
static int take(struct verifier *v, uint64_t first, uint64_t last, uint32_t before, uint32_t sum,
                struct err *e)
{
    int r = 0;

    if (first <= v->at || last < first)
        return out_of_order(v, first, e);
    if (v->unsure && first > v->at + 1) {
        repair(v, first - 1, before);
    } else if (before != v->sum) {
        if (first == v->at + 1)
            return out_of_order(v, first, e);
        r = note(v, &(struct damage){DAMAGE_MISSING, .first = v->at + 1, .last = first - 1}, e);
        repair(v, first - 1, before);
    }
    if (v->want >= first && v->want <= last) {
        v->seen = true;
        v->in_gap = first < last || v->in_gap;
        v->seen_sum = sum;
    }
    v->at = last;
    v->tail = last > v->tail ? last : v->tail;
    v->sum = sum;
    v->unsure = false;
    return r;
}

static int take_gap(struct verifier *v, const struct gap *g, struct err *e)
{
    if (g->whole)
        return take(v, g->first, g->last, g->before, g->sum, e);
    v->unsure = true;
    return note(v, &(struct damage){DAMAGE_RECORD, .first = g->first, .last = g->first}, e);
}

/* The first gap behind the revision; asked for once, since nothing changes during a walk. */
static int look_up_gap(struct verifier *v, uint64_t behind, struct err *e)
{
    int r = rowlog_gap_after(v->log, behind, &v->gap, e);

    if (r == 0)
        v->gap.first = UINT64_MAX;
    return r;
}

/* Gaps that begin before this revision. */
static int take_gaps(struct verifier *v, uint64_t before, struct err *e)
{
    while (v->gap.first < before) {
        struct gap g = v->gap;
        int r = take_gap(v, &g, e);
        if (r == 0)
            r = look_up_gap(v, g.first, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int damaged_row(struct verifier *v, const struct row *row, struct err *e)
{
    struct damage d = {DAMAGE_ROW, row->rev, row->rev, row->prev, xstrdup(row->key), false};

    v->unsure = true;
    v->tail = row->rev > v->tail && row->rev < UINT64_MAX / 2 ? row->rev : v->tail;
    return note(v, &d, e);
}

static void supersede(struct verifier *v, const struct row *row)
{
    for (size_t i = 0; i < v->damages.n; i++) {
        struct damage *d = &v->damages.p[i];
        if (d->kind == DAMAGE_ROW && streq(d->key, row->key))
            d->superseded = true;
    }
}

struct walk {
    struct verifier *v;
    verify_row_fn *fn;
    void *ctx;
};

static int on_row(void *ctx, const struct row *row, struct err *e)
{
    struct walk *w = ctx;
    struct verifier *v = w->v;

    v->read = row->rev;
    if (!row->whole)
        return damaged_row(v, row, e);
    int r = take_gaps(v, row->rev, e);
    if (r == 0)
        r = take(v, row->rev, row->rev, row->before, row->sum, e);
    if (r < 0)
        return r;
    supersede(v, row);
    return w->fn ? w->fn(w->ctx, row, e) : 0;
}

/* Removals since the last piece may have made one gap of what lies around the place. */
static int step_over(struct verifier *v, struct err *e)
{
    struct gap g;
    int r = v->at ? rowlog_gap_over(v->log, v->at, &g, e) : 0;

    if (r <= 0 || !g.whole)
        return r < 0 ? r : 0;
    v->at = g.last;
    v->sum = g.sum;
    return 0;
}

static int end_walk(struct verifier *v, struct err *e)
{
    int r = take_gaps(v, UINT64_MAX, e);

    if (r == 0 && v->unsure) {
        if (v->tail <= v->at)
            v->tail = v->at + 1;
        repair(v, v->tail, v->sum);
    }
    return r;
}

int verifier_walk(struct verifier *v, size_t max_rows, size_t max_bytes, verify_row_fn *fn,
                  void *ctx, struct err *e)
{
    struct walk w = {v, fn, ctx};
    int r = step_over(v, e);

    if (r == 0)
        r = look_up_gap(v, v->at, e);
    if (r < 0)
        return r;
    r = rowlog_each(v->log, v->read, max_rows, max_bytes, on_row, &w, e);
    return r == 0 ? end_walk(v, e) : r;
}
