/* The objects that name another as their owner. */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_DEPENDENTS_H
#define NONAGON_CLUSTER_APISERVER_WRITE_DEPENDENTS_H

#include "cluster/apiserver/write/write.h"

bool has_dependents(struct api_core *core, const char *uid);
/* Takes the owner with this uid off every object that names it, so that they stay. done is called
 * once, perhaps before this returns; a failure is the caller's to take. */
void orphan_dependents(struct api_core *core, const char *uid,
                       void (*done)(void *ctx, struct api_status *fail), void *ctx);

#endif
