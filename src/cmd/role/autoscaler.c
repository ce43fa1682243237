/*
 * The autoscaler role. What goes on at revisions is asked for once a second and becomes signals; an
 * arrival at a revision without pods crosses threads at once.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/role/role.h"
#include "cmd/role/runner.h"
#include "net/loop.h"
#include "plugin/autoscaler/kpa/kpa.h"

#define COLLECT_MS 1000

struct autoscaler {
    struct runner run;
    struct signal_hub *signals;
    struct kpa *kpa;
    struct timer *collect;
};

static void on_stats(void *to, const struct env_traffic_stat *stats, size_t n)
{
    struct autoscaler *a = to;

    for (size_t i = 0; i < n; i++)
        signal_report(a->signals, stats[i].ns, stats[i].revision, &stats[i].sample);
}

static void collect(void *ctx)
{
    struct autoscaler *a = ctx;

    env_collect(&a->run.env->traffic, runner_loop(&a->run), on_stats, a);
}

/* ---- arrivals ---- */

struct arrival {
    struct autoscaler *to;
    char *ns, *revision;
};

static void arrival_free(struct arrival *ar)
{
    free(ar->ns);
    free(ar->revision);
    free(ar);
}

static void on_arrival(void *arg)
{
    struct arrival *ar = arg;

    signal_arrival(ar->to->signals, ar->ns, ar->revision, loop_now_ns(runner_loop(&ar->to->run)));
    arrival_free(ar);
}

static void arrived(void *ctx, const char *ns, const char *revision)
{
    struct autoscaler *a = ctx;
    struct arrival *ar = xnew(struct arrival);

    *ar = (struct arrival){a, xstrdup(ns), xstrdup(revision)};
    if (loop_post(runner_loop(&a->run), on_arrival, ar) < 0)
        arrival_free(ar);
}

static const struct env_arrival_ops arrivals = {arrived};

/* ---- life ---- */

static int make(void *self, struct loop *l, struct err *e)
{
    struct autoscaler *a = self;

    if (runner_open(&a->run, l, e) < 0)
        return e->code;
    a->signals = signal_hub_new();
    a->kpa = kpa_new(a->run.m, a->signals, a->run.env->trace);
    a->collect = timer_new(l, collect, a);
    timer_repeat(a->collect, COLLECT_MS);
    return 0;
}

static void free_parts(void *self)
{
    struct autoscaler *a = self;

    timer_free(a->collect);
    kpa_free(a->kpa);
    signal_hub_free(a->signals);
}

static const struct runner_parts parts = {"autoscaler", make, free_parts};

static void *start(struct env *env, struct err *e)
{
    struct autoscaler *a = xnew(struct autoscaler);

    if (runner_start(&a->run, env, &parts, a, e) < 0) {
        free(a);
        return NULL;
    }
    env_link_offer(&env->arrivals, &arrivals, a);
    return a;
}

static bool ready(void *self, int ms)
{
    struct autoscaler *a = self;

    return runner_synced(&a->run, ms);
}

static void stop(void *self, bool drain)
{
    struct autoscaler *a = self;

    env_link_withdraw(&a->run.env->arrivals);
    runner_stop(&a->run);
    free(a);
}

static const struct env_flag *const flags[] = {&env_flag_log_level, NULL};

const struct role role_autoscaler = {
    .name = "autoscaler",
    .summary = "decides how many pods each revision has",
    .flags = flags,
    .start = start,
    .ready = ready,
    .stop = stop,
};
