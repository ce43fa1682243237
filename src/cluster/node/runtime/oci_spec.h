/* Builds the OCI runtime configuration (config.json) of one container. Pure. */
#ifndef NONAGON_NODE_OCI_SPEC_H
#define NONAGON_NODE_OCI_SPEC_H

#include "cluster/node/runtime/env.h"
#include "cluster/node/runtime/user.h"

struct oci_mount {
    char *destination, *source;
    bool read_only;
};
struct oci_input {
    const yyjson_val *pod; /* the Pod */
    const yyjson_val *container;
    const yyjson_val *image_config; /* may be NULL */
    const struct env *env;
    const struct oci_user *user;
    const struct oci_mount *mounts; /* bind mounts, in order */
    size_t n_mounts;
    const char *rootfs;
    const char *netns;  /* path of the pod's network namespace */
    const char *cgroup; /* absolute path in the hierarchy */
    int64_t node_memory;
    int64_t max_files; /* RLIMIT_NOFILE */
    bool may_protect;  /* whether a process may be made less likely to be killed than this one */
    bool cgroup_v2;
};
/* JSON text, malloc'ed. -EINVAL says what the pod asks for that cannot be had. */
char *oci_spec_build(const struct oci_input *in, struct err *e);

/* limits and requests of a container; -1 when not given. */
struct oci_resources {
    int64_t cpu_request_milli, cpu_limit_milli, memory_request, memory_limit;
};
int oci_resources_read(const yyjson_val *container, struct oci_resources *ret, struct err *e);

/* "Guaranteed", "Burstable" or "BestEffort". */
const char *pod_qos_class(const yyjson_val *pod);

#endif
