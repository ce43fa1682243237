/*
 * Which resources there are: the built-in ones that hold a user's objects, and those of custom
 * resource definitions. On the manager's loop.
 */
#ifndef NONAGON_WORKLOAD_KINDS_H
#define NONAGON_WORKLOAD_KINDS_H

#include "kube/controller.h"

struct kinds;
struct kinds *workload_kinds_new(struct manager *m);
void workload_kinds_free(struct kinds *k); /* after the managers that were given resources of it */

/* The built-in resources that can own or be owned, ended by NULL. */
extern const struct kube_resource *const workload_kinds_builtin[];

/*
 * The resource of a definition, in the version that it stores; NULL while the definition is not
 * established. The same pointer for the same definition, valid until workload_kinds_free.
 */
const struct kube_resource *kinds_of_crd(struct kinds *k, const struct kobj *crd);
/* All resources that live in namespaces, custom ones first: they are what makes the others.
 * vec_done by the caller. */
typedef VEC(const struct kube_resource *) resource_vec;
void workload_kinds_namespaced(struct kinds *k, resource_vec *out);

#endif
