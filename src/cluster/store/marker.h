/*
 * What was acknowledged, kept outside the database: a file of one block beside it that says up to
 * which revision writes were answered. A database that ends earlier has lost some, and one that is
 * empty while a marker is there is not a new one. SQLite cannot tell by itself: it takes the end of
 * its log for the place where a checksum fails first.
 *
 * It is written before a write is answered but not synced then, which would double the cost of a
 * commit: marker_sync does that within a second. So after the end of a process, however it ends, it
 * is exact; after a power cut it may be behind the synced database by that second, never ahead of
 * it. A loss can go unseen only if power fails and synced bytes go bad within the same second.
 *
 * Two slots are written in turn, each with a checksum: what tears or rots is one of them.
 */
#ifndef NONAGON_STORE_MARKER_H
#define NONAGON_STORE_MARKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

#define MARK_ID 16 /* bytes that tell databases apart */

struct mark {
    uint8_t db[MARK_ID]; /* of which database */
    uint64_t rev;        /* the newest acknowledged */
    uint64_t floor;      /* revisions up to here were given out and are not used again */
    uint32_t sum;        /* of that revision's row */
};

enum mark_state {
    MARK_NONE,   /* there is no file, or nothing was written to it */
    MARK_WHOLE,  /* both slots, or the only one that was written, are as written */
    MARK_TORN,   /* one slot is damaged: the other's mark may be one commit old */
    MARK_DAMAGED /* no slot can be read */
};

struct marker;
/* Makes the file if there is none (mode 0600). */
struct marker *marker_open(const char *path, struct err *e);
void marker_free(struct marker *m);
DEFINE_CLEANUP(struct marker *, marker_free)
/* What the file said when it was opened. */
enum mark_state marker_found(const struct marker *m, struct mark *ret);

int marker_put(struct marker *m, const struct mark *mark, struct err *e);
bool marker_unsynced(const struct marker *m);
int marker_sync(struct marker *m, struct err *e);

#endif
