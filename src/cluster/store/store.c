/*
 * The store proper: preconditions, the writes in flight, and what happens when a commit ends.
 *
 * A write is checked against `pending` (the newest version in flight per key) and else the
 * committed index, gets the next revision, and goes to the writer. Finished batches come back to
 * the loop in order: each write becomes visible, is told to watches, and is answered, one after the
 * other. A failed commit empties `pending`: with it fall all writes handed in since, as they may
 * have been checked against what is lost.
 *
 * Superseded rows are dead on disk. A deletion's own row is dead too once a later row exists; the
 * newest row always stays, so that revisions are not used again after a restart.
 */
#include <errno.h>
#include <pthread.h>

#include "base/limits.h"
#include "base/map.h"
#include "cluster/store/hub.h"
#include "cluster/store/index.h"
#include "cluster/store/obj.h"
#include "cluster/store/writer.h"

#define COMPACT_AFTER 20000

struct pending {
    const struct store_obj *obj; /* a reference */
    bool deleted;
};

struct store {
    struct loop *loop;
    struct rowlog *log;
    struct writer *writer;
    struct index *index;
    struct hub *hub;
    struct map *pending; /* key -> struct pending */
    size_t in_flight;
    uint64_t rev;      /* newest committed */
    uint64_t last_rev; /* newest given out */
    rev_vec dead;
    uint64_t tombstone; /* newest row is this deletion's, 0 = is not a deletion */
    int64_t compact_after;
    bool posted; /* drain is on its way: guarded by post_lock */
    bool closed;
    pthread_mutex_t post_lock;
};

static void drain(void *arg);

/* ---- the life of a store ---- */

static void pending_free(void *p)
{
    store_obj_unref(((struct pending *)p)->obj);
    free(p);
}

/* Notes what a row made dead: the version before it, and a deletion that is no longer the newest
 * row. */
static void bury(struct store *s, uint64_t rev, bool deleted, const struct store_obj *old)
{
    if (s->tombstone)
        vec_push(&s->dead, s->tombstone);
    s->tombstone = deleted ? rev : 0;
    if (old)
        vec_push(&s->dead, store_obj_rev(old));
}

static int load_row(void *ctx, const struct row *row, struct err *e)
{
    struct store *s = ctx;
    _cleanup_obj_ const struct store_obj *old = NULL, *obj = NULL;

    if (!index_key_ok(row->key))
        return err_set(
            e, -EIO,
            "row %llu has the key \"%s\", which is none; the database is damaged, restore a backup "
            "of it",
            (unsigned long long)row->rev, row->key);
    if (row->deleted) {
        old = index_remove(s->index, row->key);
    } else {
        obj = store_obj_new(row->key, strlen(row->key), row->rev, row->bytes.p, row->bytes.n);
        old = index_put(s->index, obj);
    }
    bury(s, row->rev, row->deleted, old);
    s->rev = s->last_rev = row->rev;
    return 0;
}

/* On the writer's thread: brings the loop to take what is finished. One call is on its way at most.
 */
static void on_writer_done(void *ctx)
{
    struct store *s = ctx;

    pthread_mutex_lock(&s->post_lock);
    if (!s->posted)
        s->posted = loop_post(s->loop, drain, s) == 0;
    pthread_mutex_unlock(&s->post_lock);
}

static void store_free(struct store *s)
{
    rowlog_close(s->log);
    index_free(s->index);
    hub_free(s->hub);
    map_free(s->pending);
    vec_done(&s->dead);
    pthread_mutex_destroy(&s->post_lock);
    free(s);
}

static int start(struct store *s, const struct store_opts *o, struct err *e)
{
    s->log = rowlog_open(o->path, e);
    if (!s->log)
        return -EIO;
    if (rowlog_each(s->log, load_row, s, e) < 0) {
        err_prefix(e, "cannot load the state from %s", o->path);
        return -EIO;
    }
    s->hub = hub_new(s->rev, o->history ? o->history : LIMIT_WATCH_HISTORY);
    s->writer = writer_start(s->log, on_writer_done, s, e);
    return s->writer ? 0 : -EIO;
}

struct store *store_open(struct loop *l, const struct store_opts *o, struct err *e)
{
    struct store *s = xnew(struct store);

    s->loop = l;
    s->index = index_new();
    s->pending = map_new(pending_free);
    s->compact_after = o->compact_after ? o->compact_after : COMPACT_AFTER;
    pthread_mutex_init(&s->post_lock, NULL);
    if (start(s, o, e) == 0)
        return s;
    store_free(s);
    return NULL;
}

/* ---- reading ---- */

uint64_t store_rev(const struct store *s)
{
    return s->rev;
}

uint64_t store_compacted_rev(const struct store *s)
{
    return hub_compacted(s->hub);
}

const struct store_obj *store_get(const struct store *s, const char *key)
{
    return index_get(s->index, key);
}

const struct store_obj *store_get_latest(const struct store *s, const char *key,
                                         bool *ret_in_flight)
{
    const struct pending *p = map_get(s->pending, key);

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
    if (s->in_flight >= LIMIT_STORE_IN_FLIGHT)
        return err_set(e, -EAGAIN,
                       "cannot save %s: %d writes wait for the disk already; try again later", key,
                       LIMIT_STORE_IN_FLIGHT);
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

static const struct store_obj *make_version(struct store *s, const char *key, store_make_fn *make,
                                            void *ctx, struct err *e)
{
    size_t n = 0;
    uint64_t rev = s->last_rev + 1;
    _cleanup_free_ char *bytes = make(ctx, rev, &n);

    if (n > LIMIT_OBJECT) {
        err_set(e, -E2BIG, "cannot save %s: it has %zu bytes, and an object may have %d", key, n,
                LIMIT_OBJECT);
        return NULL;
    }
    s->last_rev = rev;
    return store_obj_new(key, strlen(key), rev, bytes, n);
}

static int submit(struct store *s, const char *key, bool deleted, store_make_fn *make,
                  void *make_ctx, store_done_fn *done, void *ctx, struct err *e)
{
    const struct store_obj *obj = make_version(s, key, make, make_ctx, e);

    if (!obj)
        return -E2BIG;
    struct pending *p = xnew(struct pending);
    *p = (struct pending){store_obj_ref(obj), deleted};
    map_set(s->pending, key, p);
    s->in_flight++;
    writer_submit(s->writer, &(struct write){obj, deleted, done, ctx});
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

/* ---- the end of commits ---- */

static void settle(struct store *s, const struct write *w)
{
    const char *key = store_obj_key(w->obj);
    const struct pending *p = map_get(s->pending, key);

    if (p && p->obj == w->obj)
        map_del(s->pending, key);
    s->in_flight--;
}

static void succeed(struct store *s, const struct write *w)
{
    const char *key = store_obj_key(w->obj);
    _cleanup_obj_ const struct store_obj *old = NULL;

    old = w->deleted ? index_remove(s->index, key) : index_put(s->index, w->obj);
    s->rev = store_obj_rev(w->obj);
    bury(s, s->rev, w->deleted, old);
    settle(s, w);
    hub_publish(s->hub,
                w->deleted ? STORE_DELETED
                : old      ? STORE_MODIFIED
                           : STORE_ADDED,
                w->obj, old);
    w->done(w->ctx, NULL, w->obj);
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
static void fail_all(struct store *s, write_vec writes, const struct err *why)
{
    s->in_flight -= writes.n;
    for (size_t i = 0; i < writes.n; i++)
        fail_one(&writes.p[i], why);
    vec_done(&writes);
}

static void fail_batch(struct store *s, struct batch *b)
{
    write_vec lost = b->writes, later = writer_reset(s->writer);
    struct err why = b->err;

    b->writes = (write_vec){0};
    map_clear(s->pending);
    fail_all(s, lost, &why);
    fail_all(s, later, &why);
}

static void finish(struct store *s, struct batch *b)
{
    if (b->result < 0) {
        fail_batch(s, b);
    } else {
        for (size_t i = 0; i < b->writes.n; i++)
            succeed(s, &b->writes.p[i]);
    }
    batch_free(b);
}

static void compact_if_due(struct store *s)
{
    if (s->closed || (int64_t)s->dead.n < s->compact_after || !writer_compacted(s->writer))
        return;
    writer_compact(s->writer, s->dead);
    s->dead = (rev_vec){0};
}

static void take_finished(struct store *s)
{
    batch_vec batches = writer_take_finished(s->writer);

    for (size_t i = 0; i < batches.n; i++)
        finish(s, batches.p[i]);
    vec_done(&batches);
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
    take_finished(s);
    compact_if_due(s);
}

void store_close(struct store *s)
{
    struct err why = {0};

    if (!s)
        return;
    s->closed = true;
    writer_stop(s->writer);
    take_finished(s);
    write_vec rest = writer_reset(s->writer);
    map_clear(s->pending);
    err_set(&why, -ESHUTDOWN, "the store is closing");
    fail_all(s, rest, &why);
    writer_free(s->writer);
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
