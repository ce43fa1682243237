/* A queue whose values fall: a new value makes all smaller ones before it pointless. */
#include "plugin/autoscaler/kpa/delay.h"

void delay_init(struct delay *d, int64_t length_ns, int64_t slot_ns)
{
    *d = (struct delay){.slots = (length_ns + slot_ns - 1) / slot_ns, .slot_ns = slot_ns};
}

void delay_done(struct delay *d)
{
    vec_done(&d->q);
}

int delay_max(struct delay *d, int64_t now_ns, int value)
{
    struct delay_entry e = {now_ns / d->slot_ns, value};

    if (d->slots == 0)
        return value;
    while (d->q.n > 0 && e.index - d->q.p[0].index >= d->slots)
        vec_remove(&d->q, 0);
    while (d->q.n > 0 && d->q.p[d->q.n - 1].value <= value)
        d->q.n--;
    if (d->q.n == 0 || d->q.p[d->q.n - 1].index != e.index)
        vec_push(&d->q, e);
    return d->q.p[0].value;
}
