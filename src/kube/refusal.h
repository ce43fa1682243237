/*
 * A refused write and what follows from it: when it may be tried again, and that people are told.
 * For controllers; times are passed in, no I/O.
 */
#ifndef NONAGON_KUBE_REFUSAL_H
#define NONAGON_KUBE_REFUSAL_H

#include "kube/plan_impl.h"

struct refusal {
    struct kube_status status;
    struct plan_entry entry; /* names it; without what was to be written */
    int64_t until_ns;        /* monotonic: not tried again before */
    int64_t generation;      /* of the object whose key it is */
    int tries;
    bool told; /* an event has said it */
};

/* `last` (taken, NULL at first) is the refusal of the same key before this one. */
struct refusal *refusal_new(struct refusal *last, const struct kobj *obj,
                            const struct kube_status *st, const struct plan_entry *en,
                            int64_t mono_ns);
void refusal_free(void *refusal);
/* Whether the key may run as if nothing had been: its time has come, its object is another one, or
 * what could not be created is there (`exists`). */
bool refusal_is_over(const struct refusal *f, const struct kobj *obj, bool exists, int64_t mono_ns);
/*
 * Fits the plan of a run that knew of the refusal: takes out the refused write and what depends on
 * it, lets one event through in all, and adds what the reconciler did not say itself.
 */
void refusal_fit(struct refusal *f, struct plan *p, const struct kube_resource *r,
                 const struct kobj *obj, int64_t wall_ns);
/* Fits the plan of a run that tries again: what was said in the condition "Ready" is taken back,
 * unless the reconciler does so itself; carried out if the rest of the plan is. */
void refusal_lift(const struct refusal *f, struct plan *p, const struct kube_resource *r,
                  const struct kobj *obj, int64_t wall_ns);

#endif
