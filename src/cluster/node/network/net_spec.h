/* The pods' network of one node, in numbers. */
#ifndef NONAGON_NODE_NET_SPEC_H
#define NONAGON_NODE_NET_SPEC_H

#include <stdint.h>

#include "cluster/node/network/netlink.h"

struct net_spec {
    char bridge[16];
    char subnet[32];
    uint32_t net, gateway; /* host order */
    int prefix;
    /* The bridge's, derived from its address: one that the kernel chose would change with its
     * ports, and pods would send to the one before for seconds. */
    uint8_t mac[NL_MAC_LEN];
};
int net_spec_read(const char *bridge, const char *subnet, struct net_spec *ret, struct err *e);
bool net_spec_has(const struct net_spec *s, uint32_t addr);

/* The hardware address of whoever has the address: the bridge, a pod. */
void net_spec_mac(uint32_t addr, uint8_t ret[static NL_MAC_LEN]);
/* The host's end of a pod's interface pair, and back: false for a name that is none. */
#define NET_PORT_LEN 16
void net_spec_port(uint32_t addr, char ret[static NET_PORT_LEN]);
bool net_spec_port_parse(const char *name, uint32_t *ret);

#endif
