/*
 * Everything a container needs before the runtime is called: files, volumes, root file system,
 * config.json. Filled on the loop thread, run on the worker; it borrows nothing that the loop may
 * change.
 */
#ifndef NONAGON_NODE_PREPARE_H
#define NONAGON_NODE_PREPARE_H

#include "cluster/image/image.h"
#include "cluster/node/volume/volumes.h"

struct prepare {
    const struct kobj *pod;      /* reference */
    const yyjson_val *container; /* in pod */
    const struct image *image;   /* reference */
    struct env env;
    struct volumes volumes;
    bool make_volumes; /* the first container of the pod does */
    char *pod_dir, *dir, *log_path;
    char *hosts, *resolv_conf;
    char *netns, *cgroup;
    int64_t node_memory, max_files;
    bool may_protect;
    bool cgroup_v2;
    /* results */
    int log_fd; /* -1 unless prepared */
    struct err err;
};
struct prepare *prepare_new(void);
void prepare_free(struct prepare *p);
void prepare_run(struct prepare *p); /* worker thread */

#endif
