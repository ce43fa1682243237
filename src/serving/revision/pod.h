/*
 * The pod of a Revision, as far as it is the user's: the containers with what the platform adds to
 * them. Pure.
 *
 * There is no proxy container: the stages that it would be (queue, drain) run in the process that
 * serves the requests, so the readiness probe stays on the user's container for the kubelet or node
 * to run. A sidecar would be appended to the list that pod_containers makes, and only the probe and
 * the drain hook would move.
 */
#ifndef NONAGON_SERVING_REVISION_POD_H
#define NONAGON_SERVING_REVISION_POD_H

#include "contract/config.h"

#define USER_PORT_NAME "user-port"

/* Fills `pod` (an empty object of m): the pod's spec. `statuses`: the Revision's containerStatuses,
 * may be NULL. */
void pod_spec(struct kmut *m, yyjson_mut_val *pod, const struct kobj *revision,
              const yyjson_val *statuses, const struct contract_config *cfg);

#endif
