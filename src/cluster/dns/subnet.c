/* Whatever the network lets through: a packet from elsewhere is not answered. */
#include "cluster/dns/subnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

int dns_subnet_parse(const char *cidr, struct dns_subnet *ret, struct err *e)
{
    const char *slash = cidr ? strchr(cidr, '/') : NULL;
    char ip[INET_ADDRSTRLEN];
    struct in_addr a;
    uint64_t bits;

    *ret = (struct dns_subnet){1, UINT32_MAX}; /* 0.0.0.1: nobody's */
    if (!cidr)
        return 0;
    if (!slash || (size_t)(slash - cidr) >= sizeof(ip) || str_u64(str_of(slash + 1), &bits) < 0 ||
        bits > 32)
        return err_set(e, -EINVAL, "the pods' subnet \"%s\" is not like 10.222.0.0/16", cidr);
    memcpy(ip, cidr, (size_t)(slash - cidr));
    ip[slash - cidr] = '\0';
    if (inet_pton(AF_INET, ip, &a) != 1)
        return err_set(e, -EINVAL, "the pods' subnet \"%s\" is not like 10.222.0.0/16", cidr);
    ret->mask = bits ? UINT32_MAX << (32 - bits) : 0;
    ret->base = ntohl(a.s_addr) & ret->mask;
    return 0;
}

static bool may_ask4(const struct dns_subnet *s, uint32_t ip)
{
    return ip >> 24 == 127 || (ip & s->mask) == s->base;
}

bool dns_subnet_may_ask(const struct dns_subnet *s, const struct sockaddr *from)
{
    const struct in6_addr *a = &((const struct sockaddr_in6 *)from)->sin6_addr;
    uint32_t ip;

    if (from->sa_family == AF_INET)
        return may_ask4(s, ntohl(((const struct sockaddr_in *)from)->sin_addr.s_addr));
    if (from->sa_family != AF_INET6)
        return false;
    if (!IN6_IS_ADDR_V4MAPPED(a))
        return IN6_IS_ADDR_LOOPBACK(a);
    memcpy(&ip, a->s6_addr + 12, sizeof(ip));
    return may_ask4(s, ntohl(ip));
}

bool dns_peer_parse(const char *text, struct sockaddr_storage *ret)
{
    const char *colon = strrchr(text, ':'), *from = *text == '[' ? text + 1 : text;
    char ip[INET6_ADDRSTRLEN];
    size_t n = colon ? (size_t)(colon - from) : strlen(from);

    memset(ret, 0, sizeof(*ret));
    if (n && from[n - 1] == ']')
        n--;
    if (n == 0 || n >= sizeof(ip))
        return false;
    memcpy(ip, from, n);
    ip[n] = '\0';
    ret->ss_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    return inet_pton(ret->ss_family, ip,
                     ret->ss_family == AF_INET6
                         ? (void *)&((struct sockaddr_in6 *)ret)->sin6_addr
                         : (void *)&((struct sockaddr_in *)ret)->sin_addr) == 1;
}
