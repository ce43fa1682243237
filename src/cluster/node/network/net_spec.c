/* Names and addresses that follow from others. Pure. */
#include "cluster/node/network/net_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/node/network/ipam.h"

#define PORT_PREFIX "ng"
#define PORT_DIGITS 8

int net_spec_read(const char *bridge, const char *subnet, struct net_spec *ret, struct err *e)
{
    struct ipam *p = ipam_new(subnet, e);
    if (!p)
        return -EINVAL;
    *ret = (struct net_spec){.gateway = ipam_gateway(p), .prefix = ipam_prefix(p)};
    ipam_free(p);
    ret->net = ret->gateway & (~0U << (32 - ret->prefix));
    snprintf(ret->bridge, sizeof ret->bridge, "%s", bridge);
    snprintf(ret->subnet, sizeof ret->subnet, "%s", subnet);
    net_spec_mac(ret->gateway, ret->mac);
    return 0;
}

bool net_spec_has(const struct net_spec *s, uint32_t addr)
{
    return (addr & (~0U << (32 - s->prefix))) == s->net;
}

void net_spec_mac(uint32_t addr, uint8_t ret[static NL_MAC_LEN])
{
    const uint8_t mac[NL_MAC_LEN] = {0x0a,
                                     0x58, /* locally administered */
                                     (uint8_t)(addr >> 24),
                                     (uint8_t)(addr >> 16),
                                     (uint8_t)(addr >> 8),
                                     (uint8_t)addr};
    memcpy(ret, mac, sizeof mac);
}

void net_spec_port(uint32_t addr, char ret[static NET_PORT_LEN])
{
    snprintf(ret, NET_PORT_LEN, PORT_PREFIX "%08x", addr);
}

bool net_spec_port_parse(const char *name, uint32_t *ret)
{
    size_t skip = strlen(PORT_PREFIX);
    if (strncmp(name, PORT_PREFIX, skip) != 0 || strlen(name) != skip + PORT_DIGITS ||
        strspn(name + skip, "0123456789abcdef") != PORT_DIGITS)
        return false;
    *ret = (uint32_t)strtoul(name + skip, NULL, 16);
    return true;
}
