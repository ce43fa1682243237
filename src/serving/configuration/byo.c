/* A Revision is ours by generation, or by having the very spec that the template asks for. */
#include "serving/configuration/byo.h"

#include <stdio.h>

#include "contract/names.h"

const char *byo_name(const struct kobj *o)
{
    const char *name = jget_str(kobj_root(o), "spec", "template", "metadata", "name");

    return name && name[0] ? name : NULL;
}

enum byo byo_check(const struct kobj *configuration, const struct kobj *revision)
{
    char generation[24];

    if (!byo_name(configuration))
        return BYO_NONE;
    if (!revision)
        return BYO_ABSENT;
    if (!kobj_controlled_by(revision, configuration))
        return BYO_CONFLICT;
    snprintf(generation, sizeof(generation), "%lld", (long long)kobj_generation(configuration));
    if (streq(kobj_label(revision, L_CONFIGURATION_GEN), generation) ||
        json_equal(jget(kobj_root(configuration), "spec", "template", "spec"),
                   jget(kobj_root(revision), "spec")))
        return BYO_OURS;
    return BYO_CONFLICT;
}
