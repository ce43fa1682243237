/*
 * The store proper: preconditions, the writes in flight, and what happens when a commit ends.
 *
 * A write is checked against `pending` (the newest version in flight per key) and else the
 * committed index, gets the next revision, and goes to the writer. Finished batches come back to
 * the loop in order: each write becomes visible, is told to watches, and is answered, one after the
 * other. A failed commit empties `pending`: with it fall all writes handed in since, as they may
 * have been checked against what is lost.
 *
 * A superseded row, and a deletion's own, is dead on disk once history has forgotten its event; the
 * newest row always stays, since the chain goes on from there.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cluster/store/limits.h"
#include "cluster/store/store_impl.h"

void store_free(struct store *s)
{
    rowlog_close(s->log);
    index_free(s->index);
    hub_free(s->hub);
    damaged_free(s->damaged);
    map_free(s->pending);
    vec_done(&s->dead);
    pthread_mutex_destroy(&s->post_lock);
    free(s);
}

/* ---- reading ---- */

uint64_t store_rev(const struct store *s)
{
    return s->rev;
}

uint64_t store_compacted_rev(const struct store *s, const char *prefix)
{
    return hub_compacted(s->hub, prefix);
}

int store_health(const struct store *s, int64_t *ret_since_ns, struct err *e)
{
    if (!s->broken.code)
        return writer_marker_error(s->writer, e);
    if (ret_since_ns)
        *ret_since_ns = s->broken_since;
    if (e)
        *e = s->broken;
    return s->broken.code;
}

int store_damaged(const struct store *s, const char *key, struct err *e)
{
    uint64_t rev = damaged_rev(s->damaged, key);

    if (!rev)
        return 0;
    return err_set(
        e, -EUCLEAN,
        "%s cannot be read: its revision %llu is damaged on disk; delete it by its name, "
        "or create it again",
        key, (unsigned long long)rev);
}

size_t store_each_damaged(const struct store *s,
                          void (*fn)(void *ctx, const char *key, uint64_t rev), void *ctx)
{
    return damaged_each(s->damaged, fn, ctx);
}

const struct store_obj *store_get(const struct store *s, const char *key)
{
    return index_get(s->index, key);
}

const struct store_obj *store_get_latest(const struct store *s, const char *key,
                                         bool *ret_in_flight)
{
    const struct store_pending *p = map_get(s->pending, key);

    if (ret_in_flight)
        *ret_in_flight = p != NULL;
    if (p)
        return p->deleted ? NULL : p->obj;
    return index_get(s->index, key);
}

int store_each_after(const struct store *s, const char *prefix, const char *after,
                     int (*fn)(void *ctx, const struct store_obj *o), void *ctx)
{
    return index_each(s->index, prefix, after, fn, ctx);
}

int store_each(const struct store *s, const char *prefix,
               int (*fn)(void *ctx, const struct store_obj *o), void *ctx)
{
    return index_each(s->index, prefix, NULL, fn, ctx);
}

size_t store_count(const struct store *s, const char *prefix)
{
    return index_count(s->index, prefix);
}

struct store_watch *store_watch_start(struct store *s, const char *prefix, uint64_t from,
                                      store_watch_fn *fn, void *ctx, struct err *e)
{
    return hub_watch(s->hub, prefix, from, fn, ctx, e);
}

/* ---- writing ---- */

static int check_admission(const struct store *s, const char *key, struct err *e)
{
    if (s->closed)
        return err_set(e, -ESHUTDOWN, "cannot save %s: the store is closing", key);
    if (s->in_flight >= LIMIT_STORE_WRITES || s->in_flight_bytes >= LIMIT_STORE_WRITE_BYTES)
        return err_set(e, -EAGAIN,
                       "cannot save %s: %zu writes of %zu bytes wait for the disk already; try "
                       "again later",
                       key, s->in_flight, s->in_flight_bytes);
    if (!index_key_ok(key))
        return err_set(e, -EINVAL, "\"%s\" is not a key of the form GROUP/PLURAL/NAMESPACE/NAME",
                       key);
    return 0;
}

/* any: a deletion without an expected revision takes whatever is there. */
static int check_expected(const struct store *s, const char *key, uint64_t expect, bool any,
                          struct err *e)
{
    const struct store_obj *latest = store_get_latest(s, key, NULL);

    if (!latest)
        return expect || any ? err_set(e, -ENOENT, "%s does not exist", key) : 0;
    if (any)
        return 0;
    if (expect == 0)
        return err_set(e, -EEXIST, "%s already exists", key);
    if (store_obj_rev(latest) != expect)
        return err_set(e, -ESTALE, "%s was changed: it has revision %llu, not %llu; read it again",
                       key, (unsigned long long)store_obj_rev(latest), (unsigned long long)expect);
    return 0;
}

static int make_version(struct store *s, const char *key, store_make_fn *make, void *ctx,
                        const struct store_obj **ret, struct err *e)
{
    size_t n = 0;
    uint64_t rev = s->last_rev + 1;
    _cleanup_free_ char *bytes = make(ctx, rev, &n);

    if (!bytes || n == 0)
        return err_set(e, -EINVAL, "cannot save %s: no text of it could be made", key);
    if (n > LIMIT_OBJECT)
        return err_set(e, -E2BIG, "cannot save %s: it has %zu bytes, and an object may have %d",
                       key, n, LIMIT_OBJECT);
    s->last_rev = rev;
    *ret = store_obj_new(key, strlen(key), rev, bytes, n);
    return 0;
}

static void hand_over(struct store *s, const struct write *w)
{
    s->in_flight++;
    s->in_flight_bytes += store_obj_bytes(w->obj).n;
    writer_submit(s->writer, w);
}

static int submit(struct store *s, const char *key, bool deleted, store_make_fn *make,
                  void *make_ctx, store_done_fn *done, void *ctx, struct err *e)
{
    const struct store_obj *latest = store_get_latest(s, key, NULL), *obj = NULL;
    uint64_t prev = latest ? store_obj_rev(latest) : 0;
    int r = make_version(s, key, make, make_ctx, &obj, e);

    if (r < 0)
        return r;
    struct store_pending *p = xnew(struct store_pending);
    *p = (struct store_pending){store_obj_ref(obj), deleted};
    map_set(s->pending, key, p);
    hand_over(s, &(struct write){obj, deleted, prev, damaged_rev(s->damaged, key), done, ctx});
    return 0;
}

int store_put(struct store *s, const char *key, uint64_t expect_rev, store_make_fn *make,
              void *make_ctx, store_done_fn *done, void *ctx, struct err *e)
{
    int r = check_admission(s, key, e);

    if (r == 0)
        r = check_expected(s, key, expect_rev, false, e);
    return r < 0 ? r : submit(s, key, false, make, make_ctx, done, ctx, e);
}

int store_delete(struct store *s, const char *key, uint64_t expect_rev, store_make_fn *make,
                 void *make_ctx, store_done_fn *done, void *ctx, struct err *e)
{
    int r = check_admission(s, key, e);

    if (r == 0)
        r = check_expected(s, key, expect_rev, expect_rev == 0, e);
    return r < 0 ? r : submit(s, key, true, make, make_ctx, done, ctx, e);
}

int store_discard(struct store *s, const char *key, store_done_fn *done, void *ctx, struct err *e)
{
    int r = check_admission(s, key, e);
    uint64_t rev = damaged_rev(s->damaged, key);

    if (r < 0)
        return r;
    if (!rev)
        return err_set(e, -ENOENT, "%s is not damaged", key);
    /* Its older versions, which may lie in the log still, must not come back. */
    const struct store_obj *obj = store_obj_new(key, strlen(key), ++s->last_rev, NULL, 0);
    hand_over(s, &(struct write){obj, true, ROW_PREV_UNKNOWN, rev, done, ctx});
    return 0;
}

/* ---- the end of commits ---- */

static void settle(struct store *s, const struct write *w)
{
    const char *key = store_obj_key(w->obj);
    const struct store_pending *p = map_get(s->pending, key);

    if (w->settles)
        damaged_settle(s->damaged, w->settles);
    s->in_flight--;
    s->in_flight_bytes -= store_obj_bytes(w->obj).n;
    if (p && p->obj == w->obj)
        map_del(s->pending, key);
}

static void publish(struct store *s, const struct write *w)
{
    const char *key = store_obj_key(w->obj);
    _cleanup_obj_ const struct store_obj *old = NULL;

    assert(store_obj_rev(w->obj) > s->rev);
    old = w->deleted ? index_remove(s->index, key) : index_put(s->index, w->obj);
    assert((old ? store_obj_rev(old) : 0) == w->prev);
    s->rev = store_obj_rev(w->obj);
    hub_publish(s->hub,
                w->deleted ? STORE_DELETED
                : old      ? STORE_MODIFIED
                           : STORE_ADDED,
                w->obj, old);
}

/* Nobody has seen the object since it was left out, so there is nothing to tell. */
static void publish_discard(struct store *s, const struct write *w)
{
    const char *key = store_obj_key(w->obj);

    s->rev = store_obj_rev(w->obj);
    hub_begin(s->hub, key, index_head_len(key), s->rev);
}

static void succeed(struct store *s, const struct write *w)
{
    bool discard = w->prev == ROW_PREV_UNKNOWN;

    settle(s, w);
    if (discard)
        publish_discard(s, w);
    else
        publish(s, w);
    w->done(w->ctx, NULL, discard ? NULL : w->obj);
}

static void fail_one(const struct write *w, const struct err *why)
{
    struct err e = *why;

    err_prefix(&e, "cannot save %s", store_obj_key(w->obj));
    w->done(w->ctx, &e, NULL);
    store_obj_unref(w->obj);
}

/* Takes the writes. State first, callbacks after: they may write again, against what is committed.
 */
void store_fail_all(struct store *s, write_vec writes, const struct err *why)
{
    for (size_t i = 0; i < writes.n; i++)
        s->in_flight_bytes -= store_obj_bytes(writes.p[i].obj).n;
    s->in_flight -= writes.n;
    for (size_t i = 0; i < writes.n; i++)
        fail_one(&writes.p[i], why);
    vec_done(&writes);
}

/* After a first failure SQLite and the system find other words for the same, which mislead: the
 * first is the cause. */
static void note_broken(struct store *s, const struct err *why)
{
    if (s->broken.code && why->code == -EIO)
        return;
    if (!s->broken.code)
        s->broken_since = loop_now_ns(s->loop);
    s->broken = *why;
}

static void fail_batch(struct store *s, struct batch *b)
{
    write_vec lost = b->writes, later = writer_reset(s->writer);

    note_broken(s, &b->err);
    struct err why = s->broken;
    b->writes = (write_vec){0};
    map_clear(s->pending);
    store_fail_all(s, lost, &why);
    store_fail_all(s, later, &why);
}

static void finish(struct store *s, struct batch *b)
{
    if (b->result < 0) {
        fail_batch(s, b);
    } else {
        s->broken.code = 0;
        for (size_t i = 0; i < b->writes.n; i++)
            succeed(s, &b->writes.p[i]);
    }
    batch_free(b);
}

void store_take_finished(struct store *s)
{
    batch_vec batches = writer_take_finished(s->writer);

    for (size_t i = 0; i < batches.n; i++)
        finish(s, batches.p[i]);
    vec_done(&batches);
}

/* ---- compaction and care ---- */

static int by_rev(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void note_cut(void *ctx, const char *head, uint64_t rev)
{
    cut_vec *cuts = ctx;
    struct history_cut c = {xstrdup(head), rev};

    vec_push(cuts, c);
}

/* Sorted, so that neighbours are removed as one. */
static void compact_if_due(struct store *s)
{
    cut_vec cuts = {0};
    rev_vec rows = s->dead;

    if (s->closed || (int64_t)rows.n < s->compact_after || !writer_compacted(s->writer))
        return;
    qsort(rows.p, rows.n, sizeof(*rows.p), by_rev);
    s->dead = (rev_vec){0};
    if (rows.p[rows.n - 1] == s->rev)
        vec_push(&s->dead, rows.p[--rows.n]);
    hub_each_cut(s->hub, note_cut, &cuts);
    if (rows.n) {
        writer_compact(s->writer, rows, cuts);
    } else {
        vec_done(&rows);
        cut_vec_done(&cuts);
    }
}

static void tell_damage(struct store *s)
{
    text_vec texts = writer_take_damage(s->writer);

    for (size_t i = 0; i < texts.n; i++) {
        _cleanup_free_ char *what =
            xasprintf("the database %s: %s", rowlog_path(s->log), texts.p[i]);
        if (s->on_damage)
            s->on_damage(s->damage_ctx, what);
        free(texts.p[i]);
    }
    vec_done(&texts);
}

static void drain(void *arg)
{
    struct store *s = arg;

    pthread_mutex_lock(&s->post_lock);
    s->posted = false;
    pthread_mutex_unlock(&s->post_lock);
    if (s->closed) {
        store_free(s);
        return;
    }
    hub_trim(s->hub);
    store_take_finished(s);
    tell_damage(s);
    compact_if_due(s);
}

void store_on_writer_done(void *ctx)
{
    struct store *s = ctx;

    pthread_mutex_lock(&s->post_lock);
    if (!s->posted)
        s->posted = loop_post(s->loop, drain, s) == 0;
    pthread_mutex_unlock(&s->post_lock);
}
