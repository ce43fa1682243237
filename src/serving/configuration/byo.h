/* Revision names that users bring themselves: is the one of a template free, ours, or taken? Pure.
 */
#ifndef NONAGON_SERVING_CONFIGURATION_BYO_H
#define NONAGON_SERVING_CONFIGURATION_BYO_H

#include "kube/object.h"

enum byo {
    BYO_NONE,     /* the template has no name */
    BYO_ABSENT,   /* no Revision has it */
    BYO_OURS,     /* the Revision that has it is this generation's, or has the same spec */
    BYO_CONFLICT, /* somebody else's, or ours with another spec */
};

/* The template's name of a Configuration or Service; NULL when there is none. */
const char *byo_name(const struct kobj *o);
/* revision: the one of that name, or NULL. */
enum byo byo_check(const struct kobj *configuration, const struct kobj *revision);

#endif
