/* What a PodAutoscaler asks for: annotations over configuration (facts: autoscaling §5, §7.1,
 * §7.2). Pure. */
#ifndef NONAGON_PLUGIN_AUTOSCALER_KPA_SPEC_H
#define NONAGON_PLUGIN_AUTOSCALER_KPA_SPEC_H

#include "plugin/autoscaler/kpa/config.h"
#include "plugin/autoscaler/kpa/decide.h"

struct kpa_bounds {
    int64_t min, max; /* max 0 = no limit; min is 0 while unreachable */
    int64_t initial;
    int64_t retention_ns; /* 0 while unreachable */
    int64_t progress_deadline_ns;
    bool unreachable;
};

void kpa_spec(const struct kobj *pa, const struct kpa_config *c, struct decide_spec *ret);
void kpa_bounds(const struct kobj *pa, const struct kpa_config *c, struct kpa_bounds *ret);

#endif
