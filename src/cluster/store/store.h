/*
 * The durable object store: SQLite (WAL, synchronous=FULL), one append-only table whose row id is
 * the resourceVersion, group commit by one writer thread, current state in memory as serialized
 * bytes, watch hub with bounded history per kind, which a restart finds again.
 *
 * It never lies: what it serves is what was acknowledged. Rows carry checksums and are a chain, and
 * how far it went is known outside the database (rowlog.h, marker.h). A row that is damaged is
 * named, put aside with its bytes, and its object left out; acknowledged writes that are gone are
 * an error of opening (-EUCLEAN), until somebody accepts the loss.
 *
 * Threads: all calls on the owner loop; the writer thread is inside. A write is checked against the
 * newest state (committed or in flight) at the call, so preconditions are exact; it becomes
 * readable and visible to watches, and its callback runs, only after the commit is on disk. If a
 * commit fails (disk full, I/O error), every write in flight fails with the reason, nothing of them
 * becomes visible, and later writes are tried again. Only if the process ends between a sync that
 * failed and the next write may a write that failed turn out to be there.
 *
 * Keys: "GROUP/PLURAL/NAMESPACE/NAME" (namespace empty for cluster-scoped; group empty for core).
 */
#ifndef NONAGON_CLUSTER_STORE_H
#define NONAGON_CLUSTER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "net/loop.h"

struct store;
struct store_opts {
    const char *path;      /* the database file; its directory must exist */
    size_t history;        /* events of one kind, 0 = LIMIT_HISTORY_EVENTS */
    int64_t compact_after; /* rows of dead history that start a compaction; 0 = 20000 */
    bool expect_data;      /* others know that there was data: an empty database is a loss */
    bool accept_loss;      /* go on without acknowledged writes that are gone */
    /* Rows of a database without checksums are kept only if this takes them; NULL = any that is not
     * empty. */
    bool (*readable)(struct str bytes);
    int64_t verify_ms; /* how often what is on disk is checked again; 0 = six hours, < 0 = never */
    /* Told what is found damaged, at opening and later, as a sentence; on the loop. */
    void (*on_damage)(void *ctx, const char *what);
    void *damage_ctx;
};
struct store *store_open(struct loop *l, const struct store_opts *o, struct err *e);
/* Waits for the writer; callbacks of unfinished writes run with an error. Stop all watches before.
 */
void store_close(struct store *s);

/* One version of an object. Immutable, reference-counted (atomic). */
struct store_obj;
struct store_obj *store_obj_ref(const struct store_obj *o);
void store_obj_unref(const struct store_obj *o);
const char *store_obj_key(const struct store_obj *o);
uint64_t store_obj_rev(const struct store_obj *o);     /* resourceVersion */
struct str store_obj_bytes(const struct store_obj *o); /* as written, with metadata.resourceVersion
                                                          as the writer left it */

uint64_t store_rev(const struct store *s); /* newest committed */
/* Watches of the prefix must start at or after this. */
uint64_t store_compacted_rev(const struct store *s, const char *prefix);

/*
 * Whether writes work: 0, or why they do not, with the first cause and since when (monotonic; an
 * object of NULL is accepted). -ENOSPC goes by itself when there is space.
 */
int store_health(const struct store *s, int64_t *ret_since_ns, struct err *e);

/* ---- damage ---- */
/* 0, or -EUCLEAN and why: the newest version of the object cannot be read. It counts as absent: it
 * can be put anew, and forgotten by store_discard. */
int store_damaged(const struct store *s, const char *key, struct err *e);
/* Their number; fn (may be NULL) gets each, with the revision of what cannot be read. */
size_t store_each_damaged(const struct store *s,
                          void (*fn)(void *ctx, const char *key, uint64_t rev), void *ctx);

/* Committed state; borrowed until the next turn of the loop, NULL when absent. */
const struct store_obj *store_get(const struct store *s, const char *key);
/* The newest version, in flight included (*ret_in_flight says which); NULL when absent or being
 * deleted. */
const struct store_obj *store_get_latest(const struct store *s, const char *key,
                                         bool *ret_in_flight);
/* Committed objects whose key starts with prefix, in key order; stops on nonzero. */
int store_each(const struct store *s, const char *prefix,
               int (*fn)(void *ctx, const struct store_obj *o), void *ctx);
/* As above, starting behind `after` (a key, or NULL). */
int store_each_after(const struct store *s, const char *prefix, const char *after,
                     int (*fn)(void *ctx, const struct store_obj *o), void *ctx);
size_t store_count(const struct store *s, const char *prefix);

/*
 * Puts. expect_rev: 0 = must not exist (-EEXIST), otherwise the newest version must have it
 * (-ESTALE, or -ENOENT when gone). `make` is called at once with the revision that the write gets,
 * to produce the bytes (so that metadata.resourceVersion can be in them); it returns malloc'ed
 * bytes, or NULL when it cannot (-EINVAL, as for no bytes at all). Too much in flight is -EAGAIN.
 * These errors are returned at once, nothing is written, and done is not called. Otherwise done is
 * called exactly once, later: err NULL on success, obj borrowed.
 */
typedef char *store_make_fn(void *ctx, uint64_t rev, size_t *ret_n);
typedef void store_done_fn(void *ctx, const struct err *err, const struct store_obj *obj);
int store_put(struct store *s, const char *key, uint64_t expect_rev, store_make_fn *make,
              void *make_ctx, store_done_fn *done, void *ctx, struct err *e);
/* Deletes; expect_rev 0 takes whatever is there. `make` produces the last state of the object as
 * watchers see it. */
int store_delete(struct store *s, const char *key, uint64_t expect_rev, store_make_fn *make,
                 void *make_ctx, store_done_fn *done, void *ctx, struct err *e);
/* Forgets that the object was damaged, so that it is simply absent; -ENOENT when it is not. done is
 * called with no object. */
int store_discard(struct store *s, const char *key, store_done_fn *done, void *ctx, struct err *e);

/* ---- watch ---- */
enum store_event { STORE_ADDED, STORE_MODIFIED, STORE_DELETED };
/* prev: the version before (NULL for ADDED), so that selectors can tell entering from leaving.
 * Borrowed. */
typedef void store_watch_fn(void *ctx, enum store_event ev, const struct store_obj *obj,
                            const struct store_obj *prev);
struct store_watch;
/*
 * Delivers every committed change of keys with the prefix after revision `from`, in order, none
 * twice: first the history (before this call returns), then as they commit. -ESTALE ("compacted")
 * if `from` is too old.
 */
struct store_watch *store_watch_start(struct store *s, const char *prefix, uint64_t from,
                                      store_watch_fn *fn, void *ctx, struct err *e);
void store_watch_stop(struct store_watch *w); /* also inside its callback */

#endif
