/*
 * The node's pods: Pod objects come in, and are made true. A pod is driven by one function that
 * looks at what is there and starts what is next; every event ends in a call of it. Loop thread
 * only.
 */
#ifndef NONAGON_NODE_POD_H
#define NONAGON_NODE_POD_H

#include "cluster/node/container/container.h"

enum pod_stage { POD_SEEN, POD_STARTED, POD_READY };

struct pod_table_opts {
    struct container_env env; /* what it points to is borrowed */
    struct ipam *ipam;
    struct netns_pool *nets;
    const char *data_dir; /* absolute; DIR/pods, DIR/logs */
    const char *node_name;
    const char *host_ip, *dns_ip, *domain;
    int64_t cpu_milli;
    /* May be NULL: what became of a pod, and how many requests run in it. */
    void (*stage)(void *ctx, const struct kobj *pod, enum pod_stage what);
    uint64_t (*in_flight)(void *ctx, const struct kobj *pod, const char *ip);
    void *ctx;
};

struct pod_table;
/* The strings are copied. */
struct pod_table *pod_table_new(const struct pod_table_opts *o);
void pod_table_free(struct pod_table *t);
/* Claims the addresses of pods on disk: before the first namespace is made. */
void pod_table_claim(struct ipam *ipam, const char *data_dir);
/* Follows Pods, ConfigMaps and Secrets. After the first sync pods that run are taken over, what
 * belongs to no pod is removed, and `synced` is called. */
void pod_table_watch(struct pod_table *t, void (*synced)(void *ctx), void *ctx);
/* Pods cannot be reached, and so are not ready: why; NULL when they can again. */
void pod_table_network(struct pod_table *t, const char *why);
bool pod_table_synced(const struct pod_table *t);

/*
 * The node stops: pods end within their grace period and max_ms (drain), or are left running for
 * the next start. Objects stay.
 */
void pod_table_stop(struct pod_table *t, bool drain, uint64_t max_ms);
void pod_table_kill(struct pod_table *t);            /* no grace any more */
size_t pod_table_running(const struct pod_table *t); /* pods that are not done yet */

struct pod;
struct pod *pod_table_find(struct pod_table *t, const char *ns, const char *name);
void pod_table_each(struct pod_table *t, void (*fn)(void *ctx, struct pod *p), void *ctx);
const struct kobj *pod_object(const struct pod *p);
struct container *pod_containers(struct pod *p, size_t *ret_n); /* init containers first */

#endif
