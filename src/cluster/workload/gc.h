/*
 * Garbage collection: deletes objects whose owners are all gone, by uid; and what hangs on an owner
 * that is deleted in the foreground, which goes when nothing blocks it any more. On the manager's
 * loop.
 *
 * Uses the manager's caches for the built-in kinds and for the custom ones that are defined when it
 * starts. Kinds defined later get a manager of the collector's own, so that a definition that comes
 * and goes cannot hold up the others' reconcilers.
 */
#ifndef NONAGON_WORKLOAD_GC_H
#define NONAGON_WORKLOAD_GC_H

#include "cluster/workload/kinds.h"

struct gc;
struct gc *gc_new(struct manager *m, struct kinds *k);
void gc_free(struct gc *g);

#endif
