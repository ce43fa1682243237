/* The plan's inside, for the files that judge or carry it out. */
#ifndef NONAGON_KUBE_PLAN_IMPL_H
#define NONAGON_KUBE_PLAN_IMPL_H

#include "base/vec.h"
#include "kube/plan.h"

struct plan {
    VEC(struct plan_entry) entries;
    int64_t requeue;
    char *error;
};

void plan_drop(struct plan *p, size_t i);

#endif
