/* Writing heads: one pass to size and check, one to copy. */
#include <errno.h>
#include <string.h>

#include "http/h1.h"

static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return false;
    }
    return true;
}

/* Bytes of the fields and the empty line, or negative when one of them would break the head. */
static ssize_t fields_size(const struct http_headers *hs)
{
    size_t n = 2;

    for (size_t i = 0; i < hs->n; i++) {
        const struct http_header *h = &hs->h[i];
        if (h->name.n == 0 || !is_clean(h->name) || memchr(h->name.p, ':', h->name.n) ||
            !is_clean(h->value))
            return -EINVAL;
        n += h->name.n + h->value.n + 4;
    }
    return (ssize_t)n;
}

static char *put(char *to, const void *p, size_t n)
{
    if (n)
        memcpy(to, p, n);
    return to + n;
}

static char *put_fields(char *to, const struct http_headers *hs)
{
    for (size_t i = 0; i < hs->n; i++) {
        to = put(to, hs->h[i].name.p, hs->h[i].name.n);
        to = put(to, ": ", 2);
        to = put(to, hs->h[i].value.p, hs->h[i].value.n);
        to = put(to, "\r\n", 2);
    }
    return put(to, "\r\n", 2);
}

int h1_write_request(struct buf *out, struct str method, struct str target,
                     const struct http_headers *hs)
{
    static const char version[] = " HTTP/1.1\r\n";
    ssize_t fields = fields_size(hs);

    if (fields < 0 || !is_clean(method) || !is_clean(target) ||
        (target.n && memchr(target.p, ' ', target.n)))
        return -EINVAL;
    size_t n = method.n + 1 + target.n + sizeof(version) - 1 + (size_t)fields;
    int r = buf_reserve(out, n);
    if (r < 0)
        return r;
    char *to = put(out->p + out->n, method.p, method.n);
    to = put(to, " ", 1);
    to = put(to, target.p, target.n);
    to = put(to, version, sizeof(version) - 1);
    *put_fields(to, hs) = '\0';
    out->n += n;
    return 0;
}

int h1_write_response(struct buf *out, int status, const struct http_headers *hs)
{
    ssize_t fields = fields_size(hs);

    if (fields < 0 || status < 100 || status > 999)
        return -EINVAL;
    int r = buf_addf(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    if (r == 0)
        r = buf_reserve(out, (size_t)fields);
    if (r < 0)
        return r;
    *put_fields(out->p + out->n, hs) = '\0';
    out->n += (size_t)fields;
    return 0;
}
