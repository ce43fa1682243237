/* Carrying out a plan; for controllers. */
#ifndef NONAGON_KUBE_PLAN_RUN_H
#define NONAGON_KUBE_PLAN_RUN_H

#include "kube/controller.h"

enum plan_outcome {
    PLAN_DONE,
    PLAN_AGAIN,   /* the same may work later: a conflict, no answer, a server in trouble */
    PLAN_REFUSED, /* it will not: tell the reconciler */
};
/* status and entry say what failed; NULL for PLAN_DONE. Valid during the call; the plan is freed
 * after it. */
typedef void plan_done_fn(void *ctx, enum plan_outcome how, const struct kube_status *st,
                          const struct plan_entry *entry, struct plan *p);
struct plan_run;
/*
 * Writes the entries in order, each after the answer to the one before; events are sent on the way
 * without waiting. Takes the plan. A plan without writes calls done at once and returns NULL.
 */
struct plan_run *plan_run_start(struct manager *m, struct plan *p, int64_t wall_ns,
                                plan_done_fn *done, void *ctx);
/* Forgets the caller and the manager: the write under way ends alone, the others are not made. */
void plan_run_detach(struct plan_run *r);

#endif
