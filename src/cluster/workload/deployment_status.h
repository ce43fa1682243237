/* The status of a Deployment as upstream words it. Pure. */
#ifndef NONAGON_WORKLOAD_DEPLOYMENT_STATUS_H
#define NONAGON_WORKLOAD_DEPLOYMENT_STATUS_H

#include "cluster/workload/rollout.h"
#include "kube/plan.h"

struct deployment_facts {
    const struct rollout *rollout;
    const char *hash;
    const char *create_failure; /* why a pod could not be created, NULL = it could */
    int64_t now_ns;
};
/*
 * Plans the status if it differs from the live one. The pods that the plan creates and removes are
 * counted as if that had happened: the plan writes them first, so the status is right when it is
 * written. Asks for another run when a deadline is ahead.
 */
void deployment_status(struct plan *p, const struct kobj *deployment,
                       const struct deployment_facts *f);

#endif
