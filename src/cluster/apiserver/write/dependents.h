/* The objects that name another as their owner. */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_DEPENDENTS_H
#define NONAGON_CLUSTER_APISERVER_WRITE_DEPENDENTS_H

#include "cluster/apiserver/write/write.h"

bool has_dependents(struct api_core *core, const char *uid);
/* Starts taking the owner with this uid off every object that names it, so that they stay. */
void orphan_dependents(struct api_core *core, const char *uid);

#endif
