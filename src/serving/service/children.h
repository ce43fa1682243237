/* The two children of a Service: what they should be. Pure. */
#ifndef NONAGON_SERVING_SERVICE_CHILDREN_H
#define NONAGON_SERVING_SERVICE_CHILDREN_H

#include "kube/object.h"

/* `live` is the present child or NULL; some of its annotations are kept. */
struct kmut *service_configuration(const struct kobj *service, const struct kobj *live);
struct kmut *service_route(const struct kobj *service);

#endif
