/*
 * Network namespaces of pods, made in advance: interface, address and routes ready. A namespace is
 * held by a descriptor alone, and by the processes in it; when both are gone the kernel removes it
 * with its interfaces, so a crash leaves none behind. Loop thread only; the making is done on
 * threads of its own.
 */
#ifndef NONAGON_NODE_NETNS_H
#define NONAGON_NODE_NETNS_H

#include <sys/types.h>

#include "cluster/node/network/ipam.h"
#include "net/loop.h"

struct netns {
    int fd;
    uint32_t addr;
    char ip[16];
    char path[48]; /* for the runtime, valid while this process lives */
};

struct netns_pool;
/* ipam is borrowed. */
struct netns_pool *netns_pool_new(struct loop *l, struct ipam *ipam, const char *bridge, int warm);
/* Waits for makings under way; their callbacks are not called. */
void netns_pool_free(struct netns_pool *p);

/* A ready one, or NULL when there is none now. */
struct netns *netns_take(struct netns_pool *p);
/* Makes one, with the address `addr` (leased by the caller) or a new one for 0. Not called from
 * inside. */
void netns_make(struct netns_pool *p, uint32_t addr,
                void (*done)(void *ctx, struct netns *ns, const struct err *why), void *ctx);
/* The namespace of a running process whose pod has the (leased) address. */
struct netns *netns_adopt(struct netns_pool *p, pid_t pid, uint32_t addr, struct err *e);
void netns_release(struct netns_pool *p, struct netns *ns); /* frees the address too */

#endif
