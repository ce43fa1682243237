/*
 * Walks the log's chain, from the start or on from where it was left: says of each row whether it
 * is what was written, and where rows are missing. Reads only.
 */
#ifndef NONAGON_STORE_VERIFY_H
#define NONAGON_STORE_VERIFY_H

#include "base/vec.h"
#include "cluster/store/rowlog.h"

enum damage_kind {
    DAMAGE_ROW,     /* does not fit its checksum: key and revision are what can be read of it */
    DAMAGE_MISSING, /* rows that were there: something later continues them */
    DAMAGE_RECORD,  /* the record of removed rows; no object */
};
struct damage {
    enum damage_kind kind;
    uint64_t first, last;
    uint64_t prev;   /* of a row */
    char *key;       /* of a row */
    bool superseded; /* a later row of the same key is whole */
};
typedef VEC(struct damage) damage_vec;
void damage_vec_done(damage_vec *v);
/* For people: what is damaged, as the end of a sentence about the database. */
char *damage_text(const struct damage *d);

struct verifier {
    struct rowlog *log;
    uint64_t read;  /* rows up to here were looked at */
    uint64_t at;    /* the newest row or gap that is whole */
    uint32_t sum;   /* its sum */
    struct gap gap; /* the next one; its first is UINT64_MAX when there is none */
    bool unsure;    /* something damaged came behind it */
    uint64_t tail;  /* the highest revision that something damaged claims, or `at` */
    uint64_t want;  /* wanted: the sum of this revision's row */
    bool seen;      /* it was met, or lies in a gap */
    bool in_gap;
    uint32_t seen_sum;
    damage_vec damages;
    VEC(struct gap) repairs; /* what would make the chain whole again */
};
void verifier_done(struct verifier *v);

/* Each row that is whole, in order. */
typedef int verify_row_fn(void *ctx, const struct row *row, struct err *e);
/*
 * Goes over at most that much. 1: there is more; 0: the end, a damaged one included in `repairs`.
 * Errors: the database cannot be read, its rows are in no order, or too much is damaged.
 */
int verifier_walk(struct verifier *v, size_t max_rows, size_t max_bytes, verify_row_fn *fn,
                  void *ctx, struct err *e);

#endif
