/* One run per stream, standing between the caller's events and those of the inner transport. */
#include "flaky.h"

#include <errno.h>

#include "base/list.h"
#include "base/rand.h"

struct flaky {
    struct kube_transport base;
    struct kube_transport *inner;
    struct loop *loop;
    struct list runs;
    int streams, slow_ms;
};

struct flaky_run {
    struct list node;
    struct flaky *t;
    struct transport_events events;
    void *ctx, *inner;
    bool frozen;
    struct timer *late; /* of one that has not set out */
    char *path;
    struct transport_call call;
};

static void run_free(struct flaky_run *r)
{
    list_del(&r->node);
    timer_free(r->late);
    free(r->path);
    free(r);
}

static void on_head(void *ctx, int status)
{
    struct flaky_run *r = ctx;

    if (!r->frozen)
        r->events.on_head(r->ctx, status);
}

static void on_chunk(void *ctx, const char *p, size_t n)
{
    struct flaky_run *r = ctx;

    if (!r->frozen)
        r->events.on_chunk(r->ctx, p, n);
}

static void on_done(void *ctx, const struct err *err, int status, struct str body)
{
    struct flaky_run *r = ctx;
    struct transport_events ev = r->events;
    void *to = r->ctx;

    r->inner = NULL;
    if (r->frozen)
        return; /* until it is cancelled */
    run_free(r);
    ev.on_done(to, err, status, body);
}

static void set_out(void *ctx)
{
    static const struct transport_events whole = {.on_done = on_done};
    static const struct transport_events stream = {on_head, on_chunk, on_done};
    struct flaky_run *r = ctx;
    struct kube_transport *inner = r->t->inner;

    r->inner = inner->ops->call(inner, &r->call, r->call.stream ? &stream : &whole, r);
}

static void *call(struct kube_transport *base, const struct transport_call *c,
                  const struct transport_events *ev, void *ctx)
{
    struct flaky *t = (struct flaky *)base;
    struct flaky_run *r = xnew(struct flaky_run);

    *r = (struct flaky_run){.t = t, .events = *ev, .ctx = ctx};
    list_init(&r->node);
    r->call = *c;
    if (c->stream) {
        list_push_back(&t->runs, &r->node);
        t->streams++;
        set_out(r);
    } else if (c->body.n) {
        set_out(r); /* whose body is the caller's, for the time of the call */
    } else {
        r->path = xstrndup(c->path.p, c->path.n);
        r->call.path = str_of(r->path);
        r->late = timer_new(t->loop, set_out, r);
        timer_start(r->late, rand_fast() % (uint64_t)(t->slow_ms + 1));
    }
    return r;
}

static void cancel(void *running)
{
    struct flaky_run *r = running;

    if (r->inner)
        r->t->inner->ops->cancel(r->inner);
    run_free(r);
}

static void transport_free(struct kube_transport *base)
{
    struct flaky *t = (struct flaky *)base;

    kube_transport_free(t->inner);
    free(t);
}

struct kube_transport *flaky_new(struct loop *l, struct kube_transport *inner, int slow_ms)
{
    static const struct transport_ops ops = {call, cancel, transport_free};
    struct flaky *t = xnew(struct flaky);

    *t = (struct flaky){.base = {.ops = &ops, .local = inner->local},
                        .inner = inner,
                        .loop = l,
                        .slow_ms = slow_ms};
    list_init(&t->runs);
    return &t->base;
}

void flaky_cut(struct kube_transport *base)
{
    const struct err cut = {-ECONNRESET, "the test cut the stream"};
    struct flaky *t = (struct flaky *)base;

    list_for_each_safe(it, &t->runs)
    {
        struct flaky_run *r = list_entry(it, struct flaky_run, node);
        if (r->frozen)
            continue;
        if (r->inner)
            t->inner->ops->cancel(r->inner);
        r->inner = NULL;
        on_done(r, &cut, 0, STR(""));
    }
}

void flaky_freeze(struct kube_transport *base)
{
    struct flaky *t = (struct flaky *)base;

    list_for_each(it, &t->runs) list_entry(it, struct flaky_run, node)->frozen = true;
}

int flaky_streams(const struct kube_transport *base)
{
    return ((const struct flaky *)base)->streams;
}
