/* The bridge as a link: whose it is, its address, its ports. Blocking; any thread. */
#ifndef NONAGON_NODE_BRIDGE_LINK_H
#define NONAGON_NODE_BRIDGE_LINK_H

#include "cluster/node/network/net_spec.h"

bool bridge_link_is_ours(const char *bridge); /* carries our mark */
/* A new one: marked, with its hardware address, without IPv6. */
int bridge_link_make(struct nl *n, const struct net_spec *s, struct err *e);
bool bridge_link_is_up(const char *bridge);
bool bridge_link_has_mac(const struct net_spec *s);
bool bridge_link_has_address(const struct net_spec *s);
/*
 * Puts the interfaces of pods that are out of the bridge into it; counts them in *ret, and those
 * that packets do not reach by way of the bridge in *ret_astray.
 */
int bridge_link_ports(struct nl *n, const struct net_spec *s, size_t *ret, size_t *ret_astray,
                      struct err *e);

#endif
