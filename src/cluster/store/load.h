/*
 * From the log on disk to what is served: every row is checked, damaged ones go to quarantine, and
 * the end is compared with the marker. What was acknowledged and is gone is an error unless the
 * loss is accepted.
 */
#ifndef NONAGON_STORE_LOAD_H
#define NONAGON_STORE_LOAD_H

#include "cluster/store/verify.h"

struct load {
    struct verifier v;
    uint64_t rev;      /* revisions up to here are taken */
    char *marker_says; /* what is wrong with the marker, NULL = nothing */
};
void load_done(struct load *ld);

/* fn gets each row that is whole, in order. On success the log is ready to be continued. */
int load_log(struct load *ld, struct rowlog *l, bool accept_loss, verify_row_fn *fn, void *ctx,
             struct err *e);

#endif
