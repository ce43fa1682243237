/* Per kind, the condition types whose conjunction is Ready. */
#include "contract/conditions.h"

/* Dependents in the order in which the arithmetic looks at them. */
static const char *const none[] = {NULL};
static const char *const of_service[] = {COND_CONFIGURATIONS_READY, COND_ROUTES_READY, NULL};
static const char *const of_revision[] = {COND_RESOURCES_AVAILABLE, COND_CONTAINER_HEALTHY, NULL};
static const char *const of_route[] = {COND_TRAFFIC_ASSIGNED, COND_INGRESS_READY,
                                       COND_CERTIFICATE_PROVISIONED, NULL};
static const char *const of_podautoscaler[] = {COND_ACTIVE, COND_SCALE_INITIALIZED, COND_SKS_READY,
                                               NULL};
static const char *const of_ingress[] = {COND_NETWORK_CONFIGURED, COND_LB_READY, NULL};
static const char *const of_sks[] = {COND_ENDPOINTS_POPULATED, NULL};

const struct condition_set CS_SERVICE = {COND_READY, of_service};
const struct condition_set CS_CONFIGURATION = {COND_READY, none};
const struct condition_set CS_REVISION = {COND_READY, of_revision};
const struct condition_set CS_ROUTE = {COND_READY, of_route};
const struct condition_set CS_PODAUTOSCALER = {COND_READY, of_podautoscaler};
const struct condition_set CS_METRIC = {COND_READY, none};
const struct condition_set CS_INGRESS = {COND_READY, of_ingress};
const struct condition_set CS_SKS = {COND_READY, of_sks};
const struct condition_set CS_CERTIFICATE = {COND_READY, none};
const struct condition_set CS_IMAGE = {COND_READY, none};
