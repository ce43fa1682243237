/* Admission has refused bad annotations; one that is bad all the same (stored earlier) counts as
 * absent. */
#include "plugin/autoscaler/kpa/spec.h"

#include <math.h>

#include "base/clock.h"
#include "contract/annotations.h"

#define OTHER_UTILISATION 0.7

static yyjson_val *annotations(const struct kobj *pa)
{
    return jget(kobj_root(pa), "metadata", "annotations");
}

static bool number(const struct kobj *pa, const struct annotation_key *k, double *ret)
{
    const char *text = annotation_get(annotations(pa), k, NULL);
    char *end;

    if (!text || !*text)
        return false;
    double v = strtod(text, &end);
    if (*end || isnan(v))
        return false;
    *ret = v;
    return true;
}

static double number_or(const struct kobj *pa, const struct annotation_key *k, double otherwise)
{
    number(pa, k, &otherwise);
    return otherwise;
}

static int64_t whole_or(const struct kobj *pa, const struct annotation_key *k, int64_t otherwise)
{
    const char *text = annotation_get(annotations(pa), k, NULL);
    int64_t v;

    return text && str_i64(str_of(text), &v) == 0 && v >= 0 && v <= INT32_MAX ? v : otherwise;
}

static int64_t duration_or(const struct kobj *pa, const struct annotation_key *k, int64_t otherwise)
{
    const char *text = annotation_get(annotations(pa), k, NULL);
    int64_t v;

    return text && duration_parse(text, &v, NULL) == 0 && v >= 0 ? v : otherwise;
}

static bool is_unreachable(const struct kobj *pa)
{
    return streq(jget_str(kobj_root(pa), "spec", "reachability"), "Unreachable");
}

static void resolve_target(const struct kobj *pa, const struct kpa_config *c, struct decide_spec *s)
{
    int64_t limit = jget_int(kobj_root(pa), 0, "spec", "containerConcurrency");
    double use = s->rps ? OTHER_UTILISATION : c->target_fraction, wanted, percent;

    s->total = s->rps ? c->rps_default : limit ? (double)limit : c->concurrency_default;
    if (number(pa, &AK_TARGET, &wanted))
        s->total = !s->rps && limit ? fmin(wanted, (double)limit) : wanted;
    if (number(pa, &AK_TARGET_UTILIZATION, &percent))
        use = percent / 100;
    s->target = fmax(0.01, s->total * use);
}

static int64_t initial_scale(const struct kobj *pa, const struct kpa_config *c)
{
    int64_t v = whole_or(pa, &AK_INITIAL_SCALE, -1);

    return v < 0 || (v == 0 && !c->allow_zero_initial) ? c->initial_scale : v;
}

static int64_t panic_window(int64_t stable_ns, double percent)
{
    int64_t seconds = llround((double)stable_ns * percent / 100 / NS_PER_SEC);

    return (seconds > 1 ? seconds : 1) * NS_PER_SEC;
}

void kpa_spec(const struct kobj *pa, const struct kpa_config *c, struct decide_spec *s)
{
    const char *metric = annotation_get(annotations(pa), &AK_METRIC, NULL);
    const char *algorithm = annotation_get(annotations(pa), &AK_AGGREGATION, NULL);

    *s = (struct decide_spec){
        .rps = streq(metric, "rps"),
        .burst = number_or(pa, &AK_TARGET_BURST, c->burst),
        .activator_capacity = c->activator_capacity,
        .up_rate = c->up_rate,
        .down_rate = c->down_rate,
        .panic_threshold = number_or(pa, &AK_PANIC_THRESHOLD, c->panic_threshold_percent) / 100,
        .stable_ns = duration_or(pa, &AK_WINDOW, c->stable_ns),
        .delay_ns = duration_or(pa, &AK_SCALE_DOWN_DELAY, c->delay_ns),
        .initial = (int)initial_scale(pa, c),
        .activation = (int)whole_or(pa, &AK_ACTIVATION_SCALE, 0),
        .reachable = !is_unreachable(pa),
        .weighted = algorithm && z_starts(algorithm, "weighted"),
    };
    s->panic_ns =
        panic_window(s->stable_ns, number_or(pa, &AK_PANIC_WINDOW, c->panic_window_percent));
    resolve_target(pa, c, s);
}

void kpa_bounds(const struct kobj *pa, const struct kpa_config *c, struct kpa_bounds *b)
{
    *b = (struct kpa_bounds){
        .unreachable = is_unreachable(pa),
        .min = whole_or(pa, &AK_MIN_SCALE, c->min_scale),
        .max = whole_or(pa, &AK_MAX_SCALE, c->max_scale),
        .initial = initial_scale(pa, c),
        .retention_ns = duration_or(pa, &AK_RETENTION, c->retention_ns),
        .progress_deadline_ns = duration_or(pa, &AK_PROGRESS_DEADLINE, c->progress_deadline_ns),
    };
    if (b->unreachable)
        b->min = b->retention_ns = 0;
}
