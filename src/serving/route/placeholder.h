/*
 * The placeholder Service of each host of a Route: the name inside the cluster that leads to the
 * ingress. Pure builders and the choice of writes. Until the Ingress tells where its load balancer
 * is, the Service is an alias (ExternalName) of the host's domain name.
 */
#ifndef NONAGON_SERVING_ROUTE_PLACEHOLDER_H
#define NONAGON_SERVING_ROUTE_PLACEHOLDER_H

#include "kube/plan.h"
#include "serving/route/hosts.h"

/* Where the ingress listens, from the Ingress's status. Strings borrowed. */
struct load_balancer {
    enum { LB_UNKNOWN, LB_IP, LB_DOMAIN, LB_MESH } kind;
    const char *address; /* IP or domain */
};
/*
 * The private list, or the public one if there is none and not local. No list yet: LB_UNKNOWN. More
 * than one entry, or one that says nothing, is an error.
 */
int load_balancer_of(const struct kobj *ingress, bool local, struct load_balancer *ret,
                     struct err *e);

struct placeholder_live { /* from the caches, NULL = absent */
    const struct kobj *service, *endpoints;
};
enum placeholder_result {
    PLACEHOLDER_OK,
    PLACEHOLDER_FOREIGN_SERVICE,
    PLACEHOLDER_FOREIGN_ENDPOINTS
};

/* Plans what makes the host's Service (and Endpoints) true; nothing if somebody else owns one of
 * them. */
enum placeholder_result placeholder_plan(struct plan *p, const struct route_hosts *h,
                                         const struct route_host *host,
                                         const struct load_balancer *lb,
                                         const struct placeholder_live *live);
/* Plans the deletion of placeholders of the Route that no host has; services, endpoints: the
 * caches. */
void placeholder_plan_orphans(struct plan *p, const struct kobj *route, const route_host_vec *hosts,
                              const struct cache *services, const struct cache *endpoints);

#endif
