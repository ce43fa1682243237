/*
 * The thread that commits. All writes handed in while one commit runs go into the next one
 * together, so the cost of an fsync is shared by as many as want it.
 *
 * After a failed commit the writer stops taking writes until writer_reset: those handed in
 * meanwhile were checked against a state that will not come to be.
 */
#ifndef NONAGON_STORE_WRITER_H
#define NONAGON_STORE_WRITER_H

#include "base/vec.h"
#include "cluster/store/rowlog.h"

struct write {
    const struct store_obj *obj; /* a reference */
    bool deleted;
    uint64_t prev;    /* the version that it supersedes, 0 = none, or ROW_PREV_UNKNOWN */
    uint64_t settles; /* what is in quarantine with this revision, 0 = nothing */
    store_done_fn *done;
    void *ctx;
};
typedef VEC(struct write) write_vec;

struct batch { /* what one commit was about */
    write_vec writes;
    int result;
    struct err err;
};
typedef VEC(struct batch *) batch_vec;
typedef VEC(uint64_t) rev_vec;
struct history_cut { /* the history of this head begins behind the revision */
    char *head;
    uint64_t rev;
};
typedef VEC(struct history_cut) cut_vec;
typedef VEC(char *) text_vec;

struct writer;
/*
 * on_done is called on the writer's thread, whenever finished batches or texts are there to be
 * taken. The log stays the caller's, who leaves it alone until writer_stop. Every verify_ms
 * (negative: never) all that is on disk is read again and checked, a little at a time.
 */
struct writer *writer_start(struct rowlog *log, int64_t verify_ms, void (*on_done)(void *ctx),
                            void *ctx, struct err *e);
/* Ends the thread behind its running commit. What was not begun comes with writer_take_queued. */
void writer_stop(struct writer *w);
void writer_free(struct writer *w); /* after writer_stop */

void writer_submit(struct writer *w, const struct write *wr);
batch_vec writer_take_finished(struct writer *w);
/* Takes the writes that wait for a commit and lets a writer that stopped at a failure go on. */
write_vec writer_reset(struct writer *w);
/* Rows to remove, in rising order, and what that means for history; done bit by bit between
 * commits. Takes the arrays. */
void writer_compact(struct writer *w, rev_vec rows, cut_vec cuts);
/* False while rows handed in wait to be removed. */
bool writer_compacted(struct writer *w);
void batch_free(struct batch *b);
void cut_vec_done(cut_vec *v);
/* What was found damaged since the last call, as sentences. The caller frees. */
text_vec writer_take_damage(struct writer *w);
/* Why the marker cannot be written, if it cannot. */
int writer_marker_error(struct writer *w, struct err *e);

#endif
