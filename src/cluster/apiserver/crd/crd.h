/*
 * CustomResourceDefinitions: what they declare, and what they are as objects themselves. Pure;
 * their effect on the registry lies in crd_life.
 */
#ifndef NONAGON_CLUSTER_APISERVER_CRD_CRD_H
#define NONAGON_CLUSTER_APISERVER_CRD_CRD_H

#include "cluster/apiserver/kinds/kinds.h"

#define CRD_FINALIZER    "customresourcecleanup.apiextensions.k8s.io"
#define CRD_MAX_VERSIONS 16

/* The kind CustomResourceDefinition, for the registry. */
extern const struct api_kind crd_kind;

/* Adds the condition to a definition unless there is one of this type. */
void crd_set_condition(struct kmut *o, const char *type, bool status, const char *reason,
                       const char *message);
/* The kinds that a definition declares, one per version; -1 with errors. */
int crd_kinds(const yyjson_val *crd, struct api_kind **ret, size_t *ret_n, size_t max,
              struct field_errors *errs);
/* Errors when the names that it wants are another's. */
void crd_claim_names(const struct kinds *ks, const struct kmut *crd, struct field_errors *errs);

#endif
