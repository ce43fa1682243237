/* Which keys depend on which objects, both ways. Pure; for controllers. */
#ifndef NONAGON_KUBE_TRACKER_H
#define NONAGON_KUBE_TRACKER_H

#include "kube/object.h"

struct tracker;
struct tracker *tracker_new(void);
void tracker_free(struct tracker *t);
void tracker_add(struct tracker *t, const char *key, const struct kube_resource *r, const char *ns,
                 const char *name);
void tracker_forget(struct tracker *t, const char *key); /* all of a key */
void tracker_each(const struct tracker *t, const struct kube_resource *r, const char *ns,
                  const char *name, void (*fn)(void *ctx, const char *key), void *ctx);

#endif
