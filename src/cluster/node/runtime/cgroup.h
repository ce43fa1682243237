/*
 * Control groups of this machine: which version there is, the view of them that the runtime gets,
 * and what the node does to a container's groups itself (reading the kill count, killing what is
 * left, removing). Blocking calls on kernel file systems; any thread.
 */
#ifndef NONAGON_NODE_CGROUP_H
#define NONAGON_NODE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum cgroup_mode { CGROUP_V2, CGROUP_V1, CGROUP_HYBRID };

/* -ENOTSUP with the remedy when no usable hierarchy is mounted. */
int cgroup_detect(enum cgroup_mode *ret, struct err *e);

/*
 * In a mount namespace of one's own: gives the runtime a hierarchy that it accepts (hybrid: the v1
 * controllers alone), and asks the kernel to move processes between groups without waiting for a
 * grace period (10 to 20 ms of every start otherwise; kernels without that wait). `scratch` is an
 * existing directory.
 */
int cgroup_prepare_view(enum cgroup_mode mode, const char *scratch, struct err *e);

/* `path` is absolute within the hierarchy ("/nonagon-1234/abc"). */
uint64_t cgroup_oom_kills(enum cgroup_mode mode, const char *path);
/* Kills every process in the group. */
void cgroup_kill(enum cgroup_mode mode, const char *path);
/* Removes it from every controller; false if some part is still in use. */
bool cgroup_remove(enum cgroup_mode mode, const char *path);
/* Calls fn with the name of each group directly beneath `path`. */
void cgroup_each(enum cgroup_mode mode, const char *path, void (*fn)(void *ctx, const char *name),
                 void *ctx);

#endif
