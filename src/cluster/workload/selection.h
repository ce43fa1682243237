/*
 * Which pods a Service selects, and the other way round; what its ports are in a pod. On the
 * manager's loop.
 *
 * A pod changes several times on its way to Ready and there may be thousands of Services, so the
 * two find each other through indices: a Service is indexed by one pair of its selector (the
 * longest, which is likely to be the rarest), a pod by each of its labels.
 */
#ifndef NONAGON_WORKLOAD_SELECTION_H
#define NONAGON_WORKLOAD_SELECTION_H

#include "kube/controller.h"

/* Before the caches have objects. */
void selection_add_indices(struct cache *services, struct cache *pods);

/* Whether a Service's spec selects pods at all. */
bool service_selects(yyjson_val *spec);
/* The pods of the Service that have an address and have not ended, those on their way out included,
 * sorted by address. Borrowed; vec_done by the caller. */
void selected_pods(struct manager *m, const struct kobj *service, kobj_vec *ret);
/* map_fn: the Services that select a pod; ctx is the manager. */
map_fn services_of_pod;

/* The number in this pod behind a port of a Service: its targetPort, or that of the container port
 * with this name; 0 when the pod has none. */
int64_t target_port(yyjson_val *port, const struct kobj *pod);

#endif
