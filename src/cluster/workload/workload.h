/*
 * Controllers of the built-in kinds, on a manager: Deployment -> Pods (rolling update with
 * maxUnavailable 0, replica status, progress deadline, ReplicaFailure), Service selector ->
 * EndpointSlices and Endpoints of its pods, Endpoints of a Service without one -> EndpointSlices,
 * Namespace finalization, default ServiceAccount, garbage collection by
 * owner references, Event expiry.
 */
#ifndef NONAGON_CLUSTER_WORKLOAD_H
#define NONAGON_CLUSTER_WORKLOAD_H

#include "kube/controller.h"

/*
 * Before manager_start, and best before anybody else makes the caches of Services and Pods, to
 * which it adds indices. Free it together with the manager, in either order but in one turn of the
 * loop, and before the client.
 */
struct workload;
struct workload *workload_new(struct manager *m);
void workload_free(struct workload *w);

#endif
