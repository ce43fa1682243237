/*
 * Three clocks: a short one since the last request ended, since one may still be on its way to a
 * pod that was just taken out of the routes; a longer one since the last request came, as
 * upstream's sidecar waits; and the grace period, a part of which belongs to the processes.
 */
#include "cluster/node/pod/drain.h"

#include "base/clock.h"

#define QUIET_NS       NS_PER_SEC
#define NO_NEW_NS      (30 * NS_PER_SEC)
#define MIN_RESERVE_NS (2 * NS_PER_SEC)

void pod_drain_begin(struct pod_drain *d, int64_t now_ns)
{
    *d = (struct pod_drain){.begun_ns = now_ns, .busy_ns = now_ns, .arrived_ns = now_ns};
}

/* A quarter of the grace period, at least two seconds, at most half. */
static int64_t reserve(int64_t grace_ns)
{
    int64_t part = grace_ns / 4;
    if (part < MIN_RESERVE_NS)
        part = MIN_RESERVE_NS;
    return part < grace_ns / 2 ? part : grace_ns / 2;
}

bool pod_drain_over(struct pod_drain *d, int64_t now_ns, int64_t deadline_ns, uint64_t running)
{
    if (running > d->running)
        d->arrived_ns = now_ns;
    if (running > 0)
        d->busy_ns = now_ns;
    d->running = running;
    return now_ns - d->busy_ns >= QUIET_NS || now_ns - d->arrived_ns >= NO_NEW_NS ||
           deadline_ns - now_ns <= reserve(deadline_ns - d->begun_ns);
}
