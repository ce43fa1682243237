/* The rules of ObjectMeta for a write. */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_META_H
#define NONAGON_CLUSTER_APISERVER_WRITE_META_H

#include "cluster/apiserver/write/write.h"

int meta_prepare_create(struct write *w, struct api_status *st);
int meta_prepare_update(struct write *w, struct api_status *st);
/* Another name for one that was generated and is taken. */
void meta_name_again(struct write *w);
void meta_generation(struct write *w);
void meta_validate(const struct write *w, struct field_errors *errs);
/* True if an object that is being deleted has nothing left that holds it. */
bool meta_may_go(const struct api_kind *k, const struct kmut *o);

#endif
