/* The ServerlessService reconciler's function, apart from its registration so that table tests can
 * call it. */
#ifndef NONAGON_SERVING_SKS_SKS_H
#define NONAGON_SERVING_SKS_SKS_H

#include "serving/serving_internal.h"

/* Endpoints of the activators, in the system namespace: whoever runs activators in their own
 * processes writes it. */
#define ACTIVATOR_SERVICE "activator-service"

/* reconcile_fn; ctx is the struct serving, whose sks controller exists. */
void sks_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
