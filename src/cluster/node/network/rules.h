/*
 * The packet rules of the pods' network, in one table of our own (`table ip BRIDGE`) that is
 * replaced as a whole. They are where trust ends: only the bridge and this machine itself reach the
 * addresses on it; into the bridge passes only what belongs to a connection begun inside. Blocking
 * (runs nft); any thread.
 */
#ifndef NONAGON_NODE_RULES_H
#define NONAGON_NODE_RULES_H

#include "cluster/node/network/forwarding.h"
#include "cluster/node/network/net_spec.h"

/*
 * `forwarding`: interfaces that forward because of us, and so must not pass on what has nothing to
 * do with pods. `ret_seen` (malloc'ed) gets the table as the kernel tells it, for rules_stand.
 */
int rules_install(const struct net_spec *s, const forwarding_names *forwarding, char **ret_seen,
                  struct err *e);
/* Whether the table is still as it was then. */
bool rules_stand(const struct net_spec *s, const char *seen);
void rules_remove(const char *bridge);

#endif
