/*
 * The pods' bridge and what belongs to it: its address, the route to the pods and the one that
 * refuses where the bridge is missing, forwarding, packet rules. Blocking; any thread, one at a
 * time.
 */
#ifndef NONAGON_NODE_BRIDGE_H
#define NONAGON_NODE_BRIDGE_H

#include "cluster/node/network/net_spec.h"

/* Sets everything up (idempotently): before the listeners on the bridge's address start. */
int node_bridge_setup(const char *bridge, const char *subnet, char ret_ip[static 64],
                      struct err *e);
/*
 * Removes everything, and the bridge if node_bridge_setup made it (this process or one before),
 * when no interface is in the bridge. Those of namespaces that were just given up go a little
 * later: waits for them for up to wait_ms. Returns whether the bridge is gone.
 */
bool node_bridge_teardown(const char *bridge, const char *subnet, uint64_t wait_ms);

/* What bridge_repair remembers between its calls; zeroed at first. */
struct bridge_memory {
    char *rules; /* as the kernel told them */
    char *forwarding;
};
void bridge_memory_done(struct bridge_memory *m);
#define BRIDGE_FOUND_LEN 200
/*
 * Looks at all of it (at the packet rules, which costs a program, only if told to) and puts right
 * what is not as it should be; ports of pods that run are put back into the bridge. `ret_found`
 * says what was wrong ("" = nothing). On failure that part stays as it is and pods cannot be
 * reached.
 */
int bridge_repair(const struct net_spec *s, struct bridge_memory *m, bool look_at_rules,
                  char ret_found[static BRIDGE_FOUND_LEN], struct err *e);

#endif
