/*
 * The objects of a prefix as they were at one revision: what a list shows, all its pages and
 * however slowly it is read. References to the store's immutable versions, in key order.
 *
 * A list that will be continued pins its snapshot under a number that nobody can guess, which its
 * continue token carries. Pins are bounded in number, in bytes of the objects they hold (the newest
 * versions are the store's anyway, so this is an upper bound of what they cost) and in time; beyond
 * a bound the oldest goes, those first whose list was read to its end.
 */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_SNAPSHOT_H
#define NONAGON_CLUSTER_APISERVER_VERBS_SNAPSHOT_H

#include "base/list.h"
#include "base/vec.h"
#include "cluster/store/store.h"

struct snapshot {
    uint64_t rev;
    VEC(const struct store_obj *) objs;
    int64_t bytes;
    /* inside */
    size_t refs;
    struct list link; /* in the pins, oldest first */
    uint64_t id;      /* 0 = not pinned */
    int64_t ends;     /* loop's monotonic clock */
};
/* The committed state; only_name: of this object alone. */
struct snapshot *snapshot_take(const struct store *s, const char *prefix, const char *only_name);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);
/* The first object behind this key (NULL: the first of all). */
size_t snapshot_behind(const struct snapshot *s, const char *key);

struct snapshots_limits {
    size_t most;
    int64_t bytes, seconds;
};
struct snapshots;
struct snapshots *snapshots_new(struct loop *l, const struct snapshots_limits *limits);
void snapshots_free(struct snapshots *p);
/* Keeps it for later pages; gives s->id. Nothing happens if it is kept already. */
void snapshots_pin(struct snapshots *p, struct snapshot *s);
/* Its last page was served: it stays a little for a client that asks again, and goes first. */
void snapshots_read(struct snapshots *p, struct snapshot *s);
/* Borrowed; NULL when it is kept no more. */
struct snapshot *snapshots_find(struct snapshots *p, uint64_t id);

#endif
