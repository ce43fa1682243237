/* The labeler's reconcile function, apart from its registration so that table tests can call it. */
#ifndef NONAGON_SERVING_LABELER_LABELER_H
#define NONAGON_SERVING_LABELER_LABELER_H

#include "serving/serving_internal.h"

#define ROUTE_FINALIZER "routes.serving.knative.dev"

/* Indices "routes" on the caches of Configurations and Revisions; before they have objects. */
void labeler_add_indices(struct manager *m);
/* reconcile_fn; ctx is the struct serving, whose labeler controller exists. Keyed on Routes; never
 * writes status. */
void labeler_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
