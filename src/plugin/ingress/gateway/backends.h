/*
 * Revisions and their ready pods, kept in the data plane as backends. Follows the informers of
 * Revisions and Pods directly: a pod that becomes ready reaches the data plane in the turn in which
 * its event arrives, without waiting for Endpoints to be written. What does not change costs
 * nothing.
 *
 * One per gateway, on the manager's loop. Until the first full list nothing is given to the data
 * plane, so that a restart never shrinks what it has.
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_BACKENDS_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_BACKENDS_H

#include "dataplane/dataplane.h"
#include "kube/controller.h"

struct backends;
struct backends *backends_new(struct loop *l, struct dataplane *dp);
void backends_free(struct backends *b);

/* informer_fn; ctx is the struct backends. */
void backends_on_revision(void *ctx, const struct kobj *before, const struct kobj *after);
void backends_on_pod(void *ctx, const struct kobj *before, const struct kobj *after);
/* All informers have listed: gives everything known to the data plane, and from now on every
 * change. */
void backends_on_synced(void *ctx);

#endif
