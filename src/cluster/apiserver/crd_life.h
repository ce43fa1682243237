/*
 * The effect of custom resource definitions. The store's watch drives the registry, so a kind is
 * served exactly when its definition is on disk. A definition carries a finalizer: its deletion
 * first deletes the objects (each by its own rules), and the finalizer goes when none is left.
 */
#ifndef NONAGON_CLUSTER_APISERVER_CRD_LIFE_H
#define NONAGON_CLUSTER_APISERVER_CRD_LIFE_H

#include "cluster/apiserver/write/core.h"

struct crd_life;
struct crd_life *crd_life_new(struct api_core *core, struct err *e);
void crd_life_free(struct crd_life *l);

#endif
