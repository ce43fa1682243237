/* A worker and the whole, for the files of this folder. */
#ifndef NONAGON_DATAPLANE_WORKER_H
#define NONAGON_DATAPLANE_WORKER_H

#include <pthread.h>

#include "dataplane/dataplane.h"
#include "dataplane/down/down.h"

struct dp_worker;

struct dp_door { /* a listener of a worker */
    struct dp_worker *worker;
    struct listener *listener;
    enum dp_visibility visibility;
    bool activator;
};

struct dp_worker {
    struct dataplane *dp;
    int index;
    struct loop_thread *thread;
    struct loop *loop;
    struct dp_door *doors;
    struct dp_report report;
    struct h1_pool *pool;
    struct dp_up up;
    struct dp_streams streams;
    struct dp_downs downs;
    int64_t collected_ns;
    struct timer *sweep;
    size_t peak; /* of connections since memory was last given back */
    bool draining, drained;
} __attribute__((aligned(DP_CACHE_LINE)));

struct dataplane {
    struct dp_opts o;
    struct dp_listen *listen;
    int *ports;
    int n_workers;
    struct dp_worker *workers;
    struct dp_up **ups; /* of the workers */
    struct dp_peers *peers;
    struct dp_trust *trust;
    pthread_mutex_t lock; /* guards backends, the control fields, and the order of messages */
    struct map *backends; /* "ns/service:port" -> struct dp_back */
    bool want_purge;
    pthread_mutex_t drain_lock;
    pthread_cond_t drained;
    int n_drained;
};

int dp_worker_init(struct loop *l, void *ctx, struct err *e);
void dp_worker_fini(struct loop *l, void *ctx);
void dp_worker_open(void *worker);  /* requests are taken from now on */
void dp_worker_drain(void *worker); /* no new connections; those that there are end */

#endif
