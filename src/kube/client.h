/*
 * Kubernetes API client: asynchronous, on one loop, over a transport. Two transports exist, HTTP(S)
 * and in-process; nothing above the client can tell them apart.
 */
#ifndef NONAGON_KUBE_CLIENT_H
#define NONAGON_KUBE_CLIENT_H

#include "http/exchange.h"
#include "kube/object.h"
#include "net/loop.h"

/* ---- transport ---- */
struct kube_transport;
struct kube_http_opts {
    const char *server;                      /* https://host:port or http://host:port */
    const char *ca_pem, *cert_pem, *key_pem; /* NULL where not used */
    const char *token;
    bool insecure;
};
struct kube_transport *kube_transport_http(struct loop *l, const struct kube_http_opts *o,
                                           struct err *e);
/* Reads a kubeconfig file (current-context; inline or file certificates, token). */
struct kube_transport *kube_transport_kubeconfig(struct loop *l, const char *path, struct err *e);
/* A pod's service account (the files under /var/run/secrets/kubernetes.io/serviceaccount). */
struct kube_transport *kube_transport_incluster(struct loop *l, struct err *e);
/*
 * Hands requests to `handler` on server_loop, as user `user` of group "system:masters". May be used
 * from a loop that is server_loop itself.
 */
struct kube_transport *kube_transport_inproc(struct loop *l, struct loop *server_loop,
                                             http_handler_fn *handler, void *ctx, const char *user);
/* The same with a head handler (may be NULL, see http/exchange.h) and a whole identity (copied). */
struct kube_inproc_opts {
    struct loop *server_loop;
    http_handler_fn *head, *handler;
    void *ctx;
    const struct user_info *user;
};
struct kube_transport *kube_transport_inproc_with(struct loop *l, const struct kube_inproc_opts *o);
void kube_transport_free(struct kube_transport *t);

/* ---- requests ---- */
struct kube_client;
struct kube_client *kube_client_new(struct loop *l, struct kube_transport *t /* taken */);
void kube_client_free(struct kube_client *c); /* running requests end with an error first */
struct loop *kube_client_loop(struct kube_client *c);

enum kube_verb {
    KUBE_GET,
    KUBE_LIST,
    KUBE_CREATE,
    KUBE_UPDATE,
    KUBE_DELETE,
    KUBE_PATCH_MERGE,
    KUBE_PATCH_JSON,
    KUBE_PATCH_STRATEGIC
};

struct kube_status { /* how a request ended */
    int code;        /* HTTP status; 0 = no answer (err says why) */
    char reason[64]; /* Status.reason: "NotFound", "Conflict", "AlreadyExists", … */
    struct err err;  /* code 0 on success (2xx) */
};
bool kube_is_not_found(const struct kube_status *s);
bool kube_is_conflict(const struct kube_status *s);
bool kube_is_exists(const struct kube_status *s);
/* Worth trying again without a change: no answer, 409 conflict, 429, 5xx. */
bool kube_is_retryable(const struct kube_status *s);

struct kube_request {
    enum kube_verb verb;
    const struct kube_resource *res;
    const char *ns;          /* NULL or "" = all namespaces / cluster-scoped */
    const char *name;        /* not for LIST and CREATE */
    const char *subresource; /* "status", "scale", NULL */
    const char *query;       /* "labelSelector=a%3Db&limit=500", NULL */
    struct str body;         /* CREATE, UPDATE, PATCH; DELETE: DeleteOptions */
};
/* body: the answer's bytes (an object, a list, or a Status); valid during the call. Called once,
 * never inside kube_do. */
typedef void kube_done_fn(void *ctx, const struct kube_status *st, struct str body);
void kube_do(struct kube_client *c, const struct kube_request *rq, kube_done_fn *done, void *ctx);

/* A raw GET of any path, for health and discovery. */
void kube_get_path(struct kube_client *c, const char *path, kube_done_fn *done, void *ctx);

/* ---- watch: one line-delimited stream ---- */
struct kube_watch;
struct kube_watch_events {
    /* type: "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"; obj is the event's object,
     * borrowed. */
    void (*on_event)(void *ctx, const char *type, const struct kobj *obj);
    void (*on_end)(void *ctx, const struct kube_status *st); /* once; 410 = list again */
};
struct kube_watch *kube_watch_start(struct kube_client *c, const struct kube_resource *res,
                                    const char *ns, const char *query /* with resourceVersion=… */,
                                    const struct kube_watch_events *ev, void *ctx);
void kube_watch_stop(struct kube_watch *w); /* no callback follows */

#endif
