/*
 * Addresses of one IPv4 subnet. Pure and in memory: which are leased is written in the pods' state
 * files. Freed addresses are given out again as late as possible, since others may remember who had
 * them. One thread.
 */
#ifndef NONAGON_NODE_IPAM_H
#define NONAGON_NODE_IPAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ipam;
/* "10.222.0.0/16", prefix 8 to 29. The network, the first address (the bridge's) and broadcast are
 * never given out. */
struct ipam *ipam_new(const char *subnet, struct err *e);
void ipam_free(struct ipam *p);
uint32_t ipam_gateway(const struct ipam *p); /* host order */
int ipam_prefix(const struct ipam *p);
int ipam_take(struct ipam *p, uint32_t *ret, struct err *e); /* -ENOSPC when all are leased */
bool ipam_claim(struct ipam *p,
                uint32_t addr); /* false: outside of the subnet, or leased already */
void ipam_release(struct ipam *p, uint32_t addr);

void ipam_text(uint32_t addr, char ret[static 16]);
bool ipam_parse(const char *text, uint32_t *ret);

#endif
