/* Builds a pod's status from what the node knows. Pure. */
#ifndef NONAGON_NODE_STATUS_PATCH_H
#define NONAGON_NODE_STATUS_PATCH_H

#include "cluster/node/container/container.h"

enum run_state { RUN_WAITING, RUN_RUNNING, RUN_TERMINATED };

struct container_view {
    const char *name, *image, *image_id;
    bool init;
    enum run_state state;
    const char *wait_reason, *wait_message; /* RUN_WAITING; NULL = none */
    int64_t started_ns;
    const char *container_id;
    const struct container_termination *now, *last; /* RUN_TERMINATED; the run before */
    int restarts;
    bool ready, started;
    bool done; /* will not be started again */
};
struct pod_view {
    const struct kobj *pod;
    const struct container_view *containers;
    size_t n;
    const char *host_ip, *pod_ip; /* pod_ip "" = none yet */
    const char *network_down;     /* why it cannot be reached; NULL = it can */
    int64_t start_ns, now_ns;     /* wall clock */
};

/* "Pending", "Running", "Succeeded" or "Failed". */
const char *pod_status_phase(const struct pod_view *v);
bool pod_status_ready(const struct pod_view *v);
/*
 * A merge patch for the status subresource: {"metadata":{"uid":…},"status":{…}}. Conditions of
 * other writers and unchanged transition times are kept from `before` (the last status written or
 * seen; may be NULL).
 */
char *pod_status_patch(const struct pod_view *v, const yyjson_val *before);

#endif
