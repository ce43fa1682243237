/* Which user and groups a container runs as. Pure: the image's passwd and group files come as
 * texts. */
#ifndef NONAGON_NODE_USER_H
#define NONAGON_NODE_USER_H

#include "base/vec.h"
#include "json/json.h"

struct oci_user {
    uint32_t uid, gid;
    VEC(uint32_t) groups; /* supplementary */
};
void oci_user_done(struct oci_user *u);

/*
 * securityContext of the container over the pod's over the image's "user[:group]". Names are looked
 * up in the texts ("" when the image has no such file). -EINVAL for an unknown name, -EACCES when
 * runAsNonRoot forbids the outcome.
 */
int oci_user_resolve(const yyjson_val *pod_spec, const yyjson_val *container,
                     const char *image_user, const char *passwd, const char *group,
                     struct oci_user *ret, struct err *e);

/* securityContext field of the container, or else of the pod. */
yyjson_val *oci_security_field(const yyjson_val *pod_spec, const yyjson_val *container,
                               const char *name);

#endif
