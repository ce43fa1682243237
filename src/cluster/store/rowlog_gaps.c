/*
 * Removal of rows without breaking the chain. A run of removed rows grows in memory as far as no
 * living row interrupts it; then it joins the gaps beside it and is written.
 */
#include <errno.h>

#include "cluster/store/rowlog_impl.h"

/* ---- single steps ---- */

static sqlite3_stmt *with_rev(struct rowlog *l, enum rowlog_statement which, uint64_t rev)
{
    sqlite3_bind_int64(l->st[which], 1, (sqlite3_int64)rev);
    return l->st[which];
}

/* Steps to a row, if there is one: 1, 0, or an error. The caller resets. */
static int look(struct rowlog *l, sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : rowlog_write_error(l, e);
}

static int find_gap(struct rowlog *l, sqlite3_stmt *st, struct gap *ret, struct err *e)
{
    int r = look(l, st, e);

    if (r > 0) {
        int64_t before = sqlite3_column_int64(st, 2), sum = sqlite3_column_int64(st, 3);
        *ret = (struct gap){(uint64_t)sqlite3_column_int64(st, 0),
                            (uint64_t)sqlite3_column_int64(st, 1), (uint32_t)before, (uint32_t)sum,
                            false};
        ret->whole = before == ret->before && sum == ret->sum && ret->first <= ret->last &&
                     sqlite3_column_int64(st, 4) == rowlog_gap_sum(ret);
    }
    sqlite3_reset(st);
    return r;
}

int rowlog_gap_after(struct rowlog *l, uint64_t after, struct gap *ret, struct err *e)
{
    return find_gap(l, with_rev(l, RL_GAP_AFTER, after), ret, e);
}

int rowlog_put_gap(struct rowlog *l, const struct gap *g, struct err *e)
{
    sqlite3_stmt *st = l->st[RL_PUT_GAP];

    sqlite3_bind_int64(st, 1, (sqlite3_int64)g->first);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)g->last);
    sqlite3_bind_int64(st, 3, g->before);
    sqlite3_bind_int64(st, 4, g->sum);
    sqlite3_bind_int64(st, 5, rowlog_gap_sum(g));
    return rowlog_step(l, st, e);
}

static int drop_gaps(struct rowlog *l, const struct gap *within, struct err *e)
{
    sqlite3_bind_int64(l->st[RL_DROP_GAPS], 2, (sqlite3_int64)within->last);
    return rowlog_step(l, with_rev(l, RL_DROP_GAPS, within->first), e);
}

int rowlog_drop_gap(struct rowlog *l, uint64_t first, struct err *e)
{
    return drop_gaps(l, &(struct gap){.first = first, .last = first}, e);
}

int rowlog_gap_over(struct rowlog *l, uint64_t rev, struct gap *ret, struct err *e)
{
    int r = find_gap(l, with_rev(l, RL_GAP_BEFORE, rev + 1), ret, e);

    return r > 0 ? ret->last > rev : r;
}

/* The first living row behind rev; 0 in *ret when there is none. */
static int next_row(struct rowlog *l, uint64_t rev, uint64_t *ret, struct err *e)
{
    sqlite3_stmt *st = with_rev(l, RL_NEXT_ROW, rev);
    int r = look(l, st, e);

    *ret = r > 0 ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    return r < 0 ? r : 0;
}

/* ---- joining ---- */

/* The gap that ends right before `run` becomes part of it. */
static int join_before(struct rowlog *l, struct gap *run, struct err *e)
{
    struct gap g;
    uint64_t living;
    int r = find_gap(l, with_rev(l, RL_GAP_BEFORE, run->first), &g, e);

    if (r <= 0 || !g.whole || g.last >= run->first)
        return r < 0 ? r : 0;
    r = next_row(l, g.last, &living, e);
    if (r < 0 || (living && living < run->first))
        return r;
    run->first = g.first;
    run->before = g.before;
    return 0;
}

static int join_after(struct rowlog *l, struct gap *run, struct err *e)
{
    struct gap g;
    uint64_t living;
    int r = find_gap(l, with_rev(l, RL_GAP_AFTER, run->last), &g, e);

    if (r <= 0 || !g.whole || g.first <= run->last)
        return r < 0 ? r : 0;
    r = next_row(l, run->last, &living, e);
    if (r < 0 || (living && living < g.first))
        return r;
    run->last = g.last;
    run->sum = g.sum;
    return 0;
}

static int end_run(struct rowlog *l, struct gap *run, struct err *e)
{
    if (!run->last)
        return 0;
    int r = join_before(l, run, e);
    if (r == 0)
        r = join_after(l, run, e);
    if (r == 0)
        r = drop_gaps(l, run, e);
    return r == 0 ? rowlog_put_gap(l, run, e) : r;
}

/* ---- removing ---- */

/* What the row continues and its sum: 1, or 0 when the row is gone already. */
static int chain_of(struct rowlog *l, uint64_t rev, uint32_t *before, uint32_t *sum, struct err *e)
{
    sqlite3_stmt *st = with_rev(l, RL_CHAIN_OF, rev);
    int r = look(l, st, e);

    if (r > 0) {
        *before = (uint32_t)sqlite3_column_int64(st, 0);
        *sum = (uint32_t)sqlite3_column_int64(st, 1);
    }
    sqlite3_reset(st);
    return r;
}

static int remove_one(struct rowlog *l, struct gap *run, uint64_t rev, struct err *e)
{
    uint32_t before, sum;
    uint64_t next = 0;
    int r = chain_of(l, rev, &before, &sum, e);

    if (r <= 0)
        return r;
    if (run->last)
        r = next_row(l, run->last, &next, e);
    if (r >= 0 && next != rev) {
        r = end_run(l, run, e);
        *run = (struct gap){.first = rev, .before = before};
    }
    run->last = rev;
    run->sum = sum;
    return r < 0 ? r : rowlog_step(l, with_rev(l, RL_REMOVE, rev), e);
}

int rowlog_remove(struct rowlog *l, const uint64_t *revs, size_t n, struct err *e)
{
    struct gap run = {0};
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++)
        r = remove_one(l, &run, revs[i], e);
    return r < 0 ? r : end_run(l, &run, e);
}
