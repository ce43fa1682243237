/*
 * What the names beneath the cluster's domain stand for, read from the caches of Services and
 * EndpointSlices. No I/O.
 *
 *   SERVICE.NAMESPACE.svc.DOMAIN       ready addresses of its slices; without any, the gateway
 * (if it has a cluster IP); of type ExternalName a CNAME, followed as long as it stays beneath the
 * domain HOST.SERVICE.NAMESPACE.svc.DOMAIN  the address of that host name in the slices
 */
#ifndef NONAGON_CLUSTER_DNS_ZONE_H
#define NONAGON_CLUSTER_DNS_ZONE_H

#include "cluster/dns/message.h"
#include "kube/cache.h"

#define ZONE_TTL 5

struct zone {
    const char *domain;              /* lower case */
    const char *gateway_ip;          /* or NULL */
    struct cache *services, *slices; /* the latter with slices_add_index */
};

enum zone_result {
    ZONE_FOREIGN,  /* not beneath the domain; nothing was written */
    ZONE_ANSWERED, /* rcode is set, records are written */
    ZONE_OUTSIDE,  /* as ANSWERED, and a CNAME leads outside: `outside` is to be looked up */
};
struct zone_reply {
    int rcode;
    size_t outside_owner; /* offset of the name in the answer */
    char outside[DNS_NAME_TEXT];
};
enum zone_result zone_answer(const struct zone *z, const struct dns_query *q, struct dns_answer *a,
                             struct zone_reply *ret);

#endif
