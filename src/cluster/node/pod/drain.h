/*
 * When a pod that is to go may be asked to end: once its requests have ended, or none has come for
 * so long that those left are streams, which the program should close itself (a WebSocket server
 * says so to its clients). Pure.
 */
#ifndef NONAGON_NODE_DRAIN_H
#define NONAGON_NODE_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct pod_drain { /* monotonic nanoseconds */
    int64_t begun_ns;
    int64_t busy_ns;    /* when a request was last seen */
    int64_t arrived_ns; /* when one was last seen to come */
    uint64_t running;
};
void pod_drain_begin(struct pod_drain *d, int64_t now_ns);
/* Takes note of the requests that run now; whether the processes are to be asked to end, of which
 * the last may not be later than the deadline. */
bool pod_drain_over(struct pod_drain *d, int64_t now_ns, int64_t deadline_ns, uint64_t running);

#endif
