/* A bitmap over the host part and a cursor that goes round. */
#include "cluster/node/network/ipam.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct ipam {
    uint32_t base, size; /* network address, count of addresses */
    int prefix;
    uint32_t cursor;
    uint8_t *leased; /* one bit each */
};

void ipam_text(uint32_t addr, char ret[static 16])
{
    snprintf(ret, 16, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
}

bool ipam_parse(const char *text, uint32_t *ret)
{
    struct in_addr a;
    if (!text || inet_pton(AF_INET, text, &a) != 1)
        return false;
    *ret = ntohl(a.s_addr);
    return true;
}

struct ipam *ipam_new(const char *subnet, struct err *e)
{
    struct str rest = str_of(subnet), network = STR_NULL;
    str_split(&rest, '/', &network);
    _cleanup_free_ char *text = xstrndup(network.p, network.n);
    uint32_t base;
    int64_t prefix;
    if (!ipam_parse(text, &base) || str_i64(rest, &prefix) < 0 || prefix < 8 || prefix > 29) {
        err_set(e, -EINVAL,
                "subnet of pods %s: expected an IPv4 network such as 10.222.0.0/16, "
                "prefix between 8 and 29",
                subnet);
        return NULL;
    }
    struct ipam *p = xnew(struct ipam);
    p->prefix = (int)prefix;
    p->size = 1u << (32 - prefix);
    p->base = base & ~(p->size - 1);
    p->cursor = 2;
    p->leased = xcalloc(p->size / 8, 1);
    return p;
}

void ipam_free(struct ipam *p)
{
    if (!p)
        return;
    free(p->leased);
    free(p);
}

uint32_t ipam_gateway(const struct ipam *p)
{
    return p->base + 1;
}

int ipam_prefix(const struct ipam *p)
{
    return p->prefix;
}

static bool is_leased(const struct ipam *p, uint32_t host)
{
    return p->leased[host / 8] >> (host % 8) & 1;
}

int ipam_take(struct ipam *p, uint32_t *ret, struct err *e)
{
    for (uint32_t tried = 0; tried < p->size - 3; tried++) {
        uint32_t host = p->cursor;
        p->cursor = host + 1 < p->size - 1 ? host + 1 : 2;
        if (is_leased(p, host))
            continue;
        p->leased[host / 8] |= (uint8_t)(1u << (host % 8));
        *ret = p->base + host;
        return 0;
    }
    return err_set(e, -ENOSPC, "no free pod address left in the subnet's %u", p->size - 3);
}

bool ipam_claim(struct ipam *p, uint32_t addr)
{
    uint32_t host = addr - p->base;
    if (host < 2 || host >= p->size - 1 || is_leased(p, host))
        return false;
    p->leased[host / 8] |= (uint8_t)(1u << (host % 8));
    return true;
}

void ipam_release(struct ipam *p, uint32_t addr)
{
    uint32_t host = addr - p->base;
    if (host < p->size)
        p->leased[host / 8] &= (uint8_t) ~(1u << (host % 8));
}
