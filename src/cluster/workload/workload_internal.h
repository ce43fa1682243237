/* What the controllers of this folder share. All on the manager's loop. */
#ifndef NONAGON_WORKLOAD_INTERNAL_H
#define NONAGON_WORKLOAD_INTERNAL_H

#include "cluster/workload/workload.h"

struct kinds;
struct drains;
struct gc;
struct event_expiry;

struct workload {
    struct manager *m;
    struct kinds *kinds;
    struct drains *drains;
    struct gc *gc;
    struct event_expiry *expiry;
};

void deployment_controller_register(struct workload *w);
void endpoints_controller_register(struct workload *w);
void slices_controllers_register(struct workload *w);
void namespace_controller_register(struct workload *w);

/* The reconcilers, for tables of tests. */
reconcile_fn deployment_reconcile, endpoints_reconcile, namespace_reconcile, slices_reconcile,
    mirror_reconcile;

#endif
