/* Nothing is changed before all is known: a start that is refused leaves the files as they were. */
#include "cluster/store/load.h"

#include <errno.h>
#include <inttypes.h>

#include "base/mem.h"

void load_done(struct load *ld)
{
    verifier_done(&ld->v);
    free(ld->marker_says);
}

/* ---- what is gone ---- */

static int missing(const struct load *ld, struct err *e)
{
    for (size_t i = 0; i < ld->v.damages.n; i++) {
        const struct damage *d = &ld->v.damages.p[i];
        if (d->kind != DAMAGE_MISSING)
            continue;
        _cleanup_free_ char *text = damage_text(d);
        return err_set(e, -EUCLEAN,
                       "the database %s is damaged: %s, which were acknowledged; restore a backup "
                       "of it, or accept the loss",
                       rowlog_path(ld->v.log), text);
    }
    return 0;
}

static int replaced(const struct load *ld, const struct mark *m, struct err *e)
{
    return err_set(e, -EUCLEAN,
                   "the database %s is not the one in which revision %" PRIu64 " was acknowledged, "
                   "as %s-acked says: another was put in its place; put the right one there, or "
                   "accept the loss",
                   rowlog_path(ld->v.log), m->rev, rowlog_path(ld->v.log));
}

static int compare(const struct load *ld, const struct mark *m, const struct mark *own,
                   struct err *e)
{
    const struct verifier *v = &ld->v;

    if (memcmp(m->db, own->db, MARK_ID) != 0)
        return replaced(ld, m, e);
    if (m->rev > v->tail)
        return err_set(e, -EUCLEAN,
                       "the database %s ends at revision %" PRIu64 ", but writes up to revision "
                       "%" PRIu64 " were acknowledged: its log %s-wal is damaged, cut or gone, or "
                       "an old copy was put back; restore a newer backup, or accept the loss",
                       rowlog_path(v->log), v->tail, m->rev, rowlog_path(v->log));
    if (v->seen && !v->in_gap && v->seen_sum != m->sum)
        return replaced(ld, m, e);
    return 0;
}

static int check_marker(struct load *ld, const struct mark *own, enum mark_state state,
                        const struct mark *m, struct err *e)
{
    const char *path = rowlog_path(ld->v.log);

    if (state == MARK_WHOLE)
        return compare(ld, m, own, e);
    if (state == MARK_TORN) {
        ld->marker_says = xasprintf("%s-acked is damaged in one of its two halves; it was written "
                                    "anew",
                                    path);
        return compare(ld, m, own, e);
    }
    if (ld->v.at && !rowlog_is_new(ld->v.log))
        ld->marker_says = xasprintf("%s-acked is %s, so whether the newest writes are all there "
                                    "cannot be told; it was written anew",
                                    path, state == MARK_NONE ? "gone" : "damaged");
    return 0;
}

/* ---- making it whole ---- */

static int set_aside(struct rowlog *l, const struct damage *d, struct err *e)
{
    if (d->kind == DAMAGE_RECORD)
        return rowlog_drop_gap(l, d->first, e);
    if (d->kind == DAMAGE_MISSING)
        return 0;
    int r = rowlog_quarantine(l, d->first, "it does not fit its checksum", e);
    return r == 0 && d->superseded ? rowlog_settle(l, d->first, e) : r;
}

static int repair_all(struct load *ld, struct rowlog *l, struct err *e)
{
    int r = 0;

    for (size_t i = 0; i < ld->v.damages.n && r == 0; i++)
        r = set_aside(l, &ld->v.damages.p[i], e);
    for (size_t i = 0; i < ld->v.repairs.n && r == 0; i++)
        r = rowlog_put_gap(l, &ld->v.repairs.p[i], e);
    return r;
}

static int repair(struct load *ld, struct rowlog *l, struct err *e)
{
    if (ld->v.damages.n == 0)
        return 0;
    int r = rowlog_begin(l, e);
    if (r < 0)
        return r;
    r = repair_all(ld, l, e);
    if (r == 0)
        r = rowlog_commit(l, e);
    if (r < 0)
        rowlog_rollback(l);
    return r;
}

static uint64_t max_rev(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool says_so_already(const struct load *ld, enum mark_state state, const struct mark *m,
                            const struct mark *own)
{
    return state == MARK_WHOLE && memcmp(m->db, own->db, MARK_ID) == 0 && m->rev == ld->v.at &&
           m->sum == ld->v.sum && (m->rev == ld->rev || m->floor == ld->rev);
}

int load_log(struct load *ld, struct rowlog *l, bool accept_loss, verify_row_fn *fn, void *ctx,
             struct err *e)
{
    struct mark m = {0}, own = rowlog_own_mark(l);
    enum mark_state state = rowlog_mark(l, &m);

    *ld = (struct load){.v = {.log = l, .want = m.rev}};
    int r = verifier_walk(&ld->v, SIZE_MAX, SIZE_MAX, fn, ctx, e);
    if (r == 0)
        r = missing(ld, e);
    if (r == 0)
        r = check_marker(ld, &own, state, &m, e);
    if (r == -EUCLEAN && accept_loss)
        r = 0;
    if (r < 0)
        return r;
    ld->rev = max_rev(ld->v.tail, max_rev(m.rev, m.floor));
    rowlog_continue(l, ld->v.at, ld->v.sum);
    rowlog_set_floor(l, ld->rev);
    r = repair(ld, l, e);
    if (r == 0 && says_so_already(ld, state, &m, &own))
        return 0; /* nor does a start have to wait for the disk */
    if (r == 0)
        r = rowlog_write_mark(l, e);
    return r < 0 ? r : rowlog_sync_mark(l, e);
}
