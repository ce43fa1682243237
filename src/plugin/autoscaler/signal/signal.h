/*
 * The signal: what every autoscaler class sees of a revision. Fed by whoever has the data (the data
 * plane in one process; scrapes and activators on Kubernetes), read by deciders as windowed
 * averages. One thread (the autoscaler's loop). Time is passed in, by the monotonic clock: the wall
 * clock may be stepped, and a window that reaches into the future takes nothing more.
 *
 * Windows: per-second buckets; an average over a window ignores seconds before the first sample
 * (facts: autoscaling §9).
 */
#ifndef NONAGON_PLUGIN_AUTOSCALER_SIGNAL_H
#define NONAGON_PLUGIN_AUTOSCALER_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

struct signal_hub;
struct signal_hub *signal_hub_new(void);
void signal_hub_free(struct signal_hub *h);

struct signal_sample {  /* one period, about a second */
    int64_t at_ns;      /* the end of the period */
    double concurrency; /* average requests inside */
    double rps;         /* arrivals per second */
    uint64_t waiting;   /* now */
};
void signal_report(struct signal_hub *h, const char *ns, const char *revision,
                   const struct signal_sample *s);
/* A request waits and nothing is ready: calls the listener at once. */
void signal_arrival(struct signal_hub *h, const char *ns, const char *revision, int64_t now_ns);
void signal_on_arrival(struct signal_hub *h,
                       void (*fn)(void *ctx, const char *ns, const char *revision), void *ctx);
/* Calls fn after each sample of an open revision. */
typedef void signal_sample_fn(void *ctx, const char *ns, const char *revision,
                              const struct signal_sample *s);
void signal_on_sample(struct signal_hub *h, signal_sample_fn *fn, void *ctx);

/* Which revisions to keep windows for, and how long (ns). Idempotent; samples of others are
 * dropped. */
void signal_open(struct signal_hub *h, const char *ns, const char *revision, int64_t stable_ns,
                 int64_t panic_ns, int64_t now_ns);
/* Averages that weigh the newest samples most, instead of plain ones. */
void signal_weighted(struct signal_hub *h, const char *ns, const char *revision, bool weighted);
void signal_close(struct signal_hub *h, const char *ns, const char *revision);

struct signal_view {
    bool any; /* false: no sample yet */
    double stable_concurrency, panic_concurrency, stable_rps, panic_rps;
    uint64_t waiting;
    int64_t last_arrival_ns; /* 0 = never */
};
bool signal_get(struct signal_hub *h, const char *ns, const char *revision, int64_t now_ns,
                struct signal_view *ret);

#endif
