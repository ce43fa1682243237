/*
 * What a request wants of the API: the verb that authorization is asked about and that is carried
 * out. Pure, but for running it.
 */
#ifndef NONAGON_CLUSTER_APISERVER_ROUTES_H
#define NONAGON_CLUSTER_APISERVER_ROUTES_H

#include "cluster/apiserver/verbs/verbs.h"

struct route {
    bool named;      /* an object, or a collection */
    const char *sub; /* "" = itself */
    const char *method, *verb;
    verb_fn *run;
    bool raw; /* it answers with something else than objects */
};
/* NULL: the method is not allowed there. `watch`: the query asks for it. */
const struct route *route_find(const struct api_path *p, struct str method, bool watch);
/* Whether objects of the kind have the subresource. */
bool route_has_sub(const struct api_kind *k, const char *sub);

#endif
