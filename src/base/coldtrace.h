/*
 * Cold-start trace: when the stages of a start from zero happened, per revision, in this process.
 * Each role marks the stage it owns; the gateway reads the whole for the Server-Timing header, the
 * demo and the benchmark. Thread-safe, bounded (oldest entries are dropped), and only ever
 * informative: nothing decides on it.
 */
#ifndef NONAGON_BASE_COLDTRACE_H
#define NONAGON_BASE_COLDTRACE_H

#include <stdbool.h>
#include <stdint.h>

enum cold_stage {
    COLD_QUEUED,  /* gateway: a request waits and no pod is ready; starts a new trace */
    COLD_DECIDED, /* autoscaler: a scale above zero was decided */
    COLD_CREATED, /* node: the pod object reached the node */
    COLD_STARTED, /* node: the container's process runs */
    COLD_READY,   /* node: the probe succeeded */
    COLD_SERVED,  /* gateway: the waiting request was sent to the pod */
    COLD_STAGE_MAX,
};

/* Marks the first time of a stage since the trace's start; a mark without a trace is ignored. */
void coldtrace_mark(const char *ns, const char *revision, enum cold_stage stage);
/* Monotonic times of the latest trace, 0 where not reached. False when there is none. */
bool coldtrace_get(const char *ns, const char *revision, int64_t ret_ns[static COLD_STAGE_MAX]);

#endif
