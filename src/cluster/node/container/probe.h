/*
 * One probe of one container: runs attempts by its timing, counts thresholds, and tells when the
 * verdict changes. Before the first success an attempt follows another after a twentieth of the
 * time already waited (at least a millisecond), so that a start is seen about when it happens and
 * slow starters cost little. Loop thread only.
 */
#ifndef NONAGON_NODE_PROBE_H
#define NONAGON_NODE_PROBE_H

#include "http/client.h"
#include "net/loop.h"
#include "net/proc.h"
#include "net/tls.h"
#include "json/json.h"

enum probe_kind { PROBE_STARTUP, PROBE_READINESS, PROBE_LIVENESS };
enum { PROBE_KINDS = 3 };

struct probe_timing {
    int64_t initial_delay_ms, period_ms, timeout_ms;
    int success_threshold, failure_threshold;
    bool eager; /* fast attempts until the first success */
};
void probe_timing_read(const yyjson_val *spec, enum probe_kind kind, struct probe_timing *ret);
/* Pure: how long to wait for the next attempt, that long after the first one, while nothing
 * succeeded yet. */
int64_t probe_eager_delay_ms(const struct probe_timing *t, int64_t elapsed_ms);

/* Starts a program in the container; done must be called once. Exit code 0 = success. */
typedef struct proc *probe_exec_fn(void *ctx, const yyjson_val *command, uint64_t timeout_ms,
                                   void (*done)(void *to, const struct proc_result *r), void *to);
struct probe_opts {
    enum probe_kind kind;
    const yyjson_val *spec;      /* borrowed: must outlive the probe */
    const yyjson_val *container; /* for named ports */
    const char *ip;              /* copied */
    struct http_client *http;
    struct tls_client *tls; /* does not verify */
    probe_exec_fn *exec;
    /* The verdict changed (or is known for the first time). May free the probe. */
    void (*verdict)(void *ctx, enum probe_kind kind, bool ok, const char *message);
    void *ctx;
};
struct probe;
/* NULL when the spec has no handler this node knows. */
struct probe *probe_new(struct loop *l, const struct probe_opts *o, struct err *e);
void probe_free(struct probe *p); /* cancels a running attempt */

#endif
