/* The gateway class: makes Ingresses true in the built-in data plane and reports Ready once every worker serves them. */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_H

#include "dataplane/dataplane.h"
#include "kube/controller.h"

struct gateway;
struct gateway_opts {
    struct manager *manager;
    struct dataplane *dataplane;
    const char *local_ip; /* address of the cluster-local listener (port 80), published in the load-balancer status */
};
struct gateway *gateway_new(const struct gateway_opts *o);
void gateway_free(struct gateway *g);

#endif
