/*
 * What the EndpointSlices of one Service should hold, and the fewest writes that lead there: an
 * endpoint stays in the slice that has it, new ones go where there is room, and a slice holds at
 * most LIMIT_SLICE_ENDPOINTS. Pure.
 */
#ifndef NONAGON_WORKLOAD_SLICE_SET_H
#define NONAGON_WORKLOAD_SLICE_SET_H

#include "kube/cache.h"
#include "kube/plan.h"

struct slice_set;
struct slice_set *slice_set_new(void);
void slice_set_free(struct slice_set *s);
DEFINE_CLEANUP(struct slice_set *, slice_set_free)

/* The document that ports and endpoints are built in. */
yyjson_mut_doc *slice_set_doc(struct slice_set *s);
/* Appends a port as slices write it, a copy of `port` (of a Service or of Endpoints) with this
 * number. */
void slice_set_port(struct slice_set *s, yyjson_mut_val *ports, yyjson_val *port, int64_t number);

struct slice_endpoint_facts {
    const char *ip;
    const char *hostname, *node; /* NULL: none */
    const char *uid;             /* of what is behind it; tells two with one address apart */
    bool ready, serving, terminating;
};
/* Adds an endpoint under these ports (an array of the set's document) and returns it, for the
 * caller to add its targetRef. The same address and uid under equal ports is added once: NULL for
 * the second. */
yyjson_mut_val *slice_set_add(struct slice_set *s, yyjson_mut_val *ports,
                              const struct slice_endpoint_facts *f);

struct slice_owner {
    const struct kobj *owner; /* becomes the controller */
    const char *service;
    const char *manager;        /* value of the label managed-by; other slices are not touched */
    yyjson_val *labels;         /* to copy, or NULL; the reserved ones are left out */
    bool headless, placeholder; /* placeholder: one slice is there even without endpoints */
};
/* live: all slices of the Service. */
void slice_set_plan(struct slice_set *s, const struct slice_owner *o, const kobj_vec *live,
                    struct plan *p);

#endif
