/* The pods' bridge and the rules around it. */
#ifndef NONAGON_NODE_BRIDGE_H
#define NONAGON_NODE_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Sets up (idempotently) the bridge, its address, forwarding and masquerading; before the listeners
 * on the bridge's address start. */
int node_bridge_setup(const char *bridge, const char *subnet, char ret_ip[static 64],
                      struct err *e);
/*
 * Removes the rules, and the bridge if node_bridge_setup made it (this process or one before), when
 * no interface is in the bridge. Those of namespaces that were just given up go a little later:
 * waits for them for up to wait_ms. Returns whether the bridge is gone.
 */
bool node_bridge_teardown(const char *bridge, uint64_t wait_ms);

#endif
