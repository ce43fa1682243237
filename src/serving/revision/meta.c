/* Everything is carried down except what speaks of the Revision's own routing. */
#include "serving/revision/meta.h"

#include "contract/names.h"

static bool drop_label(const char *key)
{
    return streq(key, L_ROUTE) || streq(key, L_ROUTING_STATE);
}

static bool drop_for_scaler(const char *key)
{
    return streq(key, A_LAST_PINNED) || streq(key, A_NO_GC) ||
           streq(key, A_ROUTING_STATE_MODIFIED) || streq(key, A_ROUTES);
}

static bool drop_annotation(const char *key)
{
    return drop_for_scaler(key) || z_starts(key, "autoscaling.knative.dev");
}

void revision_child_labels(struct kmut *child, const struct kobj *revision)
{
    const char *name = kobj_name(revision);

    child_labels(child, revision, drop_label);
    kmut_label(child, L_REVISION, name);
    kmut_label(child, L_REVISION_UID, kobj_uid(revision));
    if (!kobj_label(revision, L_APP))
        kmut_label(child, L_APP, name);
}

void revision_child_annotations(struct kmut *child, const struct kobj *revision)
{
    child_annotations(child, revision, drop_annotation);
}

void revision_scaler_annotations(struct kmut *child, const struct kobj *revision)
{
    child_annotations(child, revision, drop_for_scaler);
}
