/* The Route reconciler's function, apart from its registration so that table tests can call it. */
#ifndef NONAGON_SERVING_ROUTE_ROUTE_H
#define NONAGON_SERVING_ROUTE_ROUTE_H

#include "serving/serving_internal.h"

/* reconcile_fn; ctx is the struct serving, whose route controller exists. */
void route_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
