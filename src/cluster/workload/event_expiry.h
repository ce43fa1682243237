/*
 * Deletes Events that were last seen more than an hour ago, and the oldest of more than `limit`.
 * Nobody caches Events, so they are listed in pages. Between two sweeps more can come; they are few
 * beside what is kept.
 */
#ifndef NONAGON_WORKLOAD_EVENT_EXPIRY_H
#define NONAGON_WORKLOAD_EVENT_EXPIRY_H

#include "kube/controller.h"

struct event_expiry;
struct event_expiry *event_expiry_new(struct manager *m, size_t limit);
void event_expiry_free(struct event_expiry *x);
/* Looks now, unless it is looking; otherwise it does so every minute. */
void event_expiry_sweep(struct event_expiry *x);

/* When the Event was last seen, wall clock; 0 when it does not say. */
int64_t event_last_seen(const yyjson_val *event);

#endif
