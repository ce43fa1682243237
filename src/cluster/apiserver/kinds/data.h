/* Shared by ConfigMaps and Secrets. */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_DATA_H
#define NONAGON_CLUSTER_APISERVER_KINDS_DATA_H

#include "cluster/apiserver/kinds/kinds.h"

/* The keys of the map `field`. */
void data_validate(const struct kmut *o, const char *field, struct field_errors *errs);
/* A mebibyte of values, all keys together. */
void data_check_size(const struct kmut *o, struct field_errors *errs);
/* An object that was immutable stays as it was. */
void data_keep_immutable(const struct kmut *o, const yyjson_val *old, struct field_errors *errs);
column_fn data_count;

#endif
