/* What most roles stand on: a thread with a loop, a client of the API, and a manager. */
#ifndef NONAGON_CMD_ROLE_RUNNER_H
#define NONAGON_CMD_ROLE_RUNNER_H

#include <semaphore.h>
#include <stdbool.h>

#include "cmd/env/env.h"
#include "kube/controller.h"

struct runner_parts {
    const char *name; /* of the thread, and of the user as whom the API is asked */
    /* On the thread, before its loop runs: makes what the role is made of. */
    int (*make)(void *self, struct loop *l, struct err *e);
    /* On the thread, at its end, or after make has failed half-way: frees what there is. */
    void (*free)(void *self);
};

struct runner {
    struct env *env;
    const struct runner_parts *parts;
    void *self;
    struct loop_thread *thread;
    struct kube_client *client; /* from runner_open on */
    struct manager *m;
    sem_t synced;
};
/* Starts the thread; it runs when this returns 0. */
int runner_start(struct runner *r, struct env *env, const struct runner_parts *parts, void *self,
                 struct err *e);
/* In make: client and manager; the manager starts once make has returned. */
int runner_open(struct runner *r, struct loop *l, struct err *e);
/* Waits up to ms for the manager's caches to be full; then true. */
bool runner_synced(struct runner *r, int ms);
struct loop *runner_loop(struct runner *r);
void runner_stop(
    struct runner *r); /* ends the loop, joins the thread; after a start that was good */

/* A semaphore's wait with a limit; true when it was posted, and it stays so. */
bool sem_wait_ms(sem_t *s, int ms);
/* Without limit. */
void sem_wait_whole(sem_t *s);

#endif
