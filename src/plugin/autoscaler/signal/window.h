/*
 * A ring of one-second buckets and its averages (facts: autoscaling §9). Pure: times are given, in
 * ns of the monotonic clock. Memory for the buckets is taken with the first sample, so a window
 * that nobody fills costs a few words.
 */
#ifndef NONAGON_PLUGIN_AUTOSCALER_SIGNAL_WINDOW_H
#define NONAGON_PLUGIN_AUTOSCALER_SIGNAL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
    double *buckets;     /* NULL until the first sample */
    int64_t n;           /* their number */
    int64_t first, last; /* seconds of the first and last sample */
    double total;
};

void window_init(struct window *w, int64_t length_ns);
void window_done(struct window *w);
void window_resize(struct window *w, int64_t length_ns, int64_t now_ns);
/* Adds to the second's bucket; samples older than the window are dropped. */
void window_record(struct window *w, int64_t at_ns, double value);
/* Nothing came until then: the seconds since the last sample count as zero. */
void window_silence(struct window *w, int64_t until_ns);
bool window_empty(const struct window *w, int64_t now_ns);
double window_average(const struct window *w, int64_t now_ns);
/* The newest samples weigh most; not normalised, as upstream. */
double window_weighted(const struct window *w, int64_t now_ns);

#endif
