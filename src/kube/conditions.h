/*
 * Condition sets with Knative's arithmetic (facts: serving-api §5.1, ingress §3): dependents roll
 * up into one top condition ("Ready"; False beats Unknown, then the latest transition), conditions
 * sorted by type, an identical write keeps lastTransitionTime, non-dependents have severity Info.
 *
 * Use: cs_begin on a copy of the object, mark, cs_end; then plan the status if it changed.
 */
#ifndef NONAGON_KUBE_CONDITIONS_H
#define NONAGON_KUBE_CONDITIONS_H

#include "kube/object.h"
#include "kube/plan.h"

struct condition_set {
    const char *top;               /* "Ready" */
    const char *const *dependents; /* NULL-terminated */
};

struct cond {
    const struct condition_set *set;
    struct kmut *obj; /* being built; its status.conditions is rewritten by cs_end */
    const struct kobj *before;
    int64_t now_ns; /* wall clock */
};

/*
 * Starts a reconcile's status: copies `live`, fills missing conditions with Unknown, and when the
 * generation is not yet observed marks the top Unknown / NewObservedGenFailure. The copy is c->obj;
 * cs_end hands it over.
 */
void cs_begin(struct cond *c, const struct condition_set *set, const struct kobj *live,
              int64_t now_ns);
void cs_true(struct cond *c, const char *type);
void cs_true_reason(struct cond *c, const char *type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void cs_false(struct cond *c, const char *type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void cs_unknown(struct cond *c, const char *type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Copies status, reason, message of a condition of another object; NULL other: leaves this one
 * alone. */
void cs_mirror(struct cond *c, const char *type, const yyjson_val *other_condition);
void cs_clear(struct cond *c, const char *type); /* non-terminal types only */
const char *cs_status(const struct cond *c,
                      const char *type); /* "True", "False", "Unknown", NULL */
const char *cs_reason(const struct cond *c, const char *type);
/*
 * Ends: observedGeneration := generation, transition times settled (one stamp for all that
 * changed). Plans a status update if anything but times changed; frees or hands over c->obj either
 * way. Returns true if one was planned.
 */
bool cs_end(struct cond *c, struct plan *p, const struct kube_resource *r);

/*
 * How long a condition has held. Its stamp is of the wall clock, which may be stepped; so the stamp
 * is believed when it is first seen (one from the future means just now), and from then on the
 * monotonic clock counts. Starts zeroed; one per condition of an object.
 */
struct cond_age {
    bool seen;
    int64_t stamp_ns;          /* wall */
    int64_t base_ns, since_ns; /* its age when first seen; monotonic */
};
/* 0 for a condition without a stamp. */
int64_t cond_age_ns(struct cond_age *a, const yyjson_val *condition, int64_t wall_ns,
                    int64_t mono_ns);

#endif
