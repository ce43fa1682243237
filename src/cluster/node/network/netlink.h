/*
 * Links, addresses and routes through rtnetlink. Blocking and short. A socket belongs to the
 * network namespace of the thread that opened it, and so do the names and indices given to it.
 */
#ifndef NONAGON_NODE_NETLINK_H
#define NONAGON_NODE_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct nl;
struct nl *nl_open(struct err *e);
void nl_close(struct nl *n);
DEFINE_CLEANUP(struct nl *, nl_close)

/* Addresses are IPv4 in host order. All return 0 or a negative errno with a message. */
int nl_bridge_add(struct nl *n, const char *name, struct err *e); /* existing: fine */
int nl_link_up(struct nl *n, const char *name, struct err *e);
int nl_link_delete(struct nl *n, const char *name, struct err *e);
int nl_addr_add(struct nl *n, const char *name, uint32_t addr, int prefix,
                struct err *e); /* existing: fine */
int nl_default_route(struct nl *n, const char *name, uint32_t gateway, struct err *e);
/*
 * Makes a pair: `host_name` here, up and in the bridge (its index); "eth0" with the hardware
 * address in the namespace of the descriptor. -EEXIST when the name is taken.
 */
int nl_veth_add(struct nl *n, const char *host_name, unsigned bridge_index, int peer_ns_fd,
                const uint8_t peer_mac[static 6], struct err *e);

#endif
