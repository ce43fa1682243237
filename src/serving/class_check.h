/*
 * Says on a contract that nobody makes it true: a PodAutoscaler, Ingress or Image whose class has
 * no plugin here, and whose status nobody else touches for a while either (a plugin may run in a
 * process of its own), gets Ready=False, reason NoPluginForClass.
 */
#ifndef NONAGON_SERVING_CLASS_CHECK_H
#define NONAGON_SERVING_CLASS_CHECK_H

#include "serving/serving_internal.h"

/* How long a contract may go without an answer to its class. */
#define CLASS_CHECK_PATIENCE_NS (5 * 1000000000LL)

struct class_seam;
struct class_check *class_check_new(struct serving *s);
void class_check_free(struct class_check *cc);
struct class_seam *class_check_seam(struct class_check *cc, const struct kube_resource *r);
/* reconcile_fn of one seam's kind; ctx is the seam. */
void class_check_reconcile(void *seam, const struct reconcile_ctx *rc, struct plan *p);

#endif
