/*
 * Keeps a cache equal to what the server has of one resource: list (in pages over a network, whole
 * in process), then watch; a watch that ends, or outlasts its time because its connection is dead,
 * is resumed; one that fell too far behind (410) or that the server refuses begins with a new list,
 * whose absences become removals. Tries for ever, with back-off. For informers.
 */
#ifndef NONAGON_KUBE_REFLECTOR_H
#define NONAGON_KUBE_REFLECTOR_H

#include "kube/cache.h"
#include "kube/client.h"

struct reflector_opts {
    struct kube_client *client;
    const struct kube_resource *res;
    const char *label_selector, *field_selector; /* NULL = none; copied */
    struct cache *cache;
    /* before NULL = added, after NULL = removed; borrowed. The cache has the new state already. */
    void (*on_change)(void *ctx, const struct kobj *before, const struct kobj *after);
    void (*on_synced)(void *ctx); /* after the first list */
    /* A list or watch failed (st) or works again (NULL); only changes are told. */
    void (*on_trouble)(void *ctx, const struct kube_status *st);
    void *ctx;
    /* 0 = what is right outside of tests: objects per page; the time of a watch, of which a random
     * part is added once more; how long its end may be late. */
    int page, watch_ms, grace_ms;
};
struct reflector;
struct reflector *reflector_new(const struct reflector_opts *o);
void reflector_start(struct reflector *r);
void reflector_free(struct reflector *r);
/* An object learned otherwise: the answer to an own write. */
void reflector_learn(struct reflector *r, const struct kobj *o);

#endif
