/*
 * What went wrong, for the operator: one line a second of each kind and worker, with a count of
 * those that were left out. Belongs to one thread.
 */
#ifndef NONAGON_DATAPLANE_BASE_REPORT_H
#define NONAGON_DATAPLANE_BASE_REPORT_H

#include <stdint.h>

enum dp_kind {
    DP_SAY_CLIENT,  /* a request that no HTTP parser should accept */
    DP_SAY_CONNECT, /* a pod that does not take connections */
    DP_SAY_ANSWER,  /* a pod that answered nonsense, or half */
    DP_SAY_TIMEOUT,
    DP_SAY_FULL, /* overload: queues, connections */
    DP_SAY_KINDS
};

struct dp_report {
    void (*fn)(void *ctx, enum dp_kind kind, const char *text); /* NULL: nobody listens */
    void *ctx;
    struct {
        int64_t last_ns; /* 0: never */
        uint64_t left_out;
    } kinds[DP_SAY_KINDS];
};

void dp_say(struct dp_report *r, int64_t now_ns, enum dp_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Tells of those that were left out when no other followed. */
void dp_report_flush(struct dp_report *r, int64_t now_ns);

#endif
