/* Three bytes are four letters. The last group may lack one or two bytes; "=" stands for them. */
#include "base/base64.h"

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

/* How many letters are no padding, or SIZE_MAX when the text is not base64. */
static size_t letters(const char *s, size_t n)
{
    size_t plain = n;

    while (plain > 0 && n - plain < 2 && s[plain - 1] == '=')
        plain--;
    for (size_t i = 0; i < plain; i++)
        if (!s[i] || !strchr(set, s[i]))
            return SIZE_MAX;
    return n % 4 == 0 ? plain : SIZE_MAX;
}

bool base64_valid(const char *s)
{
    return letters(s, strlen(s)) != SIZE_MAX;
}

char *base64_decode(const char *s, size_t n, size_t *ret_n)
{
    size_t plain = letters(s, n), len = 0;
    unsigned bits = 0, have = 0;

    if (plain == SIZE_MAX)
        return NULL;
    char *out = xmalloc(n / 4 * 3 + 1);
    for (size_t i = 0; i < plain; i++) {
        bits = bits << 6 | (unsigned)(strchr(set, s[i]) - set);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (char)(bits >> have & 0xff);
        }
    }
    out[len] = '\0';
    if (ret_n)
        *ret_n = len;
    return out;
}
