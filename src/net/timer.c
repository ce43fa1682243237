/* Timers and signal watches: thin owners of the libuv handles, freed once libuv has let go of them.
 */
#include <assert.h>
#include <uv.h>

#include "net/loop_impl.h"

struct timer {
    struct loop_owned owned;
    uv_timer_t h;
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
};

static void timer_gone(uv_handle_t *h)
{
    free(container_of((uv_timer_t *)h, struct timer, h));
}

static void timer_drop(struct loop_owned *o)
{
    timer_free(container_of(o, struct timer, owned));
}

static void timer_fire(uv_timer_t *h)
{
    struct timer *t = container_of(h, struct timer, h);

    t->fn(t->ctx);
}

struct timer *timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct timer *t = xnew(struct timer);

    assert(loop_is_current(l));
    t->owned.drop = timer_drop;
    t->loop = l;
    t->fn = fn;
    t->ctx = ctx;
    uv_timer_init(&l->uv, &t->h);
    t->h.data = &t->owned;
    return t;
}

static void start(struct timer *t, uint64_t ms, uint64_t repeat)
{
    assert(loop_is_current(t->loop));
    /* Outside of a run libuv's idea of now may be long past. */
    if (!t->loop->running)
        uv_update_time(&t->loop->uv);
    uv_timer_start(&t->h, timer_fire, ms, repeat);
}

void timer_start(struct timer *t, uint64_t ms)
{
    start(t, ms, 0);
}

void timer_repeat(struct timer *t, uint64_t ms)
{
    start(t, ms, ms ? ms : 1);
}

void timer_stop(struct timer *t)
{
    uv_timer_stop(&t->h);
}

bool timer_active(const struct timer *t)
{
    return uv_is_active((const uv_handle_t *)&t->h);
}

void timer_free(struct timer *t)
{
    if (t && !uv_is_closing((uv_handle_t *)&t->h))
        uv_close((uv_handle_t *)&t->h, timer_gone);
}

struct sigwatch {
    struct loop_owned owned;
    uv_signal_t h;
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

static void sigwatch_gone(uv_handle_t *h)
{
    free(container_of((uv_signal_t *)h, struct sigwatch, h));
}

static void sigwatch_drop(struct loop_owned *o)
{
    sigwatch_free(container_of(o, struct sigwatch, owned));
}

static void sigwatch_fire(uv_signal_t *h, int signum)
{
    struct sigwatch *s = container_of(h, struct sigwatch, h);

    s->fn(s->ctx, signum);
}

struct sigwatch *sigwatch_new(struct loop *l, int signum, void (*fn)(void *ctx, int signum),
                              void *ctx)
{
    struct sigwatch *s = xnew(struct sigwatch);

    s->owned.drop = sigwatch_drop;
    s->fn = fn;
    s->ctx = ctx;
    uv_signal_init(&l->uv, &s->h);
    s->h.data = &s->owned;
    uv_signal_start(&s->h, sigwatch_fire, signum);
    return s;
}

void sigwatch_free(struct sigwatch *s)
{
    if (s && !uv_is_closing((uv_handle_t *)&s->h))
        uv_close((uv_handle_t *)&s->h, sigwatch_gone);
}
