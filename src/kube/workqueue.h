/*
 * Work queue of string keys: a key is never worked on twice at once and no update is lost (queue +
 * dirty + processing sets), with delays and exponential back-off per key. The clock is passed in;
 * no threads, no timers: the controller asks wq_next_due and arms its own timer.
 */
#ifndef NONAGON_KUBE_WORKQUEUE_H
#define NONAGON_KUBE_WORKQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct workqueue;
struct workqueue *wq_new(int64_t base_delay_ns /* 0 = 5 ms */,
                         int64_t max_delay_ns /* 0 = 1000 s */);
void wq_free(struct workqueue *q);
void wq_add(struct workqueue *q, const char *key);
/* The earlier of two delays for one key wins. */
void wq_add_after(struct workqueue *q, const char *key, int64_t now_ns, int64_t delay_ns);
/* As wq_add_after with the key's next back-off delay. */
void wq_add_rate_limited(struct workqueue *q, const char *key, int64_t now_ns);
void wq_forget(struct workqueue *q, const char *key); /* resets the back-off */
int wq_failures(const struct workqueue *q, const char *key);
/* Moves due delayed keys in, then hands out the next key (malloc'ed), NULL when there is none. */
char *wq_get(struct workqueue *q, int64_t now_ns);
void wq_done(struct workqueue *q, const char *key); /* queues again if it got dirty meanwhile */
/* INT64_MAX when nothing waits; 0 when a key is ready now. */
int64_t wq_next_due(const struct workqueue *q);
size_t wq_len(const struct workqueue *q); /* ready keys */

#endif
