/*
 * The roles of `nonagon up`: each is a struct on its own thread, started in order and stopped in
 * reverse. Functions ending in _start block until the role runs, those ending in _stop until it is
 * gone.
 */
#ifndef NONAGON_CMD_UP_H
#define NONAGON_CMD_UP_H

#include <semaphore.h>
#include <stdbool.h>

#include "base/err.h"
#include "cluster/apiserver/apiserver.h"
#include "cluster/node/node.h"
#include "dataplane/dataplane.h"
#include "kube/controller.h"
#include "net/loop.h"
#include "plugin/autoscaler/signal/signal.h"
#include "serving/serving.h"

#define UP_DATA_DIR       "/var/lib/nonagon"
#define UP_CLUSTER_DOMAIN "cluster.local"
#define UP_NODE_NAME      "nonagon"
#define UP_ACTIVATOR_PORT 8012

struct up_options {
    const char *data_dir;
    const char *domain;
    const char *kubeconfig; /* NULL = DATA_DIR/kubeconfig */
    const char *address;    /* "" = all */
    const char *bridge, *subnet;
    int http_port, api_port;
    bool accept_data_loss;
};

/* Says who could not listen and, where the port is taken, which option chooses another. Returns the
 * code. */
int up_listen_error(struct err *e, const char *who, const char *option);

/* ---- api: store, API server and its listener ---- */
struct up_api {
    const struct up_options *o;
    const char *listen_ip; /* of the bridge: also in the certificate */
    struct loop_thread *thread;
    struct store *store;
    struct apiserver *server;
    struct http_server *http;
    struct api_identity id;
    struct api_identity_keeper *keeper;
    sem_t ready, closed;
    struct err why;
};
int up_api_start(struct up_api *a, struct err *e);
void up_api_stop(struct up_api *a); /* also after a start that failed */
/* Who answers for pods' logs from now on (NULL: nobody); returns once no other is called any more.
 */
void up_api_set_kubelet(struct up_api *a, const struct kubelet *k);
/* A client of that API on another loop. */
struct kube_client *up_api_client(struct up_api *a, struct loop *l, const char *user);

/* Admission wiring: contract rules as the API server's in-process admission, and the one node for
 * every new pod. */
const struct admission *up_admissions(size_t *ret_n);

/* ---- a manager on a thread of its own, with its client ---- */
struct up_manager {
    struct kube_client *client;
    struct manager *m;
    sem_t synced;
};
void up_manager_open(struct up_manager *um, struct up_api *a, struct loop *l,
                     const char *component);
void up_manager_run(struct up_manager *um); /* starts it; synced is posted when caches are full */
void up_manager_close(struct up_manager *um);

/* ---- data plane, autoscaler, node, controller ---- */
struct up_autoscaler {
    struct up_api *api;
    struct loop_thread *thread;
    struct up_manager um;
    struct signal_hub *signals;
    struct kpa *kpa;
    struct dataplane *dp; /* set once it runs */
    struct timer *collect;
};
int up_autoscaler_start(struct up_autoscaler *a, struct err *e);
void up_autoscaler_attach(struct up_autoscaler *a, struct dataplane *dp);
void up_autoscaler_stop(struct up_autoscaler *a);
/* dp_opts.on_arrival; ctx is the up_autoscaler. */
void up_autoscaler_arrival(void *ctx, const char *ns, const char *revision);

struct up_node {
    struct up_api *api;
    struct dataplane *dp;
    const struct up_options *o;
    struct loop_thread *thread;
    struct up_manager um;
    struct image_store *images;
    struct node *node;
    sem_t stopped, detached;
};
int up_node_start(struct up_node *n, struct err *e);
/* Drains pods that run, or leaves them to the next start. */
void up_node_stop(struct up_node *n, bool drain);
/* The data plane is going: its counts are asked for no more when this returns. */
void up_node_detach(struct up_node *n);

struct up_controller {
    struct up_api *api;
    struct dataplane *dp;
    const struct up_options *o;
    const char *bridge_ip;
    struct loop_thread *thread;
    struct up_manager um;
    struct serving *serving;
    struct workload *workload;
    struct gateway *gateway;
    struct nothing *nothing;
    struct dns_server *dns;
};
int up_controller_start(struct up_controller *c, struct err *e);
void up_controller_stop(struct up_controller *c);

/* Image look-ups for digest resolution, with pull secrets from the manager's caches. */
struct digest_resolver up_digest_resolver(struct manager *m);

/* Creates the ConfigMaps that users edit, where they are missing; blocks. */
int up_defaults_install(struct up_api *a, const struct up_options *o, struct err *e);

#endif
