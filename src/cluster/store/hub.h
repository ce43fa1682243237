/*
 * Watches and the history they resume from. One thread. A watch sees each event once, in order:
 * `last` is the newest revision that it has been given, wherever that came from.
 */
#ifndef NONAGON_STORE_HUB_H
#define NONAGON_STORE_HUB_H

#include "cluster/store/store.h"

struct hub;
/* rev: the newest revision there is; history begins behind it. */
struct hub *hub_new(uint64_t rev, size_t max_events);
void hub_free(struct hub *h); /* watches still there are freed; nobody may stop them afterwards */

/* References are taken; prev may be NULL. */
void hub_publish(struct hub *h, enum store_event ev, const struct store_obj *obj,
                 const struct store_obj *prev);
/* Drops what is beyond the bounds. Separate from publishing, so that what was borrowed this turn
 * stays. */
void hub_trim(struct hub *h);
uint64_t hub_compacted(const struct hub *h);

struct store_watch *hub_watch(struct hub *h, const char *prefix, uint64_t from, store_watch_fn *fn,
                              void *ctx, struct err *e);

#endif
