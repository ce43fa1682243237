/*
 * Time: monotonic for intervals, wall for stamps: the wall clock is stepped by people, by NTP and
 * by machines that were asleep. Deciders take the time as an argument; what runs on a loop asks the
 * loop (net/loop.h), whose clock tests replace.
 */
#ifndef NONAGON_BASE_CLOCK_H
#define NONAGON_BASE_CLOCK_H

#include <stdint.h>

#include "base/err.h"

#define NS_PER_MS  1000000LL
#define NS_PER_SEC 1000000000LL

int64_t clock_mono_ns(void);
int64_t clock_wall_ns(void);

/* A source of both times. Called from the thread of whoever holds it. */
struct clock {
    int64_t (*mono_ns)(void *ctx);
    int64_t (*wall_ns)(void *ctx);
    void *ctx;
};
extern const struct clock clock_system;

/* RFC 3339 UTC with whole seconds ("2026-01-02T03:04:05Z"), as metav1.Time. */
#define RFC3339_LEN 32
void clock_rfc3339(int64_t wall_ns, char ret[static RFC3339_LEN]);
/* With microseconds, as metav1.MicroTime. */
void clock_rfc3339_micro(int64_t wall_ns, char ret[static RFC3339_LEN]);
/* Accepts fractions and numeric offsets; 0 or -EINVAL. */
int clock_rfc3339_parse(const char *s, int64_t *ret_wall_ns);

/* Go duration syntax ("1m30s", "300ms", "-1.5h", "0"); 0 or -EINVAL with a message. */
int duration_parse(const char *s, int64_t *ret_ns, struct err *e);
/* Go's String() form ("1m30s", "300ms", "0s"). */
void duration_format(int64_t ns, char ret[static 32]);

#endif
