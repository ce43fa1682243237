/*
 * The loop proper: running, stopping, posting from other threads, deferring, the thread pool.
 *
 * Posted calls collect in an array under a mutex; only the first of a burst wakes the loop, which
 * swaps the whole array out and runs it without the lock. Deferred calls run in libuv's check
 * phase; an idle handle keeps the poll from sleeping while some wait.
 */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "net/loop_impl.h"

static void run_calls(struct loop_calls *calls)
{
    for (size_t i = 0; i < calls->n; i++)
        calls->p[i].fn(calls->p[i].arg);
}

static bool run_posted(struct loop *l)
{
    struct loop_calls calls;

    pthread_mutex_lock(&l->lock);
    calls = l->posted;
    l->posted = (struct loop_calls){0};
    pthread_mutex_unlock(&l->lock);
    run_calls(&calls);
    bool any = calls.n > 0;
    vec_done(&calls);
    return any;
}

static void on_wake(uv_async_t *h)
{
    struct loop *l = container_of(h, struct loop, wake);

    run_posted(l);
    if (atomic_load(&l->stop))
        uv_stop(&l->uv);
}

static void on_turn(uv_prepare_t *h)
{
    container_of(h, struct loop, turn)->now_known = false;
}

static void run_deferred(struct loop *l)
{
    struct loop_calls calls = l->deferred;

    l->deferred = (struct loop_calls){0};
    run_calls(&calls);
    if (l->deferred.n == 0) { /* keep the memory for the next turn */
        free(l->deferred.p);
        calls.n = 0;
        l->deferred = calls;
        uv_idle_stop(&l->no_sleep);
        uv_check_stop(&l->after_io);
    } else {
        vec_done(&calls);
    }
}

static void on_after_io(uv_check_t *h)
{
    run_deferred(container_of(h, struct loop, after_io));
}

static void on_idle(uv_idle_t *h)
{
}

static void init_handles(struct loop *l)
{
    uv_async_init(&l->uv, &l->wake, on_wake);
    uv_prepare_init(&l->uv, &l->turn);
    uv_prepare_start(&l->turn, on_turn);
    uv_unref((uv_handle_t *)&l->turn);
    uv_check_init(&l->uv, &l->after_io);
    uv_idle_init(&l->uv, &l->no_sleep);
    l->wake.data = l->turn.data = l->after_io.data = l->no_sleep.data = NULL;
}

struct loop *loop_new(struct err *e)
{
    struct loop *l = xnew(struct loop);
    l->clock = &clock_system;
    int r = uv_loop_init(&l->uv);

    if (r < 0) {
        free(l);
        err_set(e, r, "cannot make an event loop: %s", uv_strerror(r));
        return NULL;
    }
    /* A peer that left shows as EPIPE on the write. */
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&l->lock, NULL);
    atomic_store(&l->owner, pthread_self());
    l->read_buf = xmalloc(LOOP_READ_BUFFER);
    init_handles(l);
    return l;
}

static void drop_owner(uv_handle_t *h, void *arg)
{
    if (!uv_is_closing(h) && h->data)
        ((struct loop_owned *)h->data)->drop(h->data);
}

static void close_own(struct loop *l)
{
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->turn, NULL);
    uv_close((uv_handle_t *)&l->after_io, NULL);
    uv_close((uv_handle_t *)&l->no_sleep, NULL);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    atomic_store(&l->owner, pthread_self());
    while (run_posted(l) || l->deferred.n > 0)
        run_deferred(l);
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_mutex_unlock(&l->lock);
    uv_walk(&l->uv, drop_owner, NULL);
    run_deferred(l);
    close_own(l);
    /* Callbacks of work that was still running may leave more behind. */
    do {
        uv_run(&l->uv, UV_RUN_DEFAULT);
        uv_walk(&l->uv, drop_owner, NULL);
        while (l->deferred.n > 0) {
            struct loop_calls calls = l->deferred;
            l->deferred = (struct loop_calls){0};
            run_calls(&calls);
            vec_done(&calls);
        }
    } while (uv_loop_close(&l->uv) == UV_EBUSY);
    run_posted(l);
    vec_done(&l->deferred);
    pthread_mutex_destroy(&l->lock);
    free(l->read_buf);
    free(l->plain_buf);
    free(l);
}

void loop_run(struct loop *l)
{
    atomic_store(&l->owner, pthread_self());
    l->running = true;
    while (!atomic_exchange(&l->stop, false))
        uv_run(&l->uv, UV_RUN_DEFAULT);
    run_posted(l); /* the stop may have been seen before the wake that came ahead of it */
    l->running = false;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    uv_async_send(&l->wake);
}

struct uv_loop_s *loop_uv(struct loop *l)
{
    return &l->uv;
}

int64_t loop_now_ns(struct loop *l)
{
    if (!l->now_known) {
        l->now_ns = l->clock->mono_ns(l->clock->ctx);
        l->now_known = l->running;
    }
    return l->now_ns;
}

int64_t loop_wall_ns(struct loop *l)
{
    return l->clock->wall_ns(l->clock->ctx);
}

void loop_set_clock(struct loop *l, const struct clock *c)
{
    l->clock = c ? c : &clock_system;
    l->now_known = false;
}

int loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    bool first = false, closed;

    pthread_mutex_lock(&l->lock);
    closed = l->closed;
    if (!closed) {
        first = l->posted.n == 0;
        vec_push(&l->posted, ((struct loop_call){fn, arg}));
        /* Sent under the lock: once it is released the loop may be gone. */
        if (first)
            uv_async_send(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
    return closed ? -ESHUTDOWN : 0;
}

void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg)
{
    assert(loop_is_current(l));
    if (l->deferred.n == 0 && !uv_is_closing((uv_handle_t *)&l->no_sleep)) {
        uv_idle_start(&l->no_sleep, on_idle);
        uv_check_start(&l->after_io, on_after_io);
    }
    vec_push(&l->deferred, ((struct loop_call){fn, arg}));
}

bool loop_is_current(struct loop *l)
{
    return pthread_equal(atomic_load(&l->owner), pthread_self());
}

struct work {
    uv_work_t req;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void work_run(uv_work_t *req)
{
    struct work *w = container_of(req, struct work, req);

    w->work(w->arg);
}

static void work_done(uv_work_t *req, int status)
{
    struct work *w = container_of(req, struct work, req);

    w->done(w->arg);
    free(w);
}

void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct work *w = xnew(struct work);

    assert(loop_is_current(l));
    w->work = work;
    w->done = done;
    w->arg = arg;
    uv_queue_work(&l->uv, &w->req, work_run, work_done);
}
