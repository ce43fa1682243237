/*
 * The decision: signal in, desired scale and excess burst capacity out (facts: autoscaling §7).
 * Pure; the state is the caller's, the clock is given.
 */
#ifndef NONAGON_PLUGIN_AUTOSCALER_KPA_DECIDE_H
#define NONAGON_PLUGIN_AUTOSCALER_KPA_DECIDE_H

#include <stdbool.h>

#include "plugin/autoscaler/kpa/delay.h"

#define DECIDE_EVERY_NS (2 * NS_PER_SEC)

struct decide_spec {
    bool rps;             /* the metric: requests per second instead of concurrency */
    double target, total; /* per pod: what to aim at, what it can take */
    double burst;         /* target burst capacity; -1 = unlimited */
    double activator_capacity;
    double up_rate, down_rate, panic_threshold;
    int64_t stable_ns, panic_ns, delay_ns;
    int initial, activation;
    bool reachable, weighted;
};

struct decide_state {
    bool panicking;
    int64_t panic_ns; /* when it began or was last confirmed */
    int max_panic;    /* most pods wanted since */
    struct delay delay;
};

struct decide_in {
    int64_t now_ns;
    bool valid; /* false: no data, nothing may change */
    int ready;
    double stable, panic; /* averages of the metric */
};

struct decide_out {
    bool valid;
    int desired;
    int excess; /* excess burst capacity */
};

/* The state of a decider that starts beside `ready` pods: with several it starts in panic, so as
 * not to take them. */
void decide_begin(struct decide_state *st, const struct decide_spec *s, int ready, int64_t now_ns);
void decide_end(struct decide_state *st);
/* What holds until the first valid decision: desired -1. */
struct decide_out decide_unknown(const struct decide_spec *s);
struct decide_out decide(const struct decide_spec *s, struct decide_state *st,
                         const struct decide_in *in);

#endif
