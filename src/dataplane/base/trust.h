/* Peers whose word about others is believed: a list of networks. Immutable once made. */
#ifndef NONAGON_DATAPLANE_BASE_TRUST_H
#define NONAGON_DATAPLANE_BASE_TRUST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct dp_trust;
/* "192.0.2.0/24", "2001:db8::/32", or one address; -EINVAL names the one that is none. *ret is NULL
 * for an empty list. */
int dp_trust_new(const char *const *networks, size_t n, struct dp_trust **ret, struct err *e);
void dp_trust_free(struct dp_trust *t);
/* The address as conn_peer writes it, without port and brackets. NULL trusts nobody. */
bool dp_trust_has(const struct dp_trust *t, const char *ip);

#endif
