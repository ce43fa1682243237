/*
 * Manager, informers and controllers on one loop. The shape of a plugin:
 *
 *     struct manager *m = manager_new(loop, client, "my-plugin");
 *     struct controller *c = controller_new(m, &(struct controller_opts){.name = "my-ingress",
 *                                           .res = &KR_INGRESS, .reconcile = reconcile, .ctx =
 * self}); controller_watch_owned(c, &KR_SERVICE); manager_start(m);
 *
 * Reconcilers run after the first list of every informer is complete; one at a time, on the loop.
 */
#ifndef NONAGON_KUBE_CONTROLLER_H
#define NONAGON_KUBE_CONTROLLER_H

#include "kube/cache.h"
#include "kube/client.h"
#include "kube/plan.h"
#include "kube/workqueue.h"

struct manager;
/* component: source of events and user agent. The client stays the caller's. */
struct manager *manager_new(struct loop *l, struct kube_client *client, const char *component);
void manager_free(struct manager *m);
struct kube_client *manager_client(struct manager *m);
struct loop *manager_loop(struct manager *m);
/*
 * The shared informer's cache of a resource, made on first use. One made after manager_start pauses
 * the reconcilers until its first list is complete, or until listing has turned out to fail.
 */
struct cache *manager_cache(struct manager *m, const struct kube_resource *r);
/* As above, limited on the server by selectors (given once, at first use; NULL = none). */
struct cache *manager_cache_selected(struct manager *m, const struct kube_resource *r,
                                     const char *label_selector, const char *field_selector);
/* Starts all informers, then the controllers. */
void manager_start(struct manager *m);
bool manager_synced(const struct manager *m);
void manager_on_synced(struct manager *m, void (*fn)(void *ctx), void *ctx);
/* For tests without a server: caches are filled by hand, manager_start is not called. */

/* Calls fn on every change of a resource: before (NULL = added) and after (NULL = removed),
 * borrowed. */
typedef void informer_fn(void *ctx, const struct kobj *before, const struct kobj *after);
void manager_on_change(struct manager *m, const struct kube_resource *r, informer_fn *fn,
                       void *ctx);

struct reconcile_ctx {
    struct manager *m; /* caches: manager_cache(m, …) */
    const char *key, *ns, *name;
    const struct kobj *obj; /* NULL: the object is gone */
    int64_t now_ns;         /* wall clock, for stamps alone */
    int64_t mono_ns;        /* for intervals */
    /* A write of this key was refused and may not be tried again yet: why, and which; or NULL. */
    const struct kube_status *failure;
    const struct plan_entry *failed;
};
typedef void reconcile_fn(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

struct controller_opts {
    const char *name;
    const struct kube_resource *res;
    reconcile_fn *reconcile;
    void *ctx;
    /* Only objects with this annotation value are this controller's (class selection); NULL key =
     * all. `class_default` true: objects without the annotation are too. An object that leaves the
     * class is reconciled no more. */
    const char *class_annotation, *class_value;
    bool class_default;
    int64_t resync_ns; /* 0 = 10 h */
};
struct controller;
struct controller *controller_new(struct manager *m, const struct controller_opts *o);
void controller_enqueue(struct controller *c, const char *ns, const char *name);
void controller_enqueue_after(struct controller *c, const char *ns, const char *name,
                              int64_t delay_ns);
void controller_enqueue_all(struct controller *c);
/* Changes of children enqueue their controller owner, if of this controller's kind. */
void controller_watch_owned(struct controller *c, const struct kube_resource *child);
/* Changes of any resource enqueue the keys that map emits (called for the old and the new object).
 */
typedef void map_fn(void *ctx, const struct kobj *o,
                    void (*emit)(void *to, const char *ns, const char *name), void *to);
void controller_watch_mapped(struct controller *c, const struct kube_resource *r, map_fn *map,
                             void *ctx);

/*
 * Tracker: "key depends on that object, which may not exist yet". controller_track is called inside
 * reconcile; when the object appears, changes or goes, the key runs again. Tracks of a key are
 * replaced at its next run.
 */
void controller_track(struct controller *c, const struct reconcile_ctx *rc,
                      const struct kube_resource *r, const char *ns, const char *name);

#endif
