/*
 * EndpointSlices as their readers see them: the addresses behind one port of a Service, from
 * whoever wrote the slices. Written ones carry the label with the Service's name; that label is
 * what ties them to it, not the owner reference.
 */
#ifndef NONAGON_KUBE_SLICES_H
#define NONAGON_KUBE_SLICES_H

#include "kube/cache.h"

#define L_SLICE_SERVICE    "kubernetes.io/service-name"
#define L_SLICE_MANAGED_BY "endpointslice.kubernetes.io/managed-by"

/* The index "service" of a cache of EndpointSlices; may be asked for by several, before objects. */
#define SLICES_BY_SERVICE "service"
void slices_add_index(struct cache *slices);
/* Every slice of the Service, sorted by name, as borrowed pointers; vec_done by the caller. */
void slices_of_service(const struct cache *slices, const char *ns, const char *service,
                       kobj_vec *out);

struct slice_endpoint { /* everything borrowed from the cache */
    const char *ip;     /* IPv4 or IPv6 */
    int port;           /* 0: the slice names none */
    const char *hostname;
    const char *target;               /* name of the object behind it, "" when not told */
    bool ready, serving, terminating; /* what a slice leaves open: ready, serving as ready, not
                                         terminating */
};
/*
 * Calls fn for each address of the Service under the port of this name ("" = the nameless one;
 * NULL = whatever the ports: each slice once, with the port 0). An address that several slices tell
 * comes several times. Stops on nonzero and returns it.
 */
int slices_each(const struct cache *slices, const char *ns, const char *service,
                const char *port_name, int (*fn)(void *ctx, const struct slice_endpoint *ep),
                void *ctx);

#endif
