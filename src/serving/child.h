/*
 * What builders of children share: carrying labels and annotations down, and bringing a child to
 * what is wanted by replacing whole parts of it. Pure.
 */
#ifndef NONAGON_SERVING_CHILD_H
#define NONAGON_SERVING_CHILD_H

#include "kube/controller.h"

#define A_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* Copies all labels (annotations) except the keys for which drop answers true; drop may be NULL. */
typedef bool drop_fn(const char *key);
void child_labels(struct kmut *child, const struct kobj *parent, drop_fn *drop);
void child_annotations(struct kmut *child, const struct kobj *parent, drop_fn *drop);

/*
 * Makes the live child's spec, labels and annotations equal to the wanted ones (extra keys go),
 * creating it when live is NULL. Takes `want`, which has its owner already. Returns true if
 * something was planned.
 */
bool child_replace(struct plan *p, const struct kube_resource *r, const struct kobj *live,
                   struct kmut *want);

/* Whether the run before ended in the refusal of this operation on this kind of object. */
bool child_refused(const struct reconcile_ctx *rc, enum plan_op op, const struct kube_resource *r);

#endif
