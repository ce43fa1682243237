/* Bucket of second s is s modulo n. Buckets of seconds between samples are zeroed when the later
 * sample comes. */
#include "plugin/autoscaler/signal/window.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static int64_t second_of(int64_t ns)
{
    return ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
}

static int64_t buckets_for(int64_t length_ns)
{
    int64_t n = (length_ns + NS_PER_SEC - 1) / NS_PER_SEC;

    return n > 0 ? n : 1;
}

static double *bucket(const struct window *w, int64_t second)
{
    int64_t at = second % w->n;

    return &w->buckets[at < 0 ? at + w->n : at];
}

void window_init(struct window *w, int64_t length_ns)
{
    *w = (struct window){.n = buckets_for(length_ns)};
}

void window_done(struct window *w)
{
    free(w->buckets);
    *w = (struct window){.n = w->n};
}

static void clear(struct window *w, int64_t second)
{
    memset(w->buckets, 0, (size_t)w->n * sizeof(double));
    w->total = 0;
    w->first = w->last = second;
}

void window_record(struct window *w, int64_t at_ns, double value)
{
    int64_t t = second_of(at_ns);

    if (!w->buckets) {
        w->buckets = xcalloc((size_t)w->n, sizeof(double));
        clear(w, t);
    }
    if (w->last - t >= w->n)
        return;
    if (t - w->last >= w->n) {
        clear(w, t);
    } else {
        for (int64_t s = w->last + 1; s <= t; s++) {
            w->total -= *bucket(w, s);
            *bucket(w, s) = 0;
        }
        w->first = t < w->first ? t : w->first;
        w->last = t > w->last ? t : w->last;
    }
    *bucket(w, t) += value;
    w->total += value;
}

void window_silence(struct window *w, int64_t until_ns)
{
    if (w->buckets && second_of(until_ns) > w->last)
        window_record(w, until_ns, 0);
}

bool window_empty(const struct window *w, int64_t now_ns)
{
    return !w->buckets || second_of(now_ns) - w->last > w->n;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

double window_average(const struct window *w, int64_t now_ns)
{
    int64_t d = second_of(now_ns) - w->last;
    double total = w->total;

    if (!w->buckets || d >= w->n)
        return 0;
    d = d > 0 ? d : 0;
    for (int64_t s = w->last + 1; s <= w->last + d; s++)
        total -= *bucket(w, s);
    total /= (double)least(w->last - w->first + 1, w->n - d);
    return round(total * 1e6) / 1e6;
}

double window_weighted(const struct window *w, int64_t now_ns)
{
    int64_t empty = second_of(now_ns) - w->last;
    double c = fmax(1 - pow(1 - 0.9999, 1.0 / (double)w->n), 0.2), sum = 0;

    if (!w->buckets || empty >= w->n)
        return 0;
    empty = empty > 0 ? empty : 0;
    double weight = c * pow(1 - c, (double)empty);
    for (int64_t i = 0; i < w->n - empty; i++) {
        sum += *bucket(w, w->last - i) * weight;
        weight *= 1 - c;
    }
    return sum;
}

void window_resize(struct window *w, int64_t length_ns, int64_t now_ns)
{
    struct window old = *w;

    if (buckets_for(length_ns) == w->n)
        return;
    window_init(w, length_ns);
    if (!window_empty(&old, now_ns)) {
        for (int64_t i = least(old.n, w->n) - 1; i >= 0; i--)
            window_record(w, (old.last - i) * NS_PER_SEC, *bucket(&old, old.last - i));
        w->first = old.last - (old.n - 1);
    }
    free(old.buckets);
}
