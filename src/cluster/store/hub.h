/*
 * Watches and the history they resume from, which is one per kind ("GROUP/PLURAL/"): many changes
 * of one kind cost other kinds nothing. One thread. A watch sees each event once, in order: `last`
 * is the newest revision that it has been given, wherever that came from.
 */
#ifndef NONAGON_STORE_HUB_H
#define NONAGON_STORE_HUB_H

#include "cluster/store/store.h"

struct hub;
/* max_events: of one kind. dead is told each row that nothing needs once its event is forgotten:
 * the version before, and a deletion's own. */
struct hub *hub_new(size_t max_events, void (*dead)(void *ctx, uint64_t rev), void *ctx);
void hub_free(struct hub *h); /* watches still there are freed; nobody may stop them afterwards */

/* References are taken; prev may be NULL. */
void hub_publish(struct hub *h, enum store_event ev, const struct store_obj *obj,
                 const struct store_obj *prev);
/* Drops what is beyond the bounds. Separate from publishing, so that what was borrowed this turn
 * stays. */
void hub_trim(struct hub *h);

/* The history of keys with this head begins behind rev; what is known before is forgotten. */
void hub_begin(struct hub *h, const char *head, size_t head_n, uint64_t rev);
void hub_begin_all(struct hub *h, uint64_t rev);
/* Where the history of all keys with the prefix begins. */
uint64_t hub_compacted(const struct hub *h, const char *prefix);
/* The kinds whose history was cut since the last call. */
void hub_each_cut(struct hub *h, void (*fn)(void *ctx, const char *head, uint64_t rev), void *ctx);

struct store_watch *hub_watch(struct hub *h, const char *prefix, uint64_t from, store_watch_fn *fn,
                              void *ctx, struct err *e);

#endif
