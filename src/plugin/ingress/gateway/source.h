/*
 * Where the endpoints behind a split come from. A split names a Service and one of its ports; the
 * first source that owns the Service answers for it. There are two: a revision's Services, whose
 * pods reach the data plane without a detour and which a request can start from zero; and any
 * other, through its EndpointSlices.
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_SOURCE_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_SOURCE_H

#include "kube/object.h"

/* Whether requests to a Service's port can be served; what stands last is worst. */
enum backend_state {
    BACKEND_SERVED, /* there is a ready endpoint, or a request can start one */
    BACKEND_EMPTY,
    BACKEND_NO_REVISION, /* a revision's Service that outlived it */
    BACKEND_EXTERNAL_NAME,
    BACKEND_NO_PORT,
    BACKEND_NO_SERVICE,
};

/*
 * What the data plane knows a backend by. Its ports are a Service's own, and two that no Service
 * has: PORT_REVISION with a revision's name (whatever the names and ports of its Services, it has
 * one queue), and PORT_NOTHING for what leads nowhere, which answers 503 at once.
 */
#define PORT_REVISION 0
#define PORT_NOTHING  (-1)

struct backend_key {     /* in the namespace of the Service */
    const char *service; /* borrowed */
    int port;
};

struct endpoint_source {
    const char *name;
    bool (*owns)(void *self, const struct kobj *service);
    /* port: of the Service's spec. Gives the data plane what it must know for the key to be served,
     * where that is not there already. */
    enum backend_state (*resolve)(void *self, const struct kobj *service, yyjson_val *port,
                                  struct backend_key *ret);
    /* No split leads to the key any more; NULL = nothing to be done. */
    void (*let_go)(void *self, const char *ns, const struct backend_key *key);
};

#endif
