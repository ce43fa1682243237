/*
 * All watches of the server: their deadlines in one heap under one timer, and what they share of an
 * event. Loop-thread only.
 */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_WATCHERS_H
#define NONAGON_CLUSTER_APISERVER_VERBS_WATCHERS_H

#include "base/heap.h"
#include "base/list.h"
#include "cluster/apiserver/verbs/event_cache.h"
#include "net/loop.h"

struct watch_entry {
    void (*due)(struct watch_entry *e, int64_t now); /* its deadline came; it sets the next */
    void (*stop)(struct watch_entry *e);             /* the server goes: ends and frees it */
    struct list link;
    struct heap_node deadline;
};

struct watchers {
    struct loop *loop;
    struct event_cache events;
    struct list all;
    struct heap deadlines;
    struct timer *tick;
};
struct watchers *watchers_new(struct loop *l);
/* Stops them all. */
void watchers_free(struct watchers *ws);

void watchers_add(struct watchers *ws, struct watch_entry *e);
void watchers_remove(struct watchers *ws, struct watch_entry *e);
/* On the loop's monotonic clock. */
void watchers_schedule(struct watchers *ws, struct watch_entry *e, int64_t at);

#endif
