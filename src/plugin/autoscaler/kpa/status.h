/* The status of a PodAutoscaler (facts: autoscaling §2.2 to §2.4). Pure. */
#ifndef NONAGON_PLUGIN_AUTOSCALER_KPA_STATUS_H
#define NONAGON_PLUGIN_AUTOSCALER_KPA_STATUS_H

#include "kube/conditions.h"
#include "kube/controller.h"
#include "plugin/autoscaler/kpa/scale.h"

struct kpa_result {
    int want;  /* -1 = unknown */
    int ready; /* pods */
    const struct kpa_bounds *bounds;
    const struct kobj *sks; /* NULL: there is none yet */
};

/* The state that the condition Active shows, and for how long it has. */
enum kpa_active kpa_active_state(const struct kobj *pa, struct cond_age *age,
                                 const struct reconcile_ctx *rc, int64_t *ret_for_ns);
/* How long a condition has had a status; -1 if it has not. */
int64_t kpa_condition_age(const struct kobj *o, const char *type, const char *status,
                          struct cond_age *age, const struct reconcile_ctx *rc);
void kpa_mark(struct cond *c, const struct kpa_result *r);

#endif
