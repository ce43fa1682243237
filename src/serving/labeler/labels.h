/*
 * The labels and annotations by which Configurations and Revisions know their Routes: the
 * annotation `routes`, and on Revisions the routing state that follows from it. Pure.
 */
#ifndef NONAGON_SERVING_LABELER_LABELS_H
#define NONAGON_SERVING_LABELER_LABELS_H

#include "kube/object.h"

/* Calls fn for each Route name of the annotation. */
void routes_each(const struct kobj *o, void (*fn)(void *ctx, const char *route, size_t n),
                 void *ctx);

/*
 * The merge patch that adds the Route to an object's list or takes it out, and brings a Revision's
 * routing state in line; NULL when nothing changes. malloc'ed.
 */
char *routes_patch(const struct kobj *o, bool is_revision, const char *route, bool add,
                   int64_t now_ns);

#endif
