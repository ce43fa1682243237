/* A request's patch applied to a document; shared by objects and their scale. */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_PATCHING_H
#define NONAGON_CLUSTER_APISERVER_VERBS_PATCHING_H

#include "cluster/apiserver/core.h"

enum patch_language { LANG_MERGE, LANG_JSON, LANG_STRATEGIC };
/* NULL with the status filled. */
struct kmut *patched(const struct api_request *r, const yyjson_val *target, struct api_status *st);

#endif
