/* The maxima of the workload controllers. */
#ifndef NONAGON_WORKLOAD_LIMITS_H
#define NONAGON_WORKLOAD_LIMITS_H

#define LIMIT_SLICE_ENDPOINTS 100   /* endpoints of one EndpointSlice, as Kubernetes fills them */
#define LIMIT_MIRRORED        1000  /* addresses of one subset of Endpoints that are mirrored */
#define LIMIT_EVENTS          10000 /* Event objects that are kept; the oldest go first */

#endif
