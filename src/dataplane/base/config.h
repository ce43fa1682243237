/*
 * What the data plane is told: plain structures, which live as long as the call that gives them.
 * For users of the data plane through dataplane.h, and for its rooms.
 */
#ifndef NONAGON_DATAPLANE_BASE_CONFIG_H
#define NONAGON_DATAPLANE_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dp_visibility { DP_EXTERNAL, DP_LOCAL }; /* public listener; cluster-local listener */

struct dp_listen {
    const char *host; /* numeric address, "" = all */
    int port;
    enum dp_visibility visibility;
    /* true: the activator's port: routes by Knative-Serving-Namespace / -Revision headers, not by
     * host */
    bool activator;
    int fd; /* > 0: an already bound and listening socket (socket activation), taken over */
};

struct dp_kv {
    const char *name, *value;
};
struct dp_split {
    const char *ns, *service; /* with the port the backend's key */
    int port;
    int percent;
    const struct dp_kv *set_headers; /* after the split is chosen */
    size_t n_set_headers;
};
struct dp_path {
    const char *prefix;                /* "" = everything; literal string prefix of the path */
    const struct dp_kv *match_headers; /* all exactly equal */
    size_t n_match_headers;
    const char *rewrite_host;        /* NULL = keep; the old one goes to K-Original-Host */
    const struct dp_kv *set_headers; /* before the split */
    size_t n_set_headers;
    const struct dp_split *splits;
    size_t n_splits;
};
struct dp_rule {
    const char *const *hosts;
    size_t n_hosts;
    enum dp_visibility visibility; /* LOCAL: only on the local listener; EXTERNAL: on both */
    bool redirect_https;
    const struct dp_path *paths;
    size_t n_paths;
};
struct dp_ingress {
    const char *key; /* "namespace/name" of the Ingress */
    const struct dp_rule *rules;
    size_t n_rules;
    const char *hash; /* answered in K-Network-Hash to requests with K-Network-Probe: probe */
};
struct dp_endpoint {
    const char *ip;
    int port;
    const char *pod; /* name, for logs and metrics */
};
/*
 * What serves a Service's port. Where the Service is a revision's, requests wait while no endpoint
 * has room, and the revision's name carries the signals; several backends of one revision share the
 * counters of their pods. A plain Service has neither: 503 at once while it has no endpoint.
 */
struct dp_backend {
    const char *ns, *service;
    int port;
    const char *revision;      /* NULL: a plain Service. Stays what it was first for a key. */
    int container_concurrency; /* 0 = unlimited */
    uint64_t timeout_ms;       /* whole request; 0 = none; answered 504 "request timeout" */
    uint64_t response_start_timeout_ms;  /* 0 = none */
    uint64_t idle_timeout_ms;            /* 0 = none */
    const struct dp_endpoint *endpoints; /* ready pods: address of the user container */
    size_t n_endpoints;
};

#endif
