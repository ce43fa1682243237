/*
 * Gradual rollout: traffic that follows a Configuration's latest revision moves to a new one over a
 * given time instead of at once. Pure. The whole state is the JSON text of one annotation of the
 * Ingress (networking.internal.knative.dev/rollout), so that any controller can go on with it.
 */
#ifndef NONAGON_SERVING_ROUTE_ROLLOUT_H
#define NONAGON_SERVING_ROUTE_ROLLOUT_H

#include "base/arena.h"
#include "serving/route/traffic.h"

#define A_ROLLOUT "networking.internal.knative.dev/rollout"

struct rollout_revision {
    const char *name;
    int percent;
};
typedef VEC(struct rollout_revision) rollout_revisions;

struct rollout_entry {
    const char *configuration, *tag;
    int percent;
    rollout_revisions revisions; /* oldest first; more than one while rolling */
    int64_t start_ns, next_ns;   /* wall clock, 0 = unset */
    int64_t step_ns;             /* between steps; 0 until the first percent is being served */
    int step_size;               /* percent per step */
};

struct rollout {
    VEC(struct rollout_entry) entries; /* by tag, then configuration */
};
void rollout_done(struct rollout *ro);

/* What it is to be in the end: each following target wholly on its revision. Strings borrowed from
 * the traffic. */
void rollout_goal(struct rollout *ret, const struct traffic *t);
/* From the annotation; anything inconsistent is -EINVAL. Strings live in the arena. */
int rollout_parse(struct rollout *ret, struct arena *a, const char *text);
char *rollout_text(const struct rollout *ro); /* malloc'ed */

/* The new revision's first percent is served: settles the pace so that all is done duration_s after
 * the start. */
void rollout_observe_ready(struct rollout *ro, int64_t now_ns, int64_t duration_s);
/* One reconcile: the state after `before` on the way to `goal`. Strings borrowed from both. */
void rollout_step(struct rollout *ret, const struct rollout *before, const struct rollout *goal,
                  int64_t now_ns);

bool rollout_is_done(const struct rollout *ro);
int64_t rollout_next_ns(const struct rollout *ro); /* earliest due step, 0 = none */
/* NULL when absent. */
const struct rollout_entry *rollout_find(const struct rollout *ro, const char *tag,
                                         const char *configuration);

#endif
