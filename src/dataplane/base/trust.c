/* Networks as 16 bytes and a length: IPv4 lies in ::ffff:0:0/96, as the kernel shows it to a socket
 * that listens on both. */
#include "dataplane/base/trust.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct network {
    unsigned char address[16];
    unsigned bits;
};

struct dp_trust {
    size_t n;
    struct network networks[];
};

static bool parse_address(const char *text, unsigned char ret[16], bool *ret_v4)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(ret, mapped, sizeof(mapped));
    *ret_v4 = inet_pton(AF_INET, text, ret + 12) == 1;
    return *ret_v4 || inet_pton(AF_INET6, text, ret) == 1;
}

static int parse_network(const char *text, struct network *ret, struct err *e)
{
    const char *slash = strchr(text, '/');
    _cleanup_free_ char *address = slash ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
    uint64_t bits = 0;
    bool v4;

    if (!parse_address(address, ret->address, &v4))
        return err_set(e, -EINVAL, "trusted proxy \"%s\" is not an address or network", text);
    if (slash && (str_u64(str_of(slash + 1), &bits) < 0 || bits > (v4 ? 32 : 128)))
        return err_set(e, -EINVAL, "trusted proxy \"%s\": the prefix length is out of range", text);
    ret->bits = slash ? (unsigned)bits + (v4 ? 96 : 0) : 128;
    return 0;
}

int dp_trust_new(const char *const *networks, size_t n, struct dp_trust **ret, struct err *e)
{
    *ret = NULL;
    if (n == 0)
        return 0;
    struct dp_trust *t = xcalloc(1, sizeof(*t) + n * sizeof(t->networks[0]));
    for (; t->n < n; t->n++) {
        int r = parse_network(networks[t->n], &t->networks[t->n], e);
        if (r < 0) {
            free(t);
            return r;
        }
    }
    *ret = t;
    return 0;
}

void dp_trust_free(struct dp_trust *t)
{
    free(t);
}

static bool lies_in(const unsigned char *a, const struct network *net)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;

    if (memcmp(a, net->address, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ net->address[whole]) >> (8 - rest)) == 0;
}

bool dp_trust_has(const struct dp_trust *t, const char *ip)
{
    unsigned char a[16];
    bool v4;

    if (!t || !parse_address(ip, a, &v4))
        return false;
    for (size_t i = 0; i < t->n; i++) {
        if (lies_in(a, &t->networks[i]))
            return true;
    }
    return false;
}
