/*
 * Asking other resolvers: the query goes out as it came, with an id of our own, to one after the
 * other until one answers. Each has two seconds. Loop thread only; at most LIMIT_DNS_PENDING at a
 * time.
 */
#ifndef NONAGON_CLUSTER_DNS_FORWARD_H
#define NONAGON_CLUSTER_DNS_FORWARD_H

#include "cluster/dns/message.h"
#include "net/loop.h"

struct forwarder;
/* upstreams: as in dns_opts. own_ip: never asked. */
struct forwarder *forwarder_new(struct loop *l, const char *upstreams, const char *own_ip,
                                struct err *e);
void forwarder_free(struct forwarder *f); /* drops what is outstanding, without calling back */

/*
 * done is called once, not from inside, with the answer under the query's own id (valid during the
 * call), or with NULL when nobody answered. -EBUSY when too many are outstanding; -EINVAL for what
 * is not a query.
 */
int forward(struct forwarder *f, bool tcp, const uint8_t *query, size_t n,
            void (*done)(void *ctx, const uint8_t *p, size_t n), void *ctx);

#endif
