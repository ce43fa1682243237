/*
 * One kind of write to many objects: so many at a time that the store has room for other writers.
 * What the store refuses for having too much to do is tried again, when one of the bulk's own
 * writes ended or a moment later; when it is refused for long, the bulk gives up. Objects that are
 * gone are no failure. Loop-thread only.
 */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_BULK_H
#define NONAGON_CLUSTER_APISERVER_WRITE_BULK_H

#include "base/vec.h"
#include "cluster/apiserver/write/write.h"

typedef VEC(char *) bulk_keys;

struct bulk_opts {
    struct api_core *core;
    const struct user_info *user; /* must outlive the bulk */
    bool dry_run;
    /* Starts the write of one object, which w names. */
    void (*run)(void *ctx, struct write *w);
    /* An object that was written, as in write_done_fn; may be NULL. */
    void (*each)(void *ctx, const struct api_kind *k, struct str object);
    /* Called once, perhaps before bulk_start returns; the first failure, or NULL. What could not be
     * tried any more because the server closed is a failure (503). */
    void (*done)(void *ctx, struct api_status *fail);
    void *ctx;
};
/* Store keys, taken over; what is of no kind that is served is passed over. */
void bulk_start(const struct bulk_opts *o, bulk_keys *keys);

/* For store_each: collects keys; ctx is a bulk_keys. */
int bulk_collect(void *ctx, const struct store_obj *o);

#endif
