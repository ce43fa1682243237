/* What is taken from the whole cluster's stock at the last step of a write, by kind: cluster IPs,
 * the names of custom resources. */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_CLAIM_H
#define NONAGON_CLUSTER_APISERVER_WRITE_CLAIM_H

#include "cluster/apiserver/write/core.h"

/* -1 with the status. *ret_held: the write has to give it back if it does not happen. */
int claim_take(struct api_core *c, const struct api_kind *k, struct kmut *o, const yyjson_val *old,
               bool *ret_held, struct api_status *st);
void claim_give_back(struct api_core *c, const struct api_kind *k, const yyjson_mut_val *o,
                     const yyjson_val *old);

#endif
