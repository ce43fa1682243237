/*
 * The autoscaler role. The data plane's statistics become signals once a second; an arrival at a
 * revision without pods crosses threads at once. The collection runs only while there is a data
 * plane to ask.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/up.h"
#include "plugin/autoscaler/kpa/kpa.h"

#define COLLECT_MS 1000

static void on_stats(void *ctx, const struct dp_stat *stats, size_t n)
{
    struct up_autoscaler *a = ctx;
    int64_t now = loop_now_ns(loop_thread_loop(a->thread));

    for (size_t i = 0; i < n; i++) {
        double seconds = stats[i].seconds > 0 ? stats[i].seconds : 1;
        struct signal_sample s = {
            .at_ns = now,
            .concurrency = stats[i].concurrency,
            .rps = stats[i].requests / seconds,
            .waiting = stats[i].waiting,
        };
        signal_report(a->signals, stats[i].ns, stats[i].revision, &s);
    }
}

static void collect(void *ctx)
{
    struct up_autoscaler *a = ctx;

    if (a->dp)
        dp_collect(a->dp, loop_thread_loop(a->thread), on_stats, a);
}

static int init(struct loop *l, void *ctx, struct err *e)
{
    struct up_autoscaler *a = ctx;

    up_manager_open(&a->um, a->api, l, "autoscaler");
    a->signals = signal_hub_new();
    a->kpa = kpa_new(a->um.m, a->signals);
    a->collect = timer_new(l, collect, a);
    timer_repeat(a->collect, COLLECT_MS);
    up_manager_run(&a->um);
    return 0;
}

static void fini(struct loop *l, void *ctx)
{
    struct up_autoscaler *a = ctx;

    timer_free(a->collect);
    kpa_free(a->kpa);
    up_manager_close(&a->um);
    signal_hub_free(a->signals);
}

int up_autoscaler_start(struct up_autoscaler *a, struct err *e)
{
    a->thread = loop_thread_start("autoscaler", init, fini, a, e);
    return a->thread ? 0 : e->code;
}

struct attach {
    struct up_autoscaler *a;
    struct dataplane *dp;
    sem_t done;
};

static void attach(void *arg)
{
    struct attach *at = arg;

    at->a->dp = at->dp;
    sem_post(&at->done);
}

void up_autoscaler_attach(struct up_autoscaler *a, struct dataplane *dp)
{
    struct attach at = {.a = a, .dp = dp};

    sem_init(&at.done, 0, 0);
    loop_post(loop_thread_loop(a->thread), attach, &at);
    while (sem_wait(&at.done) < 0)
        ;
    sem_destroy(&at.done);
}

struct arrival {
    struct up_autoscaler *a;
    char *ns, *revision;
};

static void arrived(void *arg)
{
    struct arrival *ar = arg;

    signal_arrival(ar->a->signals, ar->ns, ar->revision,
                   loop_now_ns(loop_thread_loop(ar->a->thread)));
    free(ar->ns);
    free(ar->revision);
    free(ar);
}

void up_autoscaler_arrival(void *ctx, const char *ns, const char *revision)
{
    struct up_autoscaler *a = ctx;
    struct arrival *ar = xnew(struct arrival);

    *ar = (struct arrival){a, xstrdup(ns), xstrdup(revision)};
    if (loop_post(loop_thread_loop(a->thread), arrived, ar) < 0) {
        free(ar->ns);
        free(ar->revision);
        free(ar);
    }
}

void up_autoscaler_stop(struct up_autoscaler *a)
{
    loop_thread_stop(a->thread);
    a->thread = NULL;
}
