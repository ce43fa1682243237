/* Which objects a list, watch or collection means. Pure. */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_SELECT_H
#define NONAGON_CLUSTER_APISERVER_VERBS_SELECT_H

#include "cluster/apiserver/kinds/kinds.h"
#include "cluster/apiserver/request/query.h"

/* -1 with the status when a field path is none that objects of the kind are selected by. */
int select_check(const struct api_query *q, const struct api_kind *k, struct api_status *st);
/* Whether the object passes the selectors. */
bool select_object(const struct api_query *q, const yyjson_val *obj);

#endif
