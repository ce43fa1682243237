/*
 * What the core's reconcilers share: the manager, the parsed configuration, the lists of running
 * classes. Each reconciler's register function makes its controller on s->m with s as context, and
 * keeps the controller in its own member here. All on the manager's loop.
 */
#ifndef NONAGON_SERVING_INTERNAL_H
#define NONAGON_SERVING_INTERNAL_H

#include "contract/config.h"
#include "contract/names.h"
#include "serving/serving.h"

struct digest_book; /* revision/digests.h */
struct class_check;

struct serving {
    struct manager *m;
    struct digest_resolver resolver;
    struct contract_config
        *config; /* never NULL; the pointer stays, sections are replaced by changes of their map */
    char **autoscaler_classes, **ingress_classes, **image_classes; /* copies, NULL-terminated */

    struct controller *service, *configuration, *revision, *route, *labeler,
        *sks;               /* NULL until registered */
    int64_t wall_offset_ns; /* of the wall clock to the monotonic one, at the start */
    struct digest_book *digests;
    struct class_check *class_check;

    unsigned resync[CONFIG_SECTION_MAX]; /* per section: SERVING_RESYNC_… */
};

/* Which controllers run all their keys again when a section changes; a register function adds its
 * bit. */
enum serving_resync {
    SERVING_RESYNC_CONFIGURATION = 1 << 0,
    SERVING_RESYNC_REVISION = 1 << 1,
    SERVING_RESYNC_ROUTE = 1 << 2,
    SERVING_RESYNC_SKS = 1 << 3,
    SERVING_RESYNC_SERVICE = 1 << 4,
};

/* An object of the shared cache, borrowed; NULL when absent. */
static inline const struct kobj *serving_get(const struct serving *s, const struct kube_resource *r,
                                             const char *ns, const char *name)
{
    return cache_get(manager_cache(s->m, r), ns, name);
}

/*
 * The time by which rollouts are paced. Their stamps are kept in an annotation, hence the scale of
 * the wall clock; its steps while this process runs would stop a rollout or rush it, hence the pace
 * of the monotonic one.
 */
static inline int64_t serving_pace_ns(const struct serving *s, const struct reconcile_ctx *rc)
{
    return rc->mono_ns + s->wall_offset_ns;
}

/* Whether a NULL-terminated list has the word. */
bool serving_class_known(char *const *classes, const char *name);

/*
 * Parts of serving_new, apart so that table tests can make a core without registering controllers:
 * the struct with default configuration, the manager's (or NULL) and nothing running.
 */
struct serving *serving_alloc(const struct serving_opts *o);

#endif
