/* The manager's inside, shared by its source files. */
#ifndef NONAGON_KUBE_INFORMER_H
#define NONAGON_KUBE_INFORMER_H

#include "base/list.h"
#include "kube/controller.h"
#include "kube/recorder.h"

/* An own write was answered with this object: into the cache, if there is one of its resource. */
void manager_learn(struct manager *m, const struct kube_resource *r, const struct kobj *o);
struct recorder *manager_recorder(struct manager *m);

/* Controllers register themselves. */
struct manager_member {
    struct list node;
    void (*ready)(void *self); /* every informer is synced: work may begin, or go on */
    void (*destroy)(void *self);
    void *self;
};
void manager_join(struct manager *m, struct manager_member *member);

#endif
