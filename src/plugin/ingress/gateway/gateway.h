/*
 * The gateway class: makes Ingresses true in the built-in data plane and reports Ready once every
 * worker serves them. On the manager's loop, like everything registered with the manager; made
 * before manager_start.
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_H

#include "dataplane/dataplane.h"
#include "kube/controller.h"

struct gateway;
struct gateway_opts {
    struct manager *manager;
    struct dataplane *dataplane;
    const char *local_ip;       /* address of the cluster-local listener (port 80), published in the
                                   load-balancer status */
    const char *cluster_domain; /* NULL = "cluster.local" */
};
/* The Service of the system namespace under whose name pods reach the cluster-local listener; the
 * plugin writes it. */
#define GATEWAY_SERVICE "nonagon-gateway"

struct gateway *gateway_new(const struct gateway_opts *o);
/* Leaves the data plane as it is. Nothing of the manager may run afterwards but its freeing. */
void gateway_free(struct gateway *g);

/* reconcile_fn of Ingresses of the class; ctx is the struct gateway. For table tests. */
void gateway_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);
/* informer_fn of Ingresses: one that is gone, or left the class, is taken out of the data plane.
 * For table tests. */
void gateway_on_ingress(void *ctx, const struct kobj *before, const struct kobj *after);

#endif
