/*
 * A pod's volumes in two steps: planning reads objects (pure, loop thread), making writes files and
 * mounts (worker thread). ConfigMap, Secret, downward API and projected volumes are directories
 * whose content is swapped as a whole by one rename, as programs that watch such volumes expect.
 */
#ifndef NONAGON_NODE_VOLUMES_H
#define NONAGON_NODE_VOLUMES_H

#include "cluster/node/runtime/env.h"
#include "cluster/node/runtime/oci_spec.h"

enum volume_kind { VOLUME_EMPTY, VOLUME_MEMORY, VOLUME_FILES, VOLUME_HOST };
struct volume_file {
    char *path; /* relative, without ".." */
    char *data;
    size_t n;
    int mode;
};
struct volume {
    char *name;
    enum volume_kind kind;
    char *host_path;
    char *host_type;    /* hostPath.type, "" = unchecked */
    int64_t size_limit; /* VOLUME_MEMORY; 0 = none */
    VEC(struct volume_file) files;
};
struct volumes {
    VEC(struct volume) v;
};
void volumes_done(struct volumes *v);

/* -ENOENT: an object or key is missing (may appear); -EINVAL: a kind of volume this node does not
 * have. */
int volumes_plan(const struct pod_facts *f, struct volumes *ret, struct err *e);

/* Makes or refreshes DIR/NAME for each; group is fsGroup or -1. Idempotent. */
int volumes_make(const struct volumes *v, const char *dir, int64_t group, struct err *e);
/* Refreshes the files only, for volumes already mounted. */
int volumes_refresh(const struct volumes *v, const char *dir, int64_t group, struct err *e);

/*
 * The container's volumeMounts as bind mounts. A subPath is resolved beneath its volume, whatever
 * links lie in it, and bound at DIR_SUB/N, so that nothing can be swapped in between.
 */
typedef VEC(struct oci_mount) oci_mount_vec;
int volumes_mounts(const struct volumes *v, const char *dir, const char *sub_dir,
                   const struct env *env, const yyjson_val *container, oci_mount_vec *out,
                   struct err *e);
void oci_mounts_done(oci_mount_vec *m);

#endif
