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
#define NL_MAC_LEN 6
int nl_bridge_add(struct nl *n, const char *name, const uint8_t mac[static NL_MAC_LEN],
                  struct err *e); /* existing: fine */
int nl_link_mac(struct nl *n, const char *name, const uint8_t mac[static NL_MAC_LEN],
                struct err *e);
int nl_link_master(struct nl *n, const char *name, const char *master, struct err *e);
int nl_link_up(struct nl *n, const char *name, struct err *e);
int nl_link_delete(struct nl *n, const char *name, struct err *e);
int nl_addr_add(struct nl *n, const char *name, uint32_t addr, int prefix,
                struct err *e); /* existing: fine */
/* The network is directly behind the interface; `src` is what we send from. Existing: fine. */
int nl_link_route(struct nl *n, const char *name, uint32_t net, int prefix, uint32_t src,
                  struct err *e);
/*
 * Packets for the network are refused where no better route stands: they never take the default
 * route. Existing (add) and missing (delete): fine.
 */
int nl_refuse_route(struct nl *n, bool add, uint32_t net, int prefix, struct err *e);
bool nl_refuse_route_stands(struct nl *n, uint32_t net, int prefix);
/* The index of the interface that packets to the address leave by; 0 = none, or refused. */
unsigned nl_route_of(struct nl *n, uint32_t addr);
int nl_default_route(struct nl *n, const char *name, uint32_t gateway, struct err *e);
/*
 * Makes a pair: `host_name` here, up and in the bridge (its index); "eth0" with the hardware
 * address in the namespace of the descriptor. -EEXIST when the name is taken.
 */
int nl_veth_add(struct nl *n, const char *host_name, unsigned bridge_index, int peer_ns_fd,
                const uint8_t peer_mac[static 6], struct err *e);

#endif
