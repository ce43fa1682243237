/*
 * What every autoscaler class does the same way: scale the target, keep the ServerlessService,
 * count pods. Plans writes, makes none. Loop-thread of the manager.
 */
#ifndef NONAGON_PLUGIN_AUTOSCALER_ACTUATION_H
#define NONAGON_PLUGIN_AUTOSCALER_ACTUATION_H

#include "kube/controller.h"

/* Before manager_start: the caches that the functions below read. Pods get an index by revision. */
void actuation_watch(struct manager *m);

/* The object that spec.scaleTargetRef names, NULL when there is none (yet). */
const struct kobj *actuation_target(struct manager *m, const struct kobj *pa);
/* Its spec.replicas; absent = 1, as Kubernetes reads it. */
int actuation_replicas(const struct kobj *target);
/*
 * Plans one write through the target's scale subresource, if its replicas are not n already.
 * Returns whether it planned one.
 */
bool actuation_scale(struct plan *p, const struct kobj *pa, const struct kobj *target, int n);

enum actuation_mode { ACTUATION_SERVE, ACTUATION_PROXY };
/* Creates or corrects the ServerlessService of a PodAutoscaler. False: the one that exists is
 * somebody else's. */
bool actuation_sks(struct plan *p, const struct kobj *pa, const struct kobj *live,
                   enum actuation_mode mode, int activators);

struct actuation_pods {
    int ready, starting, terminating;
};
void actuation_count(struct manager *m, const char *ns, const char *revision,
                     struct actuation_pods *ret);
/* A map_fn: a pod concerns the PodAutoscaler named as its revision. */
void actuation_pod_key(void *ctx, const struct kobj *pod,
                       void (*emit)(void *to, const char *ns, const char *name), void *to);

#endif
