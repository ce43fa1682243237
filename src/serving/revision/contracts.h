/* The contracts that a Revision writes for plugins: one PodAutoscaler, one Image per container.
 * Pure. */
#ifndef NONAGON_SERVING_REVISION_CONTRACTS_H
#define NONAGON_SERVING_REVISION_CONTRACTS_H

#include "contract/config.h"
#include "kube/names.h"

enum reachability { REACH_UNKNOWN, REACH_REACHABLE, REACH_UNREACHABLE };

struct kmut *podautoscaler_build(const struct kobj *revision, enum reachability reach,
                                 const struct contract_config *cfg);
/* The live one brought to the Revision's spec and autoscaling annotations; NULL when it already is.
 * Takes `want`. */
struct kmut *podautoscaler_update(const struct kobj *live, struct kmut *want);

void image_name(const char *revision, const char *container, char ret[static NAME_MAX_LABEL + 1]);
/* status: one entry of containerStatuses. */
struct kmut *image_build(const struct kobj *revision, const yyjson_val *status,
                         const struct contract_config *cfg);

#endif
