/* The Revision reconciler's function, apart from its registration so that table tests can call it.
 */
#ifndef NONAGON_SERVING_REVISION_REVISION_H
#define NONAGON_SERVING_REVISION_REVISION_H

#include "serving/serving_internal.h"

/* Index "revision" ("namespace/name" of the label) on the cache of Pods; before it has objects. */
void revision_add_index(struct manager *m);
/* reconcile_fn; ctx is the struct serving. */
void revision_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
