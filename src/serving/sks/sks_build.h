/*
 * The objects of a ServerlessService. Pure builders.
 *
 * Names, labels and the numbers of Service ports are upstream's. What differs: a pod has no proxy
 * beside the user's container (the data plane is not in the pod), so the private Service leads to
 * the container's own port, by its name user-port, and has neither TLS nor metrics ports; hence
 * Endpoints are told apart by port name (http, http2), not by number.
 */
#ifndef NONAGON_SERVING_SKS_BUILD_H
#define NONAGON_SERVING_SKS_BUILD_H

#include "kube/names.h"
#include "kube/object.h"

#define SKS_USER_PORT "user-port"

/* "http" or "http2". */
const char *sks_port_name(const struct kobj *sks);
void sks_private_name(const struct kobj *sks, char ret[static NAME_MAX_LABEL + 1]);

/* match_labels: of the scale target. */
struct kmut *sks_private_service(const struct kobj *sks, const yyjson_val *match_labels);
struct kmut *sks_public_service(const struct kobj *sks);
/*
 * The public Endpoints: the subsets of `from`, each with only the port that this protocol uses.
 * max_ips > 0: at most so many addresses, chosen evenly and stably by the ServerlessService's name.
 * NULL from: no subsets.
 */
struct kmut *sks_public_endpoints(const struct kobj *sks, const struct kobj *from, int64_t max_ips);
/* Ready addresses in all subsets. */
size_t endpoints_ready(const struct kobj *endpoints);
/* Those of the subsets that have a port of this name. */
size_t endpoints_ready_on(const struct kobj *endpoints, const char *port_name);

#endif
