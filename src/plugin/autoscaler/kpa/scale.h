/* From the desired scale to replicas: bounds, and the way to zero (facts: autoscaling §8.2). Pure.
 */
#ifndef NONAGON_PLUGIN_AUTOSCALER_KPA_SCALE_H
#define NONAGON_PLUGIN_AUTOSCALER_KPA_SCALE_H

#include "plugin/autoscaler/kpa/spec.h"

enum kpa_active {
    KPA_ACTIVATING,
    KPA_ACTIVE,
    KPA_INACTIVE
}; /* condition Active: Unknown, True, False */

struct scale_in {
    int desired; /* -1 = not known yet */
    struct kpa_bounds bounds;
    bool initialized, scale_to_zero;
    enum kpa_active active;
    int64_t active_for_ns; /* time in that state */
    int64_t window_ns, grace_ns;
    bool proxy;           /* the ServerlessService's mode */
    int64_t proxy_for_ns; /* how long requests have gone through the activator; -1 = they do not */
};
struct scale_out {
    int want;           /* -1 = unknown */
    bool apply;         /* replicas should become `want` */
    int64_t requeue_ns; /* look again after this long; -1 = no need */
};
struct scale_out kpa_scale(const struct scale_in *in);

/* How many activators to put in the path (§8.3). */
int kpa_activators(const struct decide_spec *s, int ready);

#endif
