/*
 * The embedded Kubernetes API server over a store: one handler for HTTP and in-process requests, on
 * one loop. See the folder's files for discovery, verbs, watch, tables, custom resources,
 * admission, and identities.
 */
#ifndef NONAGON_CLUSTER_APISERVER_H
#define NONAGON_CLUSTER_APISERVER_H

#include "cluster/store/store.h"
#include "http/exchange.h"
#include "kube/object.h"

struct apiserver;

/*
 * In-process admission. mutate changes the object in place (defaulting) before validation; validate
 * refuses with a message. Both are called for create and update (also of the status subresource:
 * `subresource` = "status") of the resource they are registered for. `old` is NULL on create.
 * `user` is the requester. A refusal is answered 400 BadRequest: `admission webhook "NAME" denied
 * the request: MESSAGE`.
 */
struct admission_request {
    const struct kube_resource *res;
    const char *subresource; /* "" or "status" */
    const char *user;
    struct kmut *obj; /* mutate may change it */
    const struct kobj *old;
    bool dry_run;
    struct apiserver *api; /* for look-ups of committed objects (ConfigMaps) */
};
struct admission {
    const char *name;        /* "validation.webhook.serving.knative.dev" */
    const char *mutate_name; /* "webhook.serving.knative.dev" */
    const struct kube_resource *res;
    int (*mutate)(void *ctx, struct admission_request *rq, struct err *e);
    /* warnings: each call of warn adds a Warning header */
    int (*validate)(void *ctx, struct admission_request *rq,
                    void (*warn)(void *to, const char *text), void *to, struct err *e);
    void *ctx;
};

/* What the node agent answers for pods' logs subresource; streamed into the exchange, which it
 * takes over. */
typedef void pod_log_fn(void *ctx, struct http_exchange *x, const char *ns, const char *pod);

struct apiserver_opts {
    struct store *store;
    const struct admission *admissions;
    size_t n_admissions;
    const char *const
        *crds;           /* NULL-terminated YAML texts installed (and kept up to date) at start */
    const char *version; /* gitVersion shown to clients, e.g. "v1.32.0+nonagon-0.1.0" */
    pod_log_fn *pod_log; /* NULL = 404; may be set later */
    void *pod_log_ctx;
};
struct apiserver *apiserver_new(struct loop *l, const struct apiserver_opts *o, struct err *e);
/* Before store_close; what writes in flight still need stays until their callbacks have run. */
void apiserver_free(struct apiserver *a);
/* The handler for http_server and kube_transport_inproc; ctx is the apiserver. */
void apiserver_handle(void *ctx, struct http_exchange *x);
void apiserver_set_pod_log(struct apiserver *a, pod_log_fn *fn, void *ctx);
/* A committed object for admission code, or NULL. The caller unrefs. */
const struct kobj *apiserver_lookup(struct apiserver *a, const struct kube_resource *r,
                                    const char *ns, const char *name);
/* Calls fn once the built-in objects (namespaces, CRDs) are committed and the API is ready to
 * serve. */
void apiserver_on_ready(struct apiserver *a, void (*fn)(void *ctx, const struct err *why),
                        void *ctx);

/* ---- identities: the data directory's own CA, server and admin certificates ---- */
struct tls_server;
struct api_identity {
    struct tls_server *tls; /* for the listener */
    char *ca_pem;
    char *client_cert_pem, *client_key_pem; /* CN=kubernetes-admin, O=system:masters */
};
/* Loads from DIR/pki or makes them (files 0600, directory 0700); renews what ends within 30 days.
 */
int api_identity_load(const char *dir, const char *const *extra_ips, struct api_identity *ret,
                      struct err *e);
void api_identity_done(struct api_identity *id);
/* Writes a kubeconfig (mode 0600, atomically). */
int api_identity_kubeconfig(const struct api_identity *id, const char *path, const char *server_url,
                            struct err *e);

#endif
