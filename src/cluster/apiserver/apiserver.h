/*
 * The embedded Kubernetes API server over a store: one handler for HTTP and in-process requests, on
 * one loop. The rooms below it lie in the order in which a request passes them; handler.c has the
 * stages.
 */
#ifndef NONAGON_CLUSTER_APISERVER_H
#define NONAGON_CLUSTER_APISERVER_H

#include "cluster/apiserver/admission/admission.h"
#include "cluster/apiserver/auth/authn.h"
#include "cluster/apiserver/auth/authz.h"
#include "cluster/kubelet/kubelet.h"
#include "cluster/store/store.h"
#include "http/exchange.h"
#include "kube/object.h"

struct apiserver;

struct apiserver_opts {
    struct store *store;
    const struct admission *admissions; /* copied; see admission.h */
    size_t n_admissions;
    const char *const
        *crds;           /* NULL-terminated YAML texts installed (and kept up to date) at start */
    const char *version; /* gitVersion shown to clients; NULL = APISERVER_VERSION */
    struct kubelet kubelet;                     /* may be set later */
    const struct authenticator *authenticators; /* NULL = authenticators_default */
    const struct authorizer *authorizer;        /* NULL = authorizer_masters */
};
/*
 * The Kubernetes that clients may take this for: current controllers refuse to start below 1.34
 * (knative.dev/pkg), and nothing that they look for by version only came later.
 */
#define APISERVER_VERSION "v1.34.0+nonagon-" NONAGON_VERSION

struct apiserver *apiserver_new(struct loop *l, const struct apiserver_opts *o, struct err *e);
/* Before store_close; what writes in flight still need stays until their callbacks have run. */
void apiserver_free(struct apiserver *a);
/*
 * The handlers for http_server and kube_transport_inproc; ctx is the apiserver. The one for heads
 * finds out who asks and whether he may before a body is read; without it, the other does.
 */
void apiserver_head(void *ctx, struct http_exchange *x);
void apiserver_handle(void *ctx, struct http_exchange *x);
void apiserver_set_kubelet(struct apiserver *a, const struct kubelet *k);
/* A committed object, or NULL. The caller unrefs. */
const struct kobj *apiserver_lookup(struct apiserver *a, const struct kube_resource *r,
                                    const char *ns, const char *name);
/* Calls fn once the built-in objects (namespaces, CRDs) are committed and the API is ready to
 * serve. */
void apiserver_on_ready(struct apiserver *a, void (*fn)(void *ctx, const struct err *why),
                        void *ctx);

/* ---- identities: the data directory's own CA, server and admin certificates ---- */
struct tls_server;
struct api_identity {
    struct tls_server *tls; /* for the listener; stays the same object over renewals */
    char *ca_pem;
    char *client_cert_pem, *client_key_pem; /* CN=kubernetes-admin, O=system:masters */
    char *dir, **ips;                       /* for renewals */
};
/*
 * Loads from DIR/pki or makes them (files 0600, directory 0700); renews what ends within 30 days.
 * An authority that is there and cannot be used is an error that says what to do.
 */
int api_identity_load(const char *dir, const char *const *extra_ips, struct api_identity *ret,
                      struct err *e);
/* The same at this time; what changed is presented to new connections, and open ones go on. */
int api_identity_renew(struct api_identity *id, int64_t wall_ns, bool *ret_changed, struct err *e);
/*
 * Looks once an hour, by the loop's wall clock. renewed is called when something changed, so that
 * the kubeconfig can be written again, or with the error; it will be tried again then.
 */
struct api_identity_keeper;
typedef void api_identity_renewed_fn(void *ctx, const struct err *err);
struct api_identity_keeper *api_identity_keep(struct loop *l, struct api_identity *id,
                                              api_identity_renewed_fn *renewed, void *ctx);
void api_identity_keeper_look(struct api_identity_keeper *k); /* at once */
void api_identity_keeper_free(struct api_identity_keeper *k);
void api_identity_done(struct api_identity *id);
/* Writes a kubeconfig (mode 0600, atomically). */
int api_identity_kubeconfig(const struct api_identity *id, const char *path, const char *server_url,
                            struct err *e);

#endif
