/* The Configuration reconciler's function, apart from its registration so that table tests can call
 * it. */
#ifndef NONAGON_SERVING_CONFIGURATION_CONFIGURATION_H
#define NONAGON_SERVING_CONFIGURATION_CONFIGURATION_H

#include "serving/serving_internal.h"

/* Index "configuration" ("namespace/name" of the label) on the cache of Revisions; before it has
 * objects. */
void configuration_add_index(struct manager *m);
/* reconcile_fn; ctx is the struct serving. */
void configuration_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
