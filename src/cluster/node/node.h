/*
 * The node agent: makes the pods of this machine true through crun, and says in their status what
 * is so. Works from Pod objects alone (spec.nodeName empty or this node's name), like a kubelet.
 *
 * Loop-thread only. It registers its Node object, adopts pods that run already (after a restart or
 * crash), and removes containers, network namespaces, mounts and cgroups that belong to no pod.
 */
#ifndef NONAGON_CLUSTER_NODE_H
#define NONAGON_CLUSTER_NODE_H

#include "cluster/image/image.h"
#include "cluster/node/network/bridge.h"
#include "http/exchange.h"
#include "kube/controller.h"

enum node_stage { NODE_POD_SEEN, NODE_POD_STARTED, NODE_POD_READY };

struct node;
struct node_opts {
    const char *data_dir; /* DIR/node: pod directories, state, logs */
    const char *name;     /* node name */
    struct manager *manager;
    struct image_store *images;
    const char *bridge;         /* interface name, "nonagon0" */
    const char *subnet;         /* "10.222.0.0/16": first address is the bridge's */
    const char *dns_ip;         /* nameserver in pods; NULL = the bridge's */
    const char *cluster_domain; /* "cluster.local" */
    int warm_namespaces;        /* network namespaces kept ready; 0 = 4 */
    /*
     * Both may be NULL, and are called on the node's loop. A pod was seen, its process began, it
     * became ready; and requests running in it now (a pod that is to go is drained first).
     */
    void (*stage)(void *ctx, const struct kobj *pod, enum node_stage what);
    uint64_t (*in_flight)(void *ctx, const struct kobj *pod, const char *ip);
    void *ctx;
};
/* Checks the machine first (root, crun, cgroups, overlayfs, bridge): each failure names the remedy.
 */
struct node *node_new(struct loop *l, const struct node_opts *o, struct err *e);
/* Stops pods gracefully (bounded by each pod's grace period and max_ms) if drain, else leaves them
 * running for adoption; then done. */
void node_stop(struct node *n, bool drain, uint64_t max_ms, void (*done)(void *ctx), void *ctx);
void node_free(struct node *n);
/* pod_log_fn of the API server; safe to call from another loop: it posts to the node's. */
void node_pod_log(void *node, struct http_exchange *x, const char *ns, const char *pod);

/* All checks of node_new without starting anything; the first problem as an error. */
int node_preflight(struct err *e);

#endif
