/* The Service reconciler's function, apart from its registration so that table tests can call it.
 */
#ifndef NONAGON_SERVING_SERVICE_SERVICE_H
#define NONAGON_SERVING_SERVICE_SERVICE_H

#include "serving/serving_internal.h"

/* reconcile_fn; ctx is the struct serving. */
void service_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
