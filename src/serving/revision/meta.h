/* Labels and annotations that a Revision gives to its children. Pure. */
#ifndef NONAGON_SERVING_REVISION_META_H
#define NONAGON_SERVING_REVISION_META_H

#include "serving/child.h"

void revision_child_labels(struct kmut *child, const struct kobj *revision);
/* Deployment, pods, images: without the autoscaler's. */
void revision_child_annotations(struct kmut *child, const struct kobj *revision);
/* PodAutoscaler: with them. */
void revision_scaler_annotations(struct kmut *child, const struct kobj *revision);

#endif
