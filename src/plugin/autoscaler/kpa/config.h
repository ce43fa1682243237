/* The autoscaler's view of config-autoscaler, and what it needs of config-deployment (facts:
 * autoscaling §6). Pure. */
#ifndef NONAGON_PLUGIN_AUTOSCALER_KPA_CONFIG_H
#define NONAGON_PLUGIN_AUTOSCALER_KPA_CONFIG_H

#include "kube/object.h"

struct kpa_config {
    double target_fraction, concurrency_default, rps_default, burst;
    double panic_window_percent, panic_threshold_percent, up_rate, down_rate, activator_capacity;
    int64_t stable_ns, delay_ns, grace_ns, retention_ns;
    bool scale_to_zero, allow_zero_initial;
    int64_t initial_scale, min_scale, max_scale, max_scale_limit;
    int64_t progress_deadline_ns; /* of config-deployment */
};

void kpa_config_default(struct kpa_config *c);
/* Reads a map over the defaults; on error *c is as before. NULL map = defaults. */
int kpa_config_autoscaler(struct kpa_config *c, const struct kobj *map, struct err *e);
int kpa_config_deployment(struct kpa_config *c, const struct kobj *map, struct err *e);

#endif
