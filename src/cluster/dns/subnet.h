/* Who may ask: addresses of the pods' subnet, and the machine itself. Pure. */
#ifndef NONAGON_CLUSTER_DNS_SUBNET_H
#define NONAGON_CLUSTER_DNS_SUBNET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct dns_subnet {
    uint32_t base, mask; /* host order */
};
/* "10.222.0.0/16"; NULL = none: then only the machine itself may ask. */
int dns_subnet_parse(const char *cidr, struct dns_subnet *ret, struct err *e);
bool dns_subnet_may_ask(const struct dns_subnet *s, const struct sockaddr *from);
/* The address of "192.0.2.1:53" or "[2001:db8::1]:53" (or without brackets). False: not one. */
bool dns_peer_parse(const char *text, struct sockaddr_storage *ret);

#endif
