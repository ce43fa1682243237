/*
 * How many pods to make and which to remove, so that a Deployment gets nearer to what it wants:
 * scaling, rolling to a new template, replacing what is gone. Pure; the clock is passed in.
 */
#ifndef NONAGON_WORKLOAD_ROLLOUT_H
#define NONAGON_WORKLOAD_ROLLOUT_H

#include "kube/cache.h"

struct rollout {
    /* wanted */
    int64_t replicas, max_surge, max_unavailable;
    bool recreate, paused;
    /* there: pods that are neither finished nor on their way out */
    int64_t current, current_ready, current_available; /* of the newest template */
    int64_t old, old_ready, old_available;
    int64_t becomes_available_ns; /* when the next ready pod counts as available; -1 = none waits
                                     for that */
    /* decided */
    int64_t create;
    kobj_vec remove; /* borrowed pods */
};

/* pods: all that the Deployment controls, borrowed until deployment_rollout_done. */
void deployment_rollout_decide(struct rollout *r, const struct kobj *deployment,
                               const kobj_vec *pods, const char *hash, int64_t now_ns);
void deployment_rollout_done(struct rollout *r);

#endif
