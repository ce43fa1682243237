/* What the files of the node itself share. All of it belongs to the node's loop. */
#ifndef NONAGON_NODE_IMPL_H
#define NONAGON_NODE_IMPL_H

#include "cluster/node/kubelet/logs.h"
#include "cluster/node/network/guard.h"
#include "cluster/node/node.h"
#include "cluster/node/pod/pod.h"

struct node {
    struct loop *loop;
    struct node_opts o; /* strings below */
    char *data_dir, *name, *dns_ip, *domain;
    char bridge_ip[64];
    int64_t cpu_milli, memory, max_files;
    bool may_protect; /* has CAP_SYS_RESOURCE */
    struct kube_client *client;
    struct runtime *runtime;
    struct ipam *ipam;
    struct netns_pool *nets;
    struct net_guard *guard;
    char *network_down; /* why; NULL = it is not */
    struct kubelet_door *door;
    struct http_client *http;
    struct tls_client *tls; /* probes: does not verify */
    struct pod_table *pods;
    int requests; /* about the Node object, running */
    struct timer *housekeeping;
    int64_t heartbeat_ns;
    int64_t stop_deadline_ns;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* ---- node_object.c ---- */
void node_object_changed(struct node *n); /* has it written soon */
void node_heartbeat(struct node *n);      /* registers the Node object, or refreshes it when due */

#endif
