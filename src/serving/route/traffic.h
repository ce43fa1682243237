/*
 * Which revisions a Route's traffic means: its spec.traffic looked up in the caches. Pure. Every
 * string is borrowed from the Route or the cached objects, so the result lives as long as one
 * reconcile.
 */
#ifndef NONAGON_SERVING_ROUTE_TRAFFIC_H
#define NONAGON_SERVING_ROUTE_TRAFFIC_H

#include "kube/cache.h"

struct traffic_target {
    const char *tag;           /* "" = none */
    const char *configuration; /* that owns the revision */
    const char *revision;
    int percent;
    bool latest; /* follows the configuration's latest ready revision */
    bool h2c;    /* the revision's port speaks HTTP/2 with prior knowledge */
};
typedef VEC(struct traffic_target) traffic_targets;

/* What one host serves: the default host "" all targets, a tag's host its own. Equal revisions are
 * summed. */
struct traffic_group {
    const char *tag;
    traffic_targets targets;
};

/* An object that the answer depends on, whether it exists or not. */
struct traffic_ref {
    const struct kube_resource *res;
    const char *name;
};

enum traffic_verdict {
    TRAFFIC_ASSIGNED, /* every target is a ready revision */
    TRAFFIC_WAITING,  /* may come right by itself */
    TRAFFIC_FAILED,
};

struct traffic {
    traffic_targets targets;          /* those that resolved, in the order of the spec */
    VEC(struct traffic_group) groups; /* by tag, the default host first */
    VEC(struct traffic_ref) refs;
    enum traffic_verdict verdict;
    const char *reason; /* of the verdict, when not assigned */
    char message[768];
};

void traffic_resolve(struct traffic *t, const struct kobj *route,
                     const struct cache *configurations, const struct cache *revisions);
void traffic_done(struct traffic *t);

/* Whether the port of a Revision is named "h2c". */
bool revision_speaks_h2c(const struct kobj *revision);

#endif
