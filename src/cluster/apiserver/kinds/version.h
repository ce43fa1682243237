/*
 * The one place where an object changes from the version that it is stored in to the one that is
 * asked for, and back. Versions of a resource share their fields (conversion strategy None), so
 * only apiVersion differs. Pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_VERSION_H
#define NONAGON_CLUSTER_APISERVER_KINDS_VERSION_H

#include "cluster/apiserver/kinds/kinds.h"

/* Whether objects are served in this version byte for byte as they are stored. */
bool version_is_stored(const struct api_kind *k);
/* Appends the stored object as one of the kind's version; 0 or negative (the buffer's bound). */
int version_write(struct buf *out, const struct api_kind *k, struct str stored);
/* A document as of the kind's version; as of the one that is stored. */
void version_to(struct kmut *o, const struct api_kind *k);
void version_to_stored(struct kmut *o, const struct api_kind *k);

#endif
