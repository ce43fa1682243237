/*
 * Emptying namespaces that are being deleted, then taking their last finalizer off. Asks the server
 * rather than caches: a namespace may only go when nothing is left in it. On the manager's loop.
 */
#ifndef NONAGON_WORKLOAD_DRAIN_H
#define NONAGON_WORKLOAD_DRAIN_H

#include "cluster/workload/kinds.h"

struct drains;
struct drains *drains_new(struct manager *m, struct kinds *k);
void drains_free(struct drains *d);

/* Begins, unless it is under way. Goes on until the namespace is gone or drains_stop. */
void drains_start(struct drains *d, const char *ns);
void drains_stop(struct drains *d, const char *ns);

#endif
