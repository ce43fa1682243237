/*
 * The last step of a write: what it claims, its text, the store. Each returns 0 when the write has
 * ended or the store will end it (it may be gone: not to be touched), -ESTALE with a conflict in
 * the status when the object is no longer the one that was loaded, -1 with the status.
 */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_COMMIT_H
#define NONAGON_CLUSTER_APISERVER_WRITE_COMMIT_H

#include "cluster/apiserver/write/write.h"

void write_set_stage(struct write *w, enum write_stage to);
int commit_put(struct write *w, struct api_status *st);
int commit_remove(struct write *w, struct api_status *st);
/* Nothing changes: answers with the object. */
int commit_nothing(struct write *w, struct api_status *st);

#endif
