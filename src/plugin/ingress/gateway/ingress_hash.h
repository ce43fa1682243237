/* The version of an Ingress: what probes expect in K-Network-Hash. Pure. */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_INGRESS_HASH_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_INGRESS_HASH_H

#include "base/buf.h"
#include "kube/object.h"

#define INGRESS_HASH_LEN 64

/*
 * Lower-case hex SHA-256 over the defaulted spec as compact JSON in the member order and escaping
 * of Go's encoder, then namespace, then name: others compute it from the object that they read.
 * -E2BIG for a spec beyond all limits.
 */
int ingress_hash(const struct kobj *ingress, char ret[static INGRESS_HASH_LEN + 1], struct err *e);
/* The JSON alone, as it is hashed. */
int ingress_canonical(const struct kobj *ingress, struct buf *to);

#endif
