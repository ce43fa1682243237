/* Three bytes in, four letters out. */
#include "cluster/apiserver/base64.h"

static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_add(struct buf *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    int r = buf_reserve(out, (n + 2) / 3 * 4);

    for (size_t i = 0; r >= 0 && i < n; i += 3) {
        unsigned v = (unsigned)p[i] << 16;

        if (i + 1 < n)
            v |= (unsigned)p[i + 1] << 8;
        if (i + 2 < n)
            v |= p[i + 2];
        buf_addc(out, set[v >> 18]);
        buf_addc(out, set[v >> 12 & 63]);
        buf_addc(out, i + 1 < n ? set[v >> 6 & 63] : '=');
        buf_addc(out, i + 2 < n ? set[v & 63] : '=');
    }
    return r;
}

bool base64_valid(const char *s)
{
    size_t n = strlen(s), plain = strspn(s, set);

    return n % 4 == 0 && n - plain <= 2 && strspn(s + plain, "=") == n - plain;
}
