/* From a Deployment's template to its pods: the hash that tells templates apart, names, whole Pod
 * objects. Pure. */
#ifndef NONAGON_WORKLOAD_POD_TEMPLATE_H
#define NONAGON_WORKLOAD_POD_TEMPLATE_H

#include "kube/object.h"

#define L_TEMPLATE_HASH   "pod-template-hash"
#define TEMPLATE_HASH_MAX 11 /* ten characters and a NUL */

/* The same for the same template whatever the order of its members; in the alphabet of generated
 * names. */
void template_hash(const yyjson_val *template, char ret[static TEMPLATE_HASH_MAX]);

/* A new pod of the Deployment with a random name. */
struct kmut *pod_from_template(const struct kobj *deployment, const char *hash);

#endif
