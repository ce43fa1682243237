/*
 * The fast path: Revisions and their ready pods, kept in the data plane. Follows the informers of
 * Revisions and Pods directly: a pod that becomes ready reaches the data plane in the turn in which
 * its event arrives, without waiting for endpoints to be written. What does not change costs
 * nothing.
 *
 * Every Revision is given, whether an Ingress leads to it or not: the activator's port serves them
 * all. Until the first full list nothing is given, so that a restart never shrinks what the data
 * plane has. On the manager's loop.
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_REVISIONS_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_REVISIONS_H

#include "dataplane/dataplane.h"
#include "kube/controller.h"
#include "plugin/ingress/gateway/source.h"

struct revisions;
struct revisions_opts {
    struct manager *manager;
    struct dataplane *dataplane;
    /* A Revision appeared or is gone. */
    void (*on_known)(void *ctx, const char *ns, const char *revision);
    void *ctx;
};
/* Before manager_start: registers with the manager. */
struct revisions *revisions_new(const struct revisions_opts *o);
void revisions_free(struct revisions *r);

/* informer_fn, and what is called when all informers have listed; for table tests. ctx is the
 * struct revisions. */
void revisions_on_revision(void *ctx, const struct kobj *before, const struct kobj *after);
void revisions_on_pod(void *ctx, const struct kobj *before, const struct kobj *after);
void revisions_on_synced(void *ctx);

/* Owns the Services that a ServerlessService made for a Revision. Its self is the struct revisions.
 */
extern const struct endpoint_source revision_source;

#endif
