/* The verbs: each answers the request, or takes it over until it can. */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_VERBS_H
#define NONAGON_CLUSTER_APISERVER_VERBS_VERBS_H

#include "cluster/apiserver/verbs/request.h"

typedef void verb_fn(struct api_request *r);
verb_fn verb_get, verb_list, verb_watch, verb_create, verb_update, verb_patch, verb_delete,
    verb_delete_collection, verb_scale;
/* A pod's subresources that the node serves. */
verb_fn verb_log, verb_exec, verb_attach, verb_port_forward;
/* Questions about oneself: may I, who am I. */
verb_fn verb_review;
/* Whether the path is such a question's. */
bool review_is(const struct api_path *p);

#endif
