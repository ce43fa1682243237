/* What the files of this room share. Not for others. */
#ifndef NONAGON_DATAPLANE_UP_IMPL_H
#define NONAGON_DATAPLANE_UP_IMPL_H

#include "dataplane/up/up.h"

static inline struct dp_back_worker *dp_back_at(struct dp_back *b, const struct dp_up *u)
{
    return &b->w[u->index];
}

/* ---- slots.c ---- */
/* A slot at some pod without looking at who waits; not referenced. */
struct dp_pod *dp_slot_take(const struct dp_settings *s, const struct dp_pod *avoid);
void dp_slot_give(struct dp_pod *p);

/* ---- queue.c ---- */
/* The worker other than this one whose first waiting request came before that time; or NULL. */
struct dp_back_worker *dp_queue_elder(struct dp_back *b, const struct dp_up *u, int64_t than_ns);
/* Gives a slot, with its reference, to a worker for its first waiting request. */
void dp_queue_hand(struct dp_back *b, struct dp_back_worker *to, struct dp_pod *p);
void dp_queue_rest(struct dp_back_worker *bw);
void dp_queue_settle(struct dp_up *u, struct dp_back *b); /* after new settings */

/* ---- pconn.c ---- */
void dp_pconn_drop_idle(struct dp_up *u, struct dp_pod *p);
void dp_pconn_close(struct dp_pconn *k);
void dp_pconn_sweep(struct dp_up *u);

#endif
