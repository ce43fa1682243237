/* The condition sets of all kinds and the names of their conditions and reasons. */
#ifndef NONAGON_CONTRACT_CONDITIONS_H
#define NONAGON_CONTRACT_CONDITIONS_H

#include "kube/conditions.h"

extern const struct condition_set CS_SERVICE, CS_CONFIGURATION, CS_REVISION, CS_ROUTE,
    CS_PODAUTOSCALER, CS_METRIC, CS_INGRESS, CS_SKS, CS_CERTIFICATE, CS_IMAGE;

#define COND_READY "Ready"
/* Service */
#define COND_CONFIGURATIONS_READY "ConfigurationsReady"
#define COND_ROUTES_READY         "RoutesReady"
/* Revision */
#define COND_RESOURCES_AVAILABLE "ResourcesAvailable"
#define COND_CONTAINER_HEALTHY   "ContainerHealthy"
#define COND_ACTIVE              "Active" /* of the PodAutoscaler too */
/* Route */
#define COND_TRAFFIC_ASSIGNED        "AllTrafficAssigned"
#define COND_INGRESS_READY           "IngressReady"
#define COND_CERTIFICATE_PROVISIONED "CertificateProvisioned"
/* PodAutoscaler */
#define COND_SCALE_INITIALIZED "ScaleTargetInitialized"
#define COND_SKS_READY         "SKSReady"
/* Ingress */
#define COND_NETWORK_CONFIGURED "NetworkConfigured"
#define COND_LB_READY           "LoadBalancerReady"
/* ServerlessService */
#define COND_ENDPOINTS_POPULATED "EndpointsPopulated"
#define COND_ACTIVATOR_POPULATED "ActivatorEndpointsPopulated"

#define REASON_NOT_OWNED "NotOwned"
/* A contract whose class nobody runs. */
#define REASON_NO_PLUGIN "NoPluginForClass"

#endif
