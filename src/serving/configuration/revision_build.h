/* The Revision that a Configuration's present generation asks for. Pure. */
#ifndef NONAGON_SERVING_CONFIGURATION_REVISION_BUILD_H
#define NONAGON_SERVING_CONFIGURATION_REVISION_BUILD_H

#include "kube/object.h"

struct kmut *configuration_revision(const struct kobj *configuration, int64_t now_ns);

#endif
