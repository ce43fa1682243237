/* What a Route says of itself: its conditions and the fields that follow from traffic and hosts.
 * Pure. */
#ifndef NONAGON_SERVING_ROUTE_STATUS_H
#define NONAGON_SERVING_ROUTE_STATUS_H

#include "kube/conditions.h"
#include "serving/route/hosts.h"
#include "serving/route/rollout.h"

#define ROUTE_TRAFFIC     "AllTrafficAssigned"
#define ROUTE_INGRESS     "IngressReady"
#define ROUTE_CERTIFICATE "CertificateProvisioned"

extern const struct condition_set route_conditions;

void route_status_verdict(struct cond *c, const struct traffic *t);
void route_status_addresses(struct cond *c, const struct route_hosts *h,
                            const struct route_host *main);
/* status.traffic: equal targets merged; a following target stands for its revisions while it rolls.
 */
void route_status_traffic(struct cond *c, const struct traffic *t, const route_host_vec *hosts,
                          const struct rollout *ro);
void route_status_certificate(struct cond *c, const struct route_hosts *h,
                              const route_host_vec *hosts);
/* ingress: as it is; NULL or current=false: what was asked last is not there yet. */
void route_status_ingress(struct cond *c, const struct kobj *ingress, bool current,
                          const struct rollout *ro);
void route_status_no_ingress(struct cond *c);

#endif
