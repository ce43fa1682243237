/*
 * Watches over the pods' network while the node runs: a bridge that is deleted or taken down, an
 * address, a route, a rule that somebody changes is noticed at once (the kernel tells) or within
 * seconds (a look now and then), and put right. Loop thread only; the work is done on the thread
 * pool.
 */
#ifndef NONAGON_NODE_GUARD_H
#define NONAGON_NODE_GUARD_H

#include "cluster/node/network/net_spec.h"
#include "net/loop.h"

struct net_guard_opts {
    const struct net_spec *spec; /* copied */
    /* Pods cannot be reached, and why; NULL once they can again. Told when it changes. */
    void (*broken)(void *ctx, const char *why);
    void *ctx;
};
struct net_guard;
/* The network was set up before. */
struct net_guard *net_guard_new(struct loop *l, const struct net_guard_opts *o, struct err *e);
/* Waits for a repair under way, then nothing is repaired; nothing is called any more. */
void net_guard_free(struct net_guard *g);

#endif
