/*
 * The environment that roles are started with: what they are told, whom they reach, and what they
 * offer one another. A role knows its environment and no other role; `nonagon up` is the
 * environment whose pieces lie in one process.
 *
 * Threads: `config` and what stands beside it are set before the first role starts and stay as they
 * are. Links (env/link.h) are offered and called from any thread.
 */
#ifndef NONAGON_CMD_ENV_H
#define NONAGON_CMD_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/trace.h"
#include "cmd/env/link.h"

#define ENV_DATA_DIR       "/var/lib/nonagon"
#define ENV_CLUSTER_DOMAIN "cluster.local"
#define ENV_NODE_NAME      "nonagon"

/* What the command line says; strings are borrowed from it. */
struct env_config {
    const char *data_dir;
    const char *domain;     /* Services answer at NAME.NAMESPACE.DOMAIN */
    const char *kubeconfig; /* NULL = DATA_DIR/kubeconfig */
    const char *address;    /* of the public listeners; "" = all */
    const char *bridge, *subnet;
    int http_port, api_port;
    /* Listening sockets that whoever started the process opened, instead of the ports; 0 = none. */
    int http_fd, api_fd;
    bool accept_data_loss; /* start although acknowledged writes are gone */
};
/* What holds where nothing is said. */
void env_config_default(struct env_config *c);

struct env {
    struct env_config config;
    char local_ip[64]; /* of the pods' bridge: cluster-local listeners, DNS */
    const struct trace_sink *trace;
    struct env_link client;   /* struct env_client_ops: whoever serves the API */
    struct env_link arrivals; /* struct env_arrival_ops: whoever scales */
    struct env_link traffic;  /* struct env_traffic_ops: whoever carries requests */
    struct env_link pods;     /* struct kubelet_ops: whoever runs pods */
};
void env_open(struct env *e);
void env_close(struct env *e); /* after the last role has stopped */

/* Says who could not listen and, where the port is taken, which option chooses another. Returns the
 * code. */
int env_listen_error(struct err *e, const char *who, const char *option);

#endif
