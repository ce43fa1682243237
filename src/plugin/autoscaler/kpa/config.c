/* Every number is read with its bounds in one table; what depends on two keys is checked after it.
 */
#include "plugin/autoscaler/kpa/config.h"

#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "contract/config_parse.h"

#define HOUR_NS (3600 * NS_PER_SEC)

void kpa_config_default(struct kpa_config *c)
{
    *c = (struct kpa_config){.target_fraction = 0.7,
                             .concurrency_default = 100,
                             .rps_default = 200,
                             .burst = 211,
                             .panic_window_percent = 10,
                             .panic_threshold_percent = 200,
                             .up_rate = 1000,
                             .down_rate = 2,
                             .activator_capacity = 100,
                             .stable_ns = 60 * NS_PER_SEC,
                             .grace_ns = 30 * NS_PER_SEC,
                             .scale_to_zero = true,
                             .initial_scale = 1,
                             .progress_deadline_ns = 600 * NS_PER_SEC};
}

static int read_double(yyjson_val *data, const char *key, double *io, struct err *e)
{
    const char *text = config_raw(data, key, NULL);
    char *end;

    if (!text)
        return 0;
    double v = strtod(text, &end);
    if (!*text || *end || *text == ' ' || isnan(v))
        return err_set(e, -EINVAL, "failed to parse \"%s\": \"%s\" is not a number", key, text);
    *io = v;
    return 0;
}

static int bad(struct err *e, const char *key, const char *rule)
{
    return err_set(e, -EINVAL, "%s %s", key, rule);
}

static int read_numbers(struct kpa_config *c, yyjson_val *data, struct err *e)
{
    const struct {
        const char *key;
        double *at;
    } numbers[] = {
        {"container-concurrency-target-percentage", &c->target_fraction},
        {"container-concurrency-target-default", &c->concurrency_default},
        {"requests-per-second-target-default", &c->rps_default},
        {"target-burst-capacity", &c->burst},
        {"panic-window-percentage", &c->panic_window_percent},
        {"panic-threshold-percentage", &c->panic_threshold_percent},
        {"max-scale-up-rate", &c->up_rate},
        {"max-scale-down-rate", &c->down_rate},
        {"activator-capacity", &c->activator_capacity},
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        int r = read_double(data, numbers[i].key, numbers[i].at, e);
        if (r < 0)
            return r;
    }
    if (c->target_fraction > 1)
        c->target_fraction /= 100; /* "70" and "0.7" mean the same */
    return 0;
}

static int check_numbers(const struct kpa_config *c, struct err *e)
{
    if (!(c->target_fraction > 0 && c->target_fraction <= 1))
        return bad(e, "container-concurrency-target-percentage", "must be above 0 and at most 100");
    if (c->target_fraction * c->concurrency_default < 0.01)
        return bad(e, "container-concurrency-target-default",
                   "times the percentage must be at least 0.01");
    if (c->rps_default < 0.01)
        return bad(e, "requests-per-second-target-default", "must be at least 0.01");
    if (c->burst < 0 && c->burst != -1)
        return bad(e, "target-burst-capacity", "must be -1 or at least 0");
    if (c->panic_window_percent < 1 || c->panic_window_percent > 100)
        return bad(e, "panic-window-percentage", "must be from 1 to 100");
    if (c->up_rate <= 1)
        return bad(e, "max-scale-up-rate", "must be above 1");
    if (c->down_rate <= 1)
        return bad(e, "max-scale-down-rate", "must be above 1");
    if (c->activator_capacity < 1)
        return bad(e, "activator-capacity", "must be at least 1");
    return 0;
}

static int read_durations(struct kpa_config *c, yyjson_val *data, struct err *e)
{
    int r = config_duration(data, "stable-window", NULL, c->stable_ns, &c->stable_ns, e);

    if (r == 0)
        r = config_duration(data, "scale-down-delay", NULL, c->delay_ns, &c->delay_ns, e);
    if (r == 0)
        r = config_duration(data, "scale-to-zero-grace-period", NULL, c->grace_ns, &c->grace_ns, e);
    if (r == 0)
        r = config_duration(data, "scale-to-zero-pod-retention-period", NULL, c->retention_ns,
                            &c->retention_ns, e);
    if (r < 0)
        return r;
    if (c->stable_ns < 6 * NS_PER_SEC || c->stable_ns > HOUR_NS || c->stable_ns % NS_PER_SEC)
        return bad(e, "stable-window", "must be from 6s to 1h in whole seconds");
    if (c->delay_ns < 0 || c->delay_ns % NS_PER_SEC)
        return bad(e, "scale-down-delay", "must be at least 0s, in whole seconds");
    if (c->grace_ns <= 0)
        return bad(e, "scale-to-zero-grace-period", "must be above 0s");
    if (c->retention_ns < 0)
        return bad(e, "scale-to-zero-pod-retention-period", "must be at least 0s");
    return 0;
}

static int read_scales(struct kpa_config *c, yyjson_val *data, struct err *e)
{
    int r = config_bool(data, "enable-scale-to-zero", NULL, c->scale_to_zero, &c->scale_to_zero, e);

    if (r == 0)
        r = config_bool(data, "allow-zero-initial-scale", NULL, c->allow_zero_initial,
                        &c->allow_zero_initial, e);
    if (r == 0)
        r = config_int(data, "initial-scale", NULL, 1, c->allow_zero_initial ? 0 : 1, INT32_MAX,
                       &c->initial_scale, e);
    if (r == 0)
        r = config_int(data, "min-scale", NULL, 0, 0, INT32_MAX, &c->min_scale, e);
    if (r == 0)
        r = config_int(data, "max-scale-limit", NULL, 0, 0, INT32_MAX, &c->max_scale_limit, e);
    int64_t most = c->max_scale_limit ? c->max_scale_limit : INT32_MAX;
    bool given = config_raw(data, "max-scale", NULL) != NULL;
    if (r == 0)
        r = config_int(data, "max-scale", NULL, 0, given && c->max_scale_limit ? 1 : 0, most,
                       &c->max_scale, e);
    if (r == 0 && c->max_scale > 0 && c->min_scale > c->max_scale)
        return bad(e, "min-scale", "must not be above max-scale");
    return r;
}

int kpa_config_autoscaler(struct kpa_config *c, const struct kobj *map, struct err *e)
{
    yyjson_val *data = jget(kobj_root(map), "data");
    struct kpa_config fresh;
    int r;

    kpa_config_default(&fresh);
    fresh.progress_deadline_ns = c->progress_deadline_ns;
    if ((r = read_numbers(&fresh, data, e)) < 0 || (r = check_numbers(&fresh, e)) < 0 ||
        (r = read_durations(&fresh, data, e)) < 0 || (r = read_scales(&fresh, data, e)) < 0)
        return err_prefix(e, "config-autoscaler is not valid, the last good one stays in force"), r;
    *c = fresh;
    return 0;
}

int kpa_config_deployment(struct kpa_config *c, const struct kobj *map, struct err *e)
{
    yyjson_val *data = jget(kobj_root(map), "data");
    int64_t deadline;
    int r = config_duration(data, "progress-deadline", "progressDeadline", 600 * NS_PER_SEC,
                            &deadline, e);

    if (r < 0)
        return r;
    if (deadline <= 0 || deadline % NS_PER_SEC)
        return bad(e, "progress-deadline", "must be above 0s, in whole seconds");
    c->progress_deadline_ns = deadline;
    return 0;
}
