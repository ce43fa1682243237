/*
 * The Services of the system namespace that give the data plane's listeners their names, with the
 * Endpoints behind them. They are there from the start, so that whoever looks for the gateway finds
 * it before there is any Ingress:
 *
 *   nonagon-gateway           the public listener: port 80 is what the Service promises, its
 *                             nodePort and targetPort are where the listener is. Of type
 *                             LoadBalancer, with the address in its status, where the listener has
 *                             port 80 of one address; else NodePort.
 *   nonagon-gateway-internal  the cluster-local listener, under which pods reach it
 *   activator-service         the activator's port: what stands behind the public Service of a
 *                             revision without pods, for ingresses other than this one
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_LISTENERS_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_LISTENERS_H

#include "kube/controller.h"

#define LISTENER_PUBLIC    "nonagon-gateway"
#define LISTENER_LOCAL     "nonagon-gateway-internal"
#define LISTENER_ACTIVATOR "activator-service"

struct listener_addresses {
    const char *local_ip;  /* of the cluster-local listener (port 80) and the activator's port */
    const char *public_ip; /* "" or NULL = all */
    int public_port;       /* 0: there is no public listener */
    int activator_port;    /* 0: there is none */
};

struct gateway_listeners;
/* Before manager_start. The addresses are copied. */
struct gateway_listeners *gateway_listeners_new(struct manager *m,
                                                const struct listener_addresses *a);
void gateway_listeners_free(struct gateway_listeners *l);

/* reconcile_fn of the system namespace; ctx is the struct gateway_listeners. For table tests. */
void gateway_listeners_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
