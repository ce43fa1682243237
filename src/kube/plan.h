/*
 * What a reconciler wants written. A reconciler is a function from cached objects to a plan,
 * without I/O; the controller carries the plan out in order and feeds every answer back into the
 * caches (so the next run sees its own writes). A table test compares the plan's entries.
 *
 * When an entry fails: conflict / no answer / 5xx: the rest is dropped and the key is tried again
 * with back-off. Any other refusal (403, 422, 409 AlreadyExists of an object that the cache has not
 * got even after a while, …): the rest is dropped and the reconciler runs again at once with
 * `failure` set in its context, so that it can say so in a condition. Until its back-off (0.1 s,
 * doubled each time, to 5 minutes) is over or the object itself has changed, every further run has
 * `failure` set, the refused write is not made, nor what follows it but the object's own status and
 * events. What the reconciler does not say itself is said for it: one Warning event, and False in
 * the condition "Ready" if the object has that. NotFound on delete, and AlreadyExists on a create
 * marked with plan_create_or_keep, count as success.
 */
#ifndef NONAGON_KUBE_PLAN_H
#define NONAGON_KUBE_PLAN_H

#include "kube/client.h"
#include "kube/object.h"

struct plan;
struct plan *plan_new(void);
void plan_free(struct plan *p);

enum plan_op { PLAN_CREATE, PLAN_UPDATE, PLAN_UPDATE_STATUS, PLAN_PATCH, PLAN_DELETE, PLAN_EVENT };
struct plan_entry {
    enum plan_op op;
    const struct kube_resource *res;
    char *ns, *name;
    char *subresource; /* PATCH; NULL = the object */
    struct kmut *obj;  /* CREATE, UPDATE, UPDATE_STATUS: the whole object with its resourceVersion
                          for updates */
    enum kube_verb patch_type;
    char *body; /* PATCH: the text */
    char *uid;  /* DELETE: precondition; NULL = none */
    bool keep;  /* CREATE: AlreadyExists is success */
    bool aside; /* its refusal is no matter of the object's readiness */
    int tag;    /* the reconciler's own: which of its writes this is */
    /* EVENT: regarding res/ns/name/uid */
    char *type, *reason, *message; /* "Normal" or "Warning" */
};

/* Objects are taken over. */
void plan_create(struct plan *p, const struct kube_resource *r, struct kmut *obj);
void plan_create_or_keep(struct plan *p, const struct kube_resource *r, struct kmut *obj);
void plan_update(struct plan *p, const struct kube_resource *r, struct kmut *obj);
void plan_update_status(struct plan *p, const struct kube_resource *r, struct kmut *obj);
void plan_patch(struct plan *p, const struct kube_resource *r, const char *ns, const char *name,
                const char *subresource, enum kube_verb patch_type, const char *body);
void plan_delete(struct plan *p, const struct kube_resource *r, const char *ns, const char *name,
                 const char *uid);
void plan_event(struct plan *p, const struct kube_resource *r, const struct kobj *about,
                const char *type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
/* Marks the entry planned last, to be known again when it was refused. */
void plan_tag(struct plan *p, int tag);
/* The entry planned last is nice to have: were it refused, the object would be ready all the same.
 */
void plan_aside(struct plan *p);
/* Run the key again after this long; the shortest of several wins. */
void plan_requeue_after(struct plan *p, int64_t ns);
/* Ends in an error after the entries were written: a Warning event InternalError on the object,
 * then back-off. */
void plan_fail(struct plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

size_t plan_len(const struct plan *p);
const struct plan_entry *plan_at(const struct plan *p, size_t i);
int64_t plan_requeue(const struct plan *p);   /* -1 = none */
const char *plan_error(const struct plan *p); /* NULL = none */

/*
 * Owner-aware apply of one child: nothing if `live` (may be NULL) already has every field of `want`
 * with the same value (fields that `want` lacks are left alone), a create if live is NULL, else an
 * update that overlays `want` on live. Returns false, planning nothing, if live exists and is not
 * controlled by owner. Takes `want`.
 */
bool plan_apply_child(struct plan *p, const struct kube_resource *r, const struct kobj *owner,
                      const struct kobj *live, struct kmut *want);

#endif
