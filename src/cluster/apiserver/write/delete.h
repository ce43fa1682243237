/*
 * Deletion. Objects with finalizers get a deletionTimestamp and stay until the last finalizer is
 * taken off; pods that may run stay until the node agent deletes them with grace 0; Namespaces stay
 * until they are finalized; everything else goes at once.
 *
 * Dependents are the garbage collector's: Background leaves them to it; Foreground keeps the
 * object, with the finalizer foregroundDeletion, until the collector has seen the dependents go
 * that block it; Orphan takes the owner off them first.
 */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_DELETE_H
#define NONAGON_CLUSTER_APISERVER_WRITE_DELETE_H

#include "cluster/apiserver/write/write.h"

#define FINALIZER_FOREGROUND "foregroundDeletion"
#define FINALIZER_ORPHAN     "orphan"

struct delete_options {
    int64_t grace; /* seconds, -1 = not given */
    const char *uid;
    uint64_t rv;             /* 0 = any */
    const char *propagation; /* "Orphan", "Background", "Foreground"; NULL or "" = not given */
};
/* Deletes what w names. The strings of the options are needed until it is done. */
void write_delete(struct write *w, const struct delete_options *o);

/* Takes the string off metadata.finalizers; whether it was there. */
bool finalizer_drop(struct kmut *o, const char *name);

#endif
