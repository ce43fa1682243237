/*
 * Revisions by name, each with four windows: concurrency and rate, stable and panic. An arrival at
 * zero counts as one request at once, so that a decision taken in the same moment sees it; the next
 * sample, which has that request too, is reduced by it.
 */
#include "plugin/autoscaler/signal/signal.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "plugin/autoscaler/signal/window.h"

struct revision {
    int64_t stable_ns, panic_ns;
    struct window stable_concurrency, panic_concurrency, stable_rps, panic_rps;
    bool weighted, any;
    double credit; /* requests already counted by an arrival */
    uint64_t waiting;
    int64_t last_arrival_ns;
};

struct signal_hub {
    struct map *revisions;
    void (*on_arrival)(void *ctx, const char *ns, const char *revision);
    void *arrival_ctx;
    signal_sample_fn *on_sample;
    void *sample_ctx;
};

static void revision_free(void *value)
{
    struct revision *r = value;

    window_done(&r->stable_concurrency);
    window_done(&r->panic_concurrency);
    window_done(&r->stable_rps);
    window_done(&r->panic_rps);
    free(r);
}

struct signal_hub *signal_hub_new(void)
{
    struct signal_hub *h = xnew(struct signal_hub);

    h->revisions = map_new(revision_free);
    return h;
}

void signal_hub_free(struct signal_hub *h)
{
    if (!h)
        return;
    map_free(h->revisions);
    free(h);
}

#define KEY_SIZE 512

static const char *key_of(char buf[static KEY_SIZE], const char *ns, const char *revision)
{
    snprintf(buf, KEY_SIZE, "%s/%s", ns, revision);
    return buf;
}

static struct revision *find(const struct signal_hub *h, const char *ns, const char *revision)
{
    char key[KEY_SIZE];

    return map_get(h->revisions, key_of(key, ns, revision));
}

void signal_open(struct signal_hub *h, const char *ns, const char *revision, int64_t stable_ns,
                 int64_t panic_ns, int64_t now_ns)
{
    struct revision *r = find(h, ns, revision);
    char key[KEY_SIZE];

    if (!r) {
        r = xnew(struct revision);
        window_init(&r->stable_concurrency, stable_ns);
        window_init(&r->stable_rps, stable_ns);
        window_init(&r->panic_concurrency, panic_ns);
        window_init(&r->panic_rps, panic_ns);
        map_set(h->revisions, key_of(key, ns, revision), r);
    } else if (r->stable_ns != stable_ns || r->panic_ns != panic_ns) {
        window_resize(&r->stable_concurrency, stable_ns, now_ns);
        window_resize(&r->stable_rps, stable_ns, now_ns);
        window_resize(&r->panic_concurrency, panic_ns, now_ns);
        window_resize(&r->panic_rps, panic_ns, now_ns);
    }
    r->stable_ns = stable_ns;
    r->panic_ns = panic_ns;
}

void signal_close(struct signal_hub *h, const char *ns, const char *revision)
{
    char key[KEY_SIZE];

    map_del(h->revisions, key_of(key, ns, revision));
}

void signal_weighted(struct signal_hub *h, const char *ns, const char *revision, bool weighted)
{
    struct revision *r = find(h, ns, revision);

    if (r)
        r->weighted = weighted;
}

static void record(struct revision *r, int64_t at_ns, double concurrency, double rps)
{
    window_record(&r->stable_concurrency, at_ns, concurrency);
    window_record(&r->panic_concurrency, at_ns, concurrency);
    window_record(&r->stable_rps, at_ns, rps);
    window_record(&r->panic_rps, at_ns, rps);
    r->any = true;
}

static double less(double value, double by)
{
    return value > by ? value - by : 0;
}

void signal_report(struct signal_hub *h, const char *ns, const char *revision,
                   const struct signal_sample *s)
{
    struct revision *r = find(h, ns, revision);

    if (!r)
        return;
    record(r, s->at_ns, less(s->concurrency, r->credit), less(s->rps, r->credit));
    r->credit = 0;
    r->waiting = s->waiting;
    if (s->rps > 0)
        r->last_arrival_ns = s->at_ns;
    if (h->on_sample)
        h->on_sample(h->sample_ctx, ns, revision, s);
}

void signal_arrival(struct signal_hub *h, const char *ns, const char *revision, int64_t now_ns)
{
    struct revision *r = find(h, ns, revision);

    if (!r)
        return;
    r->last_arrival_ns = now_ns;
    if (r->waiting == 0)
        r->waiting = 1;
    if (r->credit == 0) { /* arrivals are repeated while a request waits: one counts */
        r->credit = 1;
        record(r, now_ns, 1, 1);
    }
    if (h->on_arrival)
        h->on_arrival(h->arrival_ctx, ns, revision);
}

void signal_on_arrival(struct signal_hub *h,
                       void (*fn)(void *ctx, const char *ns, const char *revision), void *ctx)
{
    h->on_arrival = fn;
    h->arrival_ctx = ctx;
}

void signal_on_sample(struct signal_hub *h, signal_sample_fn *fn, void *ctx)
{
    h->on_sample = fn;
    h->sample_ctx = ctx;
}

#define REPORT_DELAY_NS (2 * NS_PER_SEC)

static void fill_silence(struct revision *r, int64_t now_ns)
{
    window_silence(&r->stable_concurrency, now_ns - REPORT_DELAY_NS);
    window_silence(&r->panic_concurrency, now_ns - REPORT_DELAY_NS);
    window_silence(&r->stable_rps, now_ns - REPORT_DELAY_NS);
    window_silence(&r->panic_rps, now_ns - REPORT_DELAY_NS);
}

bool signal_get(struct signal_hub *h, const char *ns, const char *revision, int64_t now_ns,
                struct signal_view *ret)
{
    struct revision *r = find(h, ns, revision);
    double (*average)(const struct window *w, int64_t now) = window_average;

    if (!r)
        return false;
    if (r->weighted)
        average = window_weighted;
    fill_silence(r, now_ns);
    *ret = (struct signal_view){.any = r->any,
                                .stable_concurrency = average(&r->stable_concurrency, now_ns),
                                .panic_concurrency = average(&r->panic_concurrency, now_ns),
                                .stable_rps = average(&r->stable_rps, now_ns),
                                .panic_rps = average(&r->panic_rps, now_ns),
                                .waiting = r->waiting,
                                .last_arrival_ns = r->last_arrival_ns};
    return true;
}
