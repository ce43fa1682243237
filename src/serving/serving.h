/*
 * The core: Service, Configuration, Revision, Route (with its labeler) and ServerlessService
 * reconcilers on one manager. Writes contracts, never calls a plugin. Also watches that every
 * contract's class has a running plugin, and says so on the object's condition within 10 s when it
 * has not.
 */
#ifndef NONAGON_SERVING_H
#define NONAGON_SERVING_H

#include "kube/controller.h"

/* How image tags become digests; given by whoever has a registry client. done exactly once, on the
 * manager's loop. */
struct digest_resolver {
    void (*resolve)(void *ctx, const char *ns, const char *image, const char *service_account,
                    const yyjson_val *image_pull_secrets,
                    void (*done)(void *to, const char *digest /* "sha256:…" or NULL */,
                                 const struct err *why),
                    void *to);
    void *ctx;
};

struct serving_opts {
    struct manager *manager;
    struct digest_resolver resolver;
    const char *cluster_domain; /* "cluster.local" */
    /* Classes with a running implementation, NULL-terminated, per seam. */
    const char *const *autoscaler_classes, *const *ingress_classes, *const *image_classes;
};
struct serving;
struct serving *serving_new(const struct serving_opts *o);
void serving_free(struct serving *s);

/* ---- one entry per reconciler, so that each can run alone ---- */
void service_reconciler_register(struct serving *s);
void configuration_reconciler_register(struct serving *s);
void revision_reconciler_register(struct serving *s);
void route_reconciler_register(struct serving *s);
void labeler_register(struct serving *s);
void sks_reconciler_register(struct serving *s);
void class_check_register(struct serving *s);

#endif
