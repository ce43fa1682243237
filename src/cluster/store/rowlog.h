/*
 * The log on disk: one append-only SQLite table whose row id is the revision. Used by one thread at
 * a time: by the opener until the writer starts, then by the writer. Not thread-safe.
 */
#ifndef NONAGON_STORE_ROWLOG_H
#define NONAGON_STORE_ROWLOG_H

#include "cluster/store/store.h"

struct rowlog;
/* Makes the file if there is none. The error names the file and what to do. Locks out other
 * processes. */
struct rowlog *rowlog_open(const char *path, struct err *e);
void rowlog_close(struct rowlog *l);

struct row {
    uint64_t rev;
    const char *key;
    bool deleted;
    struct str bytes; /* empty for deletions */
};
/* Every row in the order of revisions; strings are valid during the call. */
int rowlog_each(struct rowlog *l, int (*fn)(void *ctx, const struct row *row, struct err *e),
                void *ctx, struct err *e);

/* One transaction: on failure nothing of it is on disk. `begin` must have succeeded before the
 * others. */
int rowlog_begin(struct rowlog *l, struct err *e);
int rowlog_append(struct rowlog *l, const struct row *row, struct err *e);
int rowlog_remove(struct rowlog *l, uint64_t rev, struct err *e);
int rowlog_commit(struct rowlog *l, struct err *e);
void rowlog_rollback(struct rowlog *l);

#endif
