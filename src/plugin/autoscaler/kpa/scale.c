/*
 * Zero is reached in steps, each seen by others before the next: the revision is idle for a window,
 * it becomes inactive and its traffic goes through the activator, and only when that has held for
 * the grace period do the pods go. In one process the data plane holds requests from the moment on
 * that no pod is ready, so no probe of an activator is needed between the steps.
 */
#include "plugin/autoscaler/kpa/scale.h"

#include <math.h>

#include "base/clock.h"

#define ACTIVATION_BUFFER_NS (30 * NS_PER_SEC)
#define RECHECK_NS           (3 * NS_PER_SEC)

static struct scale_out apply(int n)
{
    return (struct scale_out){.want = n, .apply = true, .requeue_ns = -1};
}

static struct scale_out wait(int want, int64_t requeue_ns)
{
    return (struct scale_out){.want = want, .requeue_ns = requeue_ns};
}

static struct scale_out to_zero_activating(const struct scale_in *in)
{
    int64_t deadline = in->bounds.progress_deadline_ns;
    int64_t limit = (deadline < INT64_MAX / 2 ? deadline : INT64_MAX / 2) + ACTIVATION_BUFFER_NS;

    return in->active_for_ns > limit ? apply(0) : wait(-1, limit);
}

static struct scale_out to_zero_active(const struct scale_in *in)
{
    if (in->active_for_ns >= in->window_ns)
        return wait(0, in->proxy ? RECHECK_NS : -1);
    struct scale_out out = apply(1);
    out.requeue_ns = in->window_ns - in->active_for_ns;
    return out;
}

static struct scale_out to_zero_inactive(const struct scale_in *in)
{
    int64_t idle = in->active_for_ns, retention = in->bounds.retention_ns;

    if (idle >= in->grace_ns && idle >= retention)
        return apply(0);
    if (idle < retention)
        return wait(0, retention - idle);
    if (in->proxy_for_ns >= in->grace_ns)
        return apply(0);
    return wait(0, in->grace_ns - (in->proxy_for_ns > 0 ? in->proxy_for_ns : 0));
}

struct scale_out kpa_scale(const struct scale_in *in)
{
    int64_t n = in->desired, min = in->bounds.min;

    if (n < 0 && in->active != KPA_ACTIVATING)
        return wait(in->desired, -1);
    if (in->bounds.initial > 1 && !in->initialized && !in->bounds.unreachable &&
        in->bounds.initial > min)
        min = in->bounds.initial;
    n = n > min ? n : min;
    if (in->bounds.max && n > in->bounds.max)
        n = in->bounds.max;
    if (n != 0)
        return apply((int)n);
    if (!in->scale_to_zero)
        return apply(1);
    switch (in->active) {
    case KPA_ACTIVATING:
        return to_zero_activating(in);
    case KPA_ACTIVE:
        return to_zero_active(in);
    default:
        return to_zero_inactive(in);
    }
}

#define LEAST_ACTIVATORS 2

int kpa_activators(const struct decide_spec *s, int ready)
{
    double n;

    if (s->burst == 0)
        return LEAST_ACTIVATORS;
    n = ceil((ready * s->total + fmax(s->burst, 0)) / s->activator_capacity);
    return n > LEAST_ACTIVATORS ? (int)fmin(n, INT32_MAX) : LEAST_ACTIVATORS;
}
