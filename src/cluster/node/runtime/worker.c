/*
 * A queue under a mutex and one thread. The thread reports its start-up (the namespace) through the
 * same condition variable.
 */
#include "cluster/node/runtime/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/list.h"

struct job {
    struct list link;
    void (*work)(void *arg), (*done)(void *arg);
    void *arg;
};

struct runtime_worker {
    struct loop *loop;
    enum cgroup_mode mode;
    const char *scratch;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list jobs;
    bool started, stopping;
    int mnt_ns;
    struct err err;
};

static int enter_namespace(struct runtime_worker *w, struct err *e)
{
    if (unshare(CLONE_FS | CLONE_NEWNS) < 0)
        return err_sys(e, errno, "making a mount namespace for pods (are you root?)");
    /* Slave: what is mounted on the machine later is seen, what is mounted here is not. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_sys(e, errno, "separating the mount namespace for pods");
    w->mnt_ns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (w->mnt_ns < 0)
        return err_sys(e, errno, "opening the mount namespace for pods");
    return cgroup_prepare_view(w->mode, w->scratch, e);
}

static struct job *next_job(struct runtime_worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (list_empty(&w->jobs) && !w->stopping)
        pthread_cond_wait(&w->changed, &w->lock);
    struct job *j = NULL;
    if (!list_empty(&w->jobs)) {
        j = list_entry(w->jobs.next, struct job, link);
        list_del(&j->link);
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void *worker_main(void *arg)
{
    struct runtime_worker *w = arg;
    struct err err = {0};
    enter_namespace(w, &err);
    pthread_mutex_lock(&w->lock);
    w->err = err;
    w->started = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    for (struct job *j; !err.code && (j = next_job(w));) {
        j->work(j->arg);
        if (j->done)
            loop_post(w->loop, j->done, j->arg);
        free(j);
    }
    return NULL;
}

struct runtime_worker *runtime_worker_new(struct loop *l, enum cgroup_mode mode,
                                          const char *scratch, struct err *e)
{
    struct runtime_worker *w = xnew(struct runtime_worker);
    *w = (struct runtime_worker){.loop = l, .mode = mode, .scratch = scratch, .mnt_ns = -1};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    list_init(&w->jobs);
    int r = pthread_create(&w->thread, NULL, worker_main, w);
    if (r != 0) {
        err_sys(e, r, "starting the node's worker thread");
        free(w);
        return NULL;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->started)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    if (!w->err.code)
        return w;
    err_set(e, w->err.code, "%s", w->err.msg);
    runtime_worker_free(w);
    return NULL;
}

void runtime_worker_free(struct runtime_worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    closep(&w->mnt_ns);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int runtime_worker_mnt_ns(const struct runtime_worker *w)
{
    return w->mnt_ns;
}

void runtime_worker_do(struct runtime_worker *w, void (*work)(void *arg), void (*done)(void *arg),
                       void *arg)
{
    struct job *j = xnew(struct job);
    j->work = work;
    j->done = done;
    j->arg = arg;
    list_init(&j->link);
    pthread_mutex_lock(&w->lock);
    list_push_back(&w->jobs, &j->link);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}
