/* The formulas in the order of the facts; doubles as upstream, so that the golden numbers come out
 * the same. */
#include "plugin/autoscaler/kpa/decide.h"

#include <math.h>

#include "base/clock.h"

void decide_begin(struct decide_state *st, const struct decide_spec *s, int ready, int64_t now_ns)
{
    *st = (struct decide_state){.panicking = ready > 1, .panic_ns = now_ns, .max_panic = ready};
    delay_init(&st->delay, s->delay_ns, DECIDE_EVERY_NS);
}

void decide_end(struct decide_state *st)
{
    delay_done(&st->delay);
}

struct decide_out decide_unknown(const struct decide_spec *s)
{
    struct decide_out out = {.desired = -1, .excess = (int)s->burst};

    if (s->burst > 0)
        out.excess = (int)trunc(s->initial * s->total - s->burst);
    return out;
}

/* The lower bound is applied after the upper one. */
static double clamp(double x, double lo, double hi)
{
    return fmax(fmin(x, hi), lo);
}

static double bump(double wanted, double raw, const struct decide_spec *s)
{
    return s->activation > 1 && raw > 0 && s->activation > wanted ? s->activation : wanted;
}

static void update_panic(struct decide_state *st, const struct decide_spec *s, bool over,
                         int64_t now_ns)
{
    if (over) {
        st->panicking = true;
        st->panic_ns = now_ns;
    } else if (st->panicking && st->panic_ns + s->stable_ns < now_ns) {
        st->panicking = false;
        st->max_panic = 0;
    }
}

static int excess(const struct decide_spec *s, const struct decide_in *in)
{
    if (s->burst == 0)
        return 0;
    if (s->burst < 0)
        return -1;
    return (int)floor(in->ready * s->total - s->burst - in->panic);
}

struct decide_out decide(const struct decide_spec *s, struct decide_state *st,
                         const struct decide_in *in)
{
    double r = in->ready > 1 ? in->ready : 1;
    double up = ceil(s->up_rate * r), down = s->reachable ? floor(r / s->down_rate) : 0;
    double raw_stable = ceil(in->stable / s->target), raw_panic = ceil(in->panic / s->target);
    double stable = bump(clamp(raw_stable, down, up), raw_stable, s);
    double panic = bump(clamp(raw_panic, down, up), raw_panic, s);

    if (!in->valid)
        return (struct decide_out){0};
    update_panic(st, s, raw_panic / r >= s->panic_threshold, in->now_ns);
    int desired = (int)fmin(stable, INT32_MAX);
    if (st->panicking) {
        desired = (int)fmin(fmax(stable, panic), INT32_MAX);
        st->max_panic = desired > st->max_panic ? desired : st->max_panic;
        desired = st->max_panic;
    }
    if (s->reachable)
        desired = delay_max(&st->delay, in->now_ns, desired);
    return (struct decide_out){.valid = true, .desired = desired, .excess = excess(s, in)};
}
