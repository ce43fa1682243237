/* Groups, versions, plurals and kinds of the custom resources. */
#include "contract/names.h"

#define SERVING(plural, kind)                                                                      \
    {                                                                                              \
        "serving.knative.dev", "v1", plural, kind, true                                            \
    }
#define AUTOSCALING(plural, kind)                                                                  \
    {                                                                                              \
        "autoscaling.internal.knative.dev", "v1alpha1", plural, kind, true                         \
    }
#define NETWORKING(plural, kind)                                                                   \
    {                                                                                              \
        "networking.internal.knative.dev", "v1alpha1", plural, kind, true                          \
    }

const struct kube_resource KR_KSERVICE = SERVING("services", "Service");
const struct kube_resource KR_CONFIGURATION = SERVING("configurations", "Configuration");
const struct kube_resource KR_REVISION = SERVING("revisions", "Revision");
const struct kube_resource KR_ROUTE = SERVING("routes", "Route");
const struct kube_resource KR_PODAUTOSCALER = AUTOSCALING("podautoscalers", "PodAutoscaler");
const struct kube_resource KR_METRIC = AUTOSCALING("metrics", "Metric");
const struct kube_resource KR_INGRESS = NETWORKING("ingresses", "Ingress");
const struct kube_resource KR_SKS = NETWORKING("serverlessservices", "ServerlessService");
const struct kube_resource KR_CERTIFICATE = NETWORKING("certificates", "Certificate");
const struct kube_resource KR_IMAGE = {"caching.internal.knative.dev", "v1alpha1", "images",
                                       "Image", true};
