/*
 * The log on disk: one append-only SQLite table whose row id is the revision. Used by one thread at
 * a time: by the opener until the writer starts, then by the writer. Not thread-safe.
 *
 * Each row has a checksum over itself and over the checksum of the row before it, so the rows are a
 * chain: a changed row does not fit its own checksum, a missing one leaves its successor without
 * what it continues. Removed rows leave a *gap* that keeps the chain whole: what it continued, and
 * what its last row's checksum was; neighbouring gaps are one. What can no longer be read is moved
 * to a table of its own (quarantine), where its bytes stay. Beside the database lies its marker
 * (marker.h).
 */
#ifndef NONAGON_STORE_ROWLOG_H
#define NONAGON_STORE_ROWLOG_H

#include "cluster/store/marker.h"
#include "cluster/store/store.h"

struct rowlog;
struct rowlog_opts {
    const char *path;
    bool expect_data, accept_loss;      /* as in store_opts */
    bool (*readable)(struct str bytes); /* as in store_opts */
};
/*
 * Makes the files if there are none (mode 0600), and brings an older version's database to this
 * one's form. Locks out other processes. The error names the file and what to do; -EUCLEAN says
 * that acknowledged data is gone.
 */
struct rowlog *rowlog_open(const struct rowlog_opts *o, struct err *e);
void rowlog_close(struct rowlog *l);
const char *rowlog_path(const struct rowlog *l);
bool rowlog_is_new(const struct rowlog *l); /* made, or brought to this form, by this opening */

#define ROW_PREV_UNKNOWN UINT64_MAX /* an older program wrote it */

struct row {
    uint64_t rev;
    const char *key;
    bool deleted;
    struct str bytes;     /* of a deletion: the object's last state */
    uint64_t prev;        /* the version that it supersedes, 0 = none */
    uint32_t before, sum; /* what it continues, and its own; only when read */
    bool whole;           /* it fits its checksum; only when read */
};
/* Rows behind `after` in the order of revisions, until they are `max_rows` or have `max_bytes`;
 * strings are valid during the call. 0 when these were all, 1 when there are more. */
int rowlog_each(struct rowlog *l, uint64_t after, size_t max_rows, size_t max_bytes,
                int (*fn)(void *ctx, const struct row *row, struct err *e), void *ctx,
                struct err *e);
/* What is read next comes from the files, not from memory. */
void rowlog_forget_pages(struct rowlog *l);

struct gap { /* removed rows, and whatever revisions between them were never written */
    uint64_t first, last;
    uint32_t before, sum;
    bool whole; /* only when read */
};
/* The first gap that begins behind `after`; 0 when there is none, 1 when there is. */
int rowlog_gap_after(struct rowlog *l, uint64_t after, struct gap *ret, struct err *e);
/* The gap that begins at or before rev and ends behind it, likewise. */
int rowlog_gap_over(struct rowlog *l, uint64_t rev, struct gap *ret, struct err *e);

/* Continue the chain behind this row, when everything is read. */
void rowlog_continue(struct rowlog *l, uint64_t rev, uint32_t sum);

/* One transaction: on failure nothing of it is on disk. `begin` must have succeeded before the
 * others. */
int rowlog_begin(struct rowlog *l, struct err *e);
int rowlog_append(struct rowlog *l, const struct row *row, struct err *e);
/* Rows that nobody needs any more, in rising order; some may be gone already. */
int rowlog_remove(struct rowlog *l, const uint64_t *revs, size_t n, struct err *e);
/* History of keys with this head begins behind the revision. */
int rowlog_note_compacted(struct rowlog *l, const char *head, uint64_t rev, struct err *e);
int rowlog_quarantine(struct rowlog *l, uint64_t rev, const char *why, struct err *e);
int rowlog_put_gap(struct rowlog *l, const struct gap *g, struct err *e);
int rowlog_drop_gap(struct rowlog *l, uint64_t first, struct err *e);
/* What is in quarantine with this revision concerns nobody any more. */
int rowlog_settle(struct rowlog *l, uint64_t rev, struct err *e);
/* Once it returns, the marker knows the newest row too; it never fails for the marker's sake. */
int rowlog_commit(struct rowlog *l, struct err *e);
void rowlog_rollback(struct rowlog *l);

/* Where the history of each head begins; false from *ret_whole when one of them is damaged. */
int rowlog_each_compacted(struct rowlog *l, void (*fn)(void *ctx, const char *head, uint64_t rev),
                          void *ctx, bool *ret_whole, struct err *e);
/* What lies in quarantine unsettled, oldest first. */
int rowlog_each_quarantined(struct rowlog *l,
                            void (*fn)(void *ctx, const struct row *row, const char *why),
                            void *ctx, struct err *e);

/* ---- the marker ---- */
enum mark_state rowlog_mark(const struct rowlog *l, struct mark *ret); /* as found at the start */
struct mark rowlog_own_mark(const struct rowlog *l); /* as it is, or will be with the next commit */
/* Revisions up to this one are taken. */
void rowlog_set_floor(struct rowlog *l, uint64_t rev);
int rowlog_write_mark(struct rowlog *l, struct err *e);
bool rowlog_mark_unsynced(const struct rowlog *l);
int rowlog_sync_mark(struct rowlog *l, struct err *e);

#endif
