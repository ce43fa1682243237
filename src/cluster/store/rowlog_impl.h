/* The log's parts among each other. */
#ifndef NONAGON_STORE_ROWLOG_IMPL_H
#define NONAGON_STORE_ROWLOG_IMPL_H

#include <sqlite3.h>

#include "cluster/store/rowlog.h"

enum rowlog_statement {
    RL_BEGIN,
    RL_COMMIT,
    RL_ROLLBACK,
    RL_APPEND,
    RL_REMOVE,
    RL_CHAIN_OF,   /* of a row: before, sum */
    RL_NEXT_ROW,   /* the first revision behind one */
    RL_GAP_AFTER,  /* the first gap that begins behind a revision */
    RL_GAP_BEFORE, /* the last gap that begins before a revision */
    RL_PUT_GAP,
    RL_DROP_GAPS, /* that begin within a range */
    RL_COMPACTED,
    RL_QUARANTINE,
    RL_SETTLE,
    RL_N
};

struct rowlog {
    sqlite3 *db;
    char *path, *folder;
    struct marker *marker;
    bool is_new;
    bool mark_behind; /* the last writing of it failed */
    struct mark mark; /* what the marker says, or will with the next commit */
    sqlite3_stmt *st[RL_N];
    uint64_t rev, committed_rev; /* newest row, with and without this transaction */
    uint32_t sum, committed_sum;
};

/* The last call failed: why, in words that tell what to do. */
int rowlog_write_error(struct rowlog *l, struct err *e);
int rowlog_open_error(struct rowlog *l, struct err *e);

/* Checks or makes the tables; brings version 1 to this one. In a transaction of the caller. */
int rowlog_schema(struct rowlog *l, const struct rowlog_opts *o, struct err *e);
int rowlog_run(struct rowlog *l, const char *sql);

/* For statements that answer nothing. */
int rowlog_step(struct rowlog *l, sqlite3_stmt *st, struct err *e);
uint32_t rowlog_row_sum(const struct row *row, uint32_t before);
uint32_t rowlog_gap_sum(const struct gap *g);
struct str rowlog_column(sqlite3_stmt *st, int i);

#endif
