/* A counted record under a lock; the node takes itself out of it. */
#include "cluster/node/kubelet/door.h"

#include <pthread.h>

struct kubelet_door {
    pthread_mutex_t lock;
    int refs;
    struct loop *loop;
    struct pod_table *pods; /* NULL once the node is gone, which happens on its loop */
};

struct kubelet_door *kubelet_door_open(struct loop *l, struct pod_table *pods)
{
    struct kubelet_door *d = xnew(struct kubelet_door);
    pthread_mutex_init(&d->lock, NULL);
    d->refs = 1;
    d->loop = l;
    d->pods = pods;
    return d;
}

struct kubelet_door *kubelet_door_ref(struct kubelet_door *d)
{
    pthread_mutex_lock(&d->lock);
    d->refs++;
    pthread_mutex_unlock(&d->lock);
    return d;
}

void kubelet_door_unref(struct kubelet_door *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    bool last = --d->refs == 0;
    pthread_mutex_unlock(&d->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void kubelet_door_close(struct kubelet_door *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->pods = NULL;
    pthread_mutex_unlock(&d->lock);
    kubelet_door_unref(d);
}

bool kubelet_door_post(struct kubelet_door *d, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&d->lock);
    bool posted = d->pods && loop_post(d->loop, fn, arg) == 0;
    pthread_mutex_unlock(&d->lock);
    return posted;
}

struct pod_table *kubelet_door_pods(struct kubelet_door *d)
{
    return d->pods;
}
