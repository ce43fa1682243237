/*
 * DNS for pods: UDP and TCP on the bridge address, port 53. Answers A records of
 * SERVICE.NAMESPACE.svc.DOMAIN (and headless ones' addresses, ExternalName as CNAME), NXDOMAIN
 * for unknown names beneath DOMAIN, and forwards everything else to the resolvers of
 * /etc/resolv.conf with a time limit. Message parsing is pure and fuzzed.
 */
#ifndef NONAGON_CLUSTER_DNS_H
#define NONAGON_CLUSTER_DNS_H

#include "kube/controller.h"

struct dns_server;
struct dns_opts {
    const char *ip;
    int port;                /* 53 */
    const char *domain;      /* "cluster.local" */
    struct manager *manager; /* not started yet; caches of Services and EndpointSlices */
    /* "10.222.0.0/16": who may ask, beside the machine itself; NULL = nobody. Others get no answer.
     */
    const char *subnet;
    /* Address that stands for every Service with a cluster IP of no pod (the data plane's local
     * listener). */
    const char *gateway_ip;
    /* Comma list of ADDRESS[:PORT] to forward to; NULL = the nameservers of /etc/resolv.conf,
     * followed as it changes. */
    const char *upstreams;
};
struct dns_server *dns_server_new(struct loop *l, const struct dns_opts *o, struct err *e);
void dns_server_free(struct dns_server *s);
int dns_server_port(const struct dns_server *s); /* for port 0: the one that was free */

#endif
