/* Groups, kinds, labels, annotations and headers that core and plugins share. Names are upstream
 * Knative's. */
#ifndef NONAGON_CONTRACT_NAMES_H
#define NONAGON_CONTRACT_NAMES_H

#include "kube/object.h"

extern const struct kube_resource KR_KSERVICE, KR_CONFIGURATION, KR_REVISION,
    KR_ROUTE; /* serving.knative.dev/v1 */
extern const struct kube_resource KR_PODAUTOSCALER,
    KR_METRIC; /* autoscaling.internal.knative.dev/v1alpha1 */
extern const struct kube_resource KR_INGRESS, KR_SKS,
    KR_CERTIFICATE;                         /* networking.internal.knative.dev/v1alpha1 */
extern const struct kube_resource KR_IMAGE; /* caching.internal.knative.dev/v1alpha1 */

#define SYSTEM_NAMESPACE      "knative-serving"
#define CM_CONFIG_AUTOSCALER  "config-autoscaler"
#define CM_CONFIG_NETWORK     "config-network"
#define CM_CONFIG_DOMAIN      "config-domain"
#define CM_CONFIG_DEFAULTS    "config-defaults"
#define CM_CONFIG_DEPLOYMENT  "config-deployment"
#define CM_CONFIG_FEATURES    "config-features"
#define CM_CONFIG_IMAGE_CACHE "config-image-cache"

/* serving.knative.dev labels */
#define L_SERVICE           "serving.knative.dev/service"
#define L_SERVICE_UID       "serving.knative.dev/serviceUID"
#define L_CONFIGURATION     "serving.knative.dev/configuration"
#define L_CONFIGURATION_UID "serving.knative.dev/configurationUID"
#define L_CONFIGURATION_GEN "serving.knative.dev/configurationGeneration"
#define L_REVISION          "serving.knative.dev/revision"
#define L_REVISION_UID      "serving.knative.dev/revisionUID"
#define L_ROUTE             "serving.knative.dev/route"
#define L_ROUTE_NAMESPACE   "serving.knative.dev/routeNamespace"
#define L_ROUTING_STATE     "serving.knative.dev/routingState"
#define L_DEPLOYMENT_HASH   "serving.knative.dev/deployment-hash"
#define L_APP               "app"
#define L_VISIBILITY        "networking.knative.dev/visibility"
#define L_SKS               "networking.internal.knative.dev/serverlessservice"
#define L_SERVICE_TYPE      "networking.internal.knative.dev/serviceType"

/* annotations */
#define A_CREATOR                "serving.knative.dev/creator"
#define A_LAST_MODIFIER          "serving.knative.dev/lastModifier"
#define A_ROUTES                 "serving.knative.dev/routes"
#define A_ROUTING_STATE_MODIFIED "serving.knative.dev/routingStateModified"
#define A_LAST_PINNED            "serving.knative.dev/lastPinned"
#define A_NO_GC                  "serving.knative.dev/no-gc"
#define A_ROLLOUT_DURATION       "serving.knative.dev/rollout-duration"
#define A_PROGRESS_DEADLINE      "serving.knative.dev/progress-deadline"

#define A_AUTOSCALER_CLASS "autoscaling.knative.dev/class"
#define A_INGRESS_CLASS    "networking.knative.dev/ingress.class"
#define A_IMAGE_CLASS      "caching.knative.dev/image.class"
#define CLASS_KPA          "kpa.autoscaling.knative.dev"
#define CLASS_GATEWAY      "gateway.ingress.networking.nonagon.dev"
#define CLASS_NOTHING      "nothing.image.caching.nonagon.dev"

/* headers */
#define H_REVISION           "Knative-Serving-Revision"
#define H_REVISION_NAMESPACE "Knative-Serving-Namespace"
#define H_PROBE              "K-Network-Probe"
#define H_PROBE_HASH         "K-Network-Hash"

#endif
