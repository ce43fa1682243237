/*
 * Opening: the log's rows become state and history, as if they had been written just now, so that
 * watches go on over a restart. An event whose version before is not in the log any more cannot be
 * told as it was; the history of its kind begins behind it. When anything was damaged, all history
 * begins anew, and whoever watched lists again.
 */
#include <errno.h>
#include <inttypes.h>

#include "cluster/store/limits.h"
#include "cluster/store/load.h"
#include "cluster/store/store_impl.h"

#define COMPACT_AFTER 20000
#define VERIFY_MS     (6 * 3600 * 1000)

static void pending_free(void *p)
{
    store_obj_unref(((struct store_pending *)p)->obj);
    free(p);
}

static void bury(void *ctx, uint64_t rev)
{
    struct store *s = ctx;

    vec_push(&s->dead, rev);
}

/* ---- rows ---- */

/* The event as watches would have seen it, if that can be told. */
static void remember(struct store *s, const struct row *row, const struct store_obj *obj,
                     const struct store_obj *old)
{
    uint64_t prev = old ? store_obj_rev(old) : 0;
    bool told = row->prev == prev && (!row->deleted || row->bytes.n) &&
                row->rev > hub_compacted(s->hub, row->key);

    if (told) {
        hub_publish(s->hub,
                    row->deleted ? STORE_DELETED
                    : old        ? STORE_MODIFIED
                                 : STORE_ADDED,
                    obj, old);
    } else {
        hub_begin(s->hub, row->key, index_head_len(row->key), row->rev);
        if (old)
            bury(s, prev);
        if (row->deleted)
            bury(s, row->rev);
    }
    hub_trim(s->hub);
}

static int load_row(void *ctx, const struct row *row, struct err *e)
{
    struct store *s = ctx;
    _cleanup_obj_ const struct store_obj *old = NULL, *obj = NULL;

    if (!index_key_ok(row->key))
        return err_set(e, -EIO,
                       "row %" PRIu64 " has the key \"%s\", which is none; the database is "
                       "damaged, restore a backup of it",
                       row->rev, row->key);
    obj = store_obj_new(row->key, strlen(row->key), row->rev, row->bytes.p, row->bytes.n);
    old = row->deleted ? index_remove(s->index, row->key) : index_put(s->index, obj);
    remember(s, row, obj, old);
    return 0;
}

static void begin_history(void *ctx, const char *head, uint64_t rev)
{
    struct store *s = ctx;

    hub_begin(s->hub, head, strlen(head), rev);
}

/* ---- what cannot be read ---- */

struct stale {
    uint64_t rev;
    char *key;
};

static int find_rev(void *ctx, const struct store_obj *o)
{
    struct stale *st = ctx;

    if (store_obj_rev(o) != st->rev)
        return 0;
    st->key = xstrdup(store_obj_key(o));
    return 1;
}

/* Nothing older is served in its place, under whichever name it is known: its key as it can be
 * read, or that of the version that it superseded. */
static void leave_out(struct store *s, const char *key, uint64_t rev)
{
    const struct store_obj *o = index_get(s->index, key);

    if (o && store_obj_rev(o) > rev)
        return; /* written again since */
    if (o)
        store_obj_unref(index_remove(s->index, key));
    damaged_add(s->damaged, key, rev);
}

static void on_quarantined(void *ctx, const struct row *row, const char *why)
{
    struct store *s = ctx;
    struct stale st = {row->prev, NULL};

    leave_out(s, row->key, row->rev);
    if (row->prev && row->prev != ROW_PREV_UNKNOWN)
        index_each(s->index, "", NULL, find_rev, &st);
    if (st.key)
        leave_out(s, st.key, row->rev);
    free(st.key);
}

static void tell(struct store *s, const char *what, const char *more)
{
    _cleanup_free_ char *text = xasprintf("the database %s: %s%s", rowlog_path(s->log), what, more);

    if (s->on_damage)
        s->on_damage(s->damage_ctx, text);
}

static void tell_all(struct store *s, const struct load *ld)
{
    if (ld->marker_says && s->on_damage)
        s->on_damage(s->damage_ctx, ld->marker_says);
    for (size_t i = 0; i < ld->v.damages.n; i++) {
        const struct damage *d = &ld->v.damages.p[i];
        _cleanup_free_ char *text = damage_text(d);
        tell(s, text, d->kind == DAMAGE_ROW ? "; its bytes are in the table quarantine" : "");
    }
}

static void tell_left_out(void *ctx, const char *key, uint64_t rev)
{
    _cleanup_free_ char *text =
        xasprintf("%s is left out since its revision %" PRIu64 " cannot be read; delete it by its "
                  "name, or create it again",
                  key, rev);

    tell(ctx, text, "");
}

/* ---- opening ---- */

static int load(struct store *s, const struct store_opts *o, struct err *e)
{
    struct load ld;
    bool whole;

    if (rowlog_each_compacted(s->log, begin_history, s, &whole, e) < 0)
        return -EIO;
    int r = load_log(&ld, s->log, o->accept_loss, load_row, s, e);
    if (r == 0)
        r = rowlog_each_quarantined(s->log, on_quarantined, s, e);
    if (r == 0) {
        s->rev = s->last_rev = ld.rev;
        if (!whole || ld.v.damages.n || ld.rev != ld.v.at)
            hub_begin_all(s->hub, ld.rev);
        tell_all(s, &ld);
        damaged_each(s->damaged, tell_left_out, s);
    }
    load_done(&ld);
    return r;
}

static int start(struct store *s, const struct store_opts *o, struct err *e)
{
    struct rowlog_opts ro = {o->path, o->expect_data, o->accept_loss, o->readable};
    int64_t every = o->verify_ms ? o->verify_ms : VERIFY_MS;

    s->log = rowlog_open(&ro, e);
    if (!s->log)
        return -EIO;
    if (load(s, o, e) < 0) {
        err_prefix(e, "cannot load the state from %s", o->path);
        return -EIO;
    }
    s->writer = writer_start(s->log, every, store_on_writer_done, s, e);
    return s->writer ? 0 : -EIO;
}

struct store *store_open(struct loop *l, const struct store_opts *o, struct err *e)
{
    struct store *s = xnew(struct store);

    s->loop = l;
    s->index = index_new();
    s->damaged = damaged_new();
    s->pending = map_new(pending_free);
    s->hub = hub_new(o->history ? o->history : LIMIT_HISTORY_EVENTS, bury, s);
    s->compact_after = o->compact_after ? o->compact_after : COMPACT_AFTER;
    s->on_damage = o->on_damage;
    s->damage_ctx = o->damage_ctx;
    pthread_mutex_init(&s->post_lock, NULL);
    if (start(s, o, e) == 0)
        return s;
    store_free(s);
    return NULL;
}

void store_close(struct store *s)
{
    struct err why = {0};

    if (!s)
        return;
    s->closed = true;
    writer_stop(s->writer);
    store_take_finished(s);
    write_vec rest = writer_reset(s->writer);
    map_clear(s->pending);
    err_set(&why, -ESHUTDOWN, "the store is closing");
    store_fail_all(s, rest, &why);
    writer_free(s->writer);
    s->writer = NULL;
    /* A call that is on its way to the loop frees what it will look at. */
    pthread_mutex_lock(&s->post_lock);
    bool posted = s->posted;
    pthread_mutex_unlock(&s->post_lock);
    if (!posted) {
        store_free(s);
    } else {
        rowlog_close(s->log);
        s->log = NULL;
    }
}
