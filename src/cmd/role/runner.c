/* The thread's own semaphore says that the caches are full; stopping joins the thread. */
#include "cmd/role/runner.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

bool sem_wait_ms(sem_t *s, int ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_SEC) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_SEC;
    }
    while (sem_clockwait(s, CLOCK_MONOTONIC, &until) < 0) {
        if (errno != EINTR)
            return false;
    }
    sem_post(s);
    return true;
}

void sem_wait_whole(sem_t *s)
{
    while (sem_wait(s) < 0)
        ;
}

static void on_synced(void *ctx)
{
    struct runner *r = ctx;

    sem_post(&r->synced);
}

static void fini(struct loop *l, void *ctx)
{
    struct runner *r = ctx;

    r->parts->free(r->self);
    if (r->m)
        manager_free(r->m);
    if (r->client)
        kube_client_free(r->client);
    r->m = NULL;
    r->client = NULL;
}

static int init(struct loop *l, void *ctx, struct err *e)
{
    struct runner *r = ctx;
    int code = r->parts->make(r->self, l, e);

    if (code < 0)
        fini(l, r);
    else if (r->m) {
        manager_on_synced(r->m, on_synced, r);
        manager_start(r->m);
    }
    return code;
}

int runner_start(struct runner *r, struct env *env, const struct runner_parts *parts, void *self,
                 struct err *e)
{
    r->env = env;
    r->parts = parts;
    r->self = self;
    sem_init(&r->synced, 0, 0);
    r->thread = loop_thread_start(parts->name, init, fini, r, e);
    return r->thread ? 0 : e->code ? e->code : -EIO;
}

int runner_open(struct runner *r, struct loop *l, struct err *e)
{
    _cleanup_free_ char *user = xasprintf("system:nonagon:%s", r->parts->name);

    r->client = env_client(&r->env->client, l, user);
    if (!r->client)
        return err_set(e, -ENOTCONN, "%s: nobody serves the Kubernetes API", r->parts->name);
    r->m = manager_new(l, r->client, r->parts->name);
    return 0;
}

bool runner_synced(struct runner *r, int ms)
{
    return sem_wait_ms(&r->synced, ms);
}

struct loop *runner_loop(struct runner *r)
{
    return loop_thread_loop(r->thread);
}

void runner_stop(struct runner *r)
{
    loop_thread_stop(r->thread);
    r->thread = NULL;
    sem_destroy(&r->synced);
}
