/* What a Revision says of itself from what its pods and its PodAutoscaler say. Pure. */
#ifndef NONAGON_SERVING_REVISION_STATUS_H
#define NONAGON_SERVING_REVISION_STATUS_H

#include "contract/config.h"
#include "kube/conditions.h"

/* `pod`: any of the Deployment's; used when it wants pods and none is available. */
void revision_mark_pod(struct cond *c, const struct kobj *pod, bool timed_out,
                       const struct contract_config *cfg);
/* pa NULL: not there yet. */
void revision_mark_autoscaler(struct cond *c, const struct kobj *pa);
/* Whether a pod shows something that its Revision should say. */
bool pod_is_troubled(const struct kobj *pod);

#endif
