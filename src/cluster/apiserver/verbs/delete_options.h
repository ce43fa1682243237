/* The options of a deletion: query parameters first, then the DeleteOptions in the body, which win.
 */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_DELETE_OPTIONS_H
#define NONAGON_CLUSTER_APISERVER_VERBS_DELETE_OPTIONS_H

#include "cluster/apiserver/verbs/request.h"
#include "cluster/apiserver/write/delete.h"

/* -1 with r->st. The strings are the request's. */
int delete_options_read(struct api_request *r, struct delete_options *o);

#endif
