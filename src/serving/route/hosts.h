/*
 * The names under which a Route answers: one host name per traffic group, its public and its
 * cluster-local domain name, and who may see it. Pure. Strings live in the arena given.
 */
#ifndef NONAGON_SERVING_ROUTE_HOSTS_H
#define NONAGON_SERVING_ROUTE_HOSTS_H

#include "base/arena.h"
#include "contract/config.h"
#include "serving/route/traffic.h"

struct route_hosts {
    struct arena *arena;
    const struct contract_config *config;
    const struct kobj *route;
    const char *local_domain; /* svc.<cluster domain> */
    const char *domain;       /* chosen by the Route's labels */
    const char *port;         /* ":8080" for public URLs, "" = the scheme's own */
    bool local_only;          /* the whole Route is cluster-local */
};

/*
 * config_network: the ConfigMap, for its key external-url-port (the port of public URLs where that
 * is not the scheme's own, as behind a published port); may be NULL.
 */
void route_hosts_init(struct route_hosts *h, struct arena *a, const struct contract_config *c,
                      const struct kobj *config_network, const struct kobj *route);

/* The placeholder Service's name: the Route's for tag "", else by tag-template. NULL on error. */
const char *route_hostname(const struct route_hosts *h, const char *tag, struct err *e);
const char *route_local_fqdn(const struct route_hosts *h, const char *hostname);
/* By domain-template unless the Route is cluster-local. NULL on error. */
const char *route_fqdn(const struct route_hosts *h, const char *hostname, struct err *e);
/* scheme://fqdn[:port]; local = of a cluster-local host. */
const char *route_url(const struct route_hosts *h, const char *fqdn, bool local);

/* What a cluster-local name may be called from within: h.ns, h.ns.svc, h.ns.svc.<cluster domain>.
 * Returns the count. */
size_t route_local_aliases(const struct route_hosts *h, const char *hostname,
                           const char *ret[static 3]);

/* One traffic group with its names. */
struct route_host {
    const struct traffic_group *group;
    const char *hostname;   /* of the placeholder Service */
    const char *local_fqdn; /* HOSTNAME.NAMESPACE.svc.<cluster domain> */
    const char *fqdn; /* by the Route's own labels: public unless the Route is cluster-local */
    const char *url;  /* as published in the status */
    bool local; /* this host is cluster-local, by the Route or by its placeholder's visibility label
                 */
};
typedef VEC(struct route_host) route_host_vec;
int route_host_of(const struct route_hosts *h, const struct traffic_group *g,
                  const struct cache *services, struct route_host *ret, struct err *e);
/* One per group, in the groups' order. services: the cache, for placeholders' labels. vec_done by
 * the caller. */
int route_hosts_of(const struct route_hosts *h, const struct traffic *t,
                   const struct cache *services, route_host_vec *ret, struct err *e);

#endif
