/*
 * The general source: any Service that has endpoints, through its EndpointSlices. The data plane is
 * told of a port's ready endpoints when a split leads to it, and again when they change. On the
 * manager's loop.
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_SERVICES_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_SERVICES_H

#include "dataplane/dataplane.h"
#include "kube/controller.h"
#include "plugin/ingress/gateway/source.h"

struct services;
struct services *services_new(struct manager *m, struct dataplane *dp);
void services_free(struct services *s);

/* Owns every Service but those of type ExternalName. Its self is the struct services. */
extern const struct endpoint_source service_source;

#endif
