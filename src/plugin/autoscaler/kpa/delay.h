/* The largest value of the last n slots: what a scale-down waits for (facts: autoscaling §7.4).
 * Pure. */
#ifndef NONAGON_PLUGIN_AUTOSCALER_KPA_DELAY_H
#define NONAGON_PLUGIN_AUTOSCALER_KPA_DELAY_H

#include <stdint.h>

#include "base/vec.h"

struct delay_entry {
    int64_t index;
    int value;
};
struct delay {
    int64_t slots, slot_ns;
    VEC(struct delay_entry) q; /* indices rise, values fall */
};

void delay_init(struct delay *d, int64_t length_ns, int64_t slot_ns); /* length 0 = no delay */
void delay_done(struct delay *d);
/* Records and gives the largest value now. */
int delay_max(struct delay *d, int64_t now_ns, int value);

#endif
