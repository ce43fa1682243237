/* A request's patch; shared by objects and their scale. */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_PATCHING_H
#define NONAGON_CLUSTER_APISERVER_VERBS_PATCHING_H

#include "cluster/apiserver/verbs/request.h"

/* Reads the body into r->patch; -1 with r->st. */
int patch_read(struct api_request *r);
/* The target changed by it; NULL with the status. */
struct kmut *patch_apply(const struct api_request *r, const yyjson_val *target,
                         struct api_status *st);

#endif
