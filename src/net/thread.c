/*
 * A thread that owns a loop. The starter waits until init has run on the new thread, so a failure
 * is returned where the thread was asked for and the loop's address is known before anybody posts
 * to it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "net/loop.h"

struct loop_thread {
    pthread_t thread;
    char name[16];
    struct loop *loop;
    int (*init)(struct loop *l, void *ctx, struct err *e);
    void (*fini)(struct loop *l, void *ctx);
    void *ctx;
    pthread_mutex_t lock; /* guards started, result */
    pthread_cond_t cond;
    bool started;
    int result;
    struct err *err;
};

static int set_up(struct loop_thread *t)
{
    t->loop = loop_new(t->err);
    if (!t->loop)
        return -ENOMEM;
    int r = t->init ? t->init(t->loop, t->ctx, t->err) : 0;
    if (r < 0) {
        loop_free(t->loop);
        t->loop = NULL;
    }
    return r;
}

static void *thread_main(void *arg)
{
    struct loop_thread *t = arg;

    pthread_setname_np(pthread_self(), t->name);
    int r = set_up(t);
    pthread_mutex_lock(&t->lock);
    t->result = r;
    t->started = true;
    pthread_cond_signal(&t->cond);
    pthread_mutex_unlock(&t->lock);
    if (r < 0)
        return NULL;
    loop_run(t->loop);
    if (t->fini)
        t->fini(t->loop, t->ctx);
    loop_free(t->loop);
    return NULL;
}

static void thread_free(struct loop_thread *t)
{
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->cond);
    free(t);
}

struct loop_thread *loop_thread_start(const char *name,
                                      int (*init)(struct loop *l, void *ctx, struct err *e),
                                      void (*fini)(struct loop *l, void *ctx), void *ctx,
                                      struct err *e)
{
    struct loop_thread *t = xnew(struct loop_thread);
    struct err own = {0};

    snprintf(t->name, sizeof(t->name), "%s", name);
    t->init = init;
    t->fini = fini;
    t->ctx = ctx;
    t->err = e ? e : &own;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->cond, NULL);
    int r = pthread_create(&t->thread, NULL, thread_main, t);
    if (r != 0) {
        err_sys(e, r, "cannot start the thread %s", name);
        thread_free(t);
        return NULL;
    }
    pthread_mutex_lock(&t->lock);
    while (!t->started)
        pthread_cond_wait(&t->cond, &t->lock);
    pthread_mutex_unlock(&t->lock);
    if (t->result >= 0)
        return t;
    pthread_join(t->thread, NULL);
    thread_free(t);
    return NULL;
}

struct loop *loop_thread_loop(struct loop_thread *t)
{
    return t->loop;
}

void loop_thread_stop(struct loop_thread *t)
{
    if (!t)
        return;
    loop_stop(t->loop);
    pthread_join(t->thread, NULL);
    thread_free(t);
}
