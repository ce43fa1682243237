/*
 * The gateway class: makes Ingresses true in the built-in data plane and reports Ready once every
 * worker serves them and what they lead to is there. On the manager's loop, like everything
 * registered with the manager; made before manager_start.
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_H

#include "dataplane/dataplane.h"
#include "kube/controller.h"
#include "plugin/ingress/gateway/listeners.h"

struct gateway;
struct gateway_opts {
    struct manager *manager;
    struct dataplane *dataplane;
    struct listener_addresses listeners; /* where the data plane listens */
    const char *cluster_domain;          /* NULL = "cluster.local" */
};
struct gateway *gateway_new(const struct gateway_opts *o);
/* Leaves the data plane as it is. Nothing of the manager may run afterwards but its freeing. */
void gateway_free(struct gateway *g);

/*
 * Calls fn on the loop, once, when every Ingress of the class that was listed at start is served by
 * every worker, with all that was known behind it; at once when that is so already. One that is
 * refused, or goes, is not waited for.
 */
void gateway_on_routed(struct gateway *g, void (*fn)(void *ctx), void *ctx);

/* reconcile_fn of Ingresses of the class; ctx is the struct gateway. For table tests. */
void gateway_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);
/* informer_fn of Ingresses: one that is gone, or left the class, is taken out of the data plane.
 * For table tests. */
void gateway_on_ingress(void *ctx, const struct kobj *before, const struct kobj *after);
/* All informers have listed; ctx is the struct gateway. For table tests. */
void gateway_on_synced(void *ctx);

#endif
