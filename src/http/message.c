/* Header sets are small flat arrays: a linear search that compares lengths first beats any index.
 */
#include "http/message.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static bool named(const struct http_header *h, struct str name)
{
    return h->name.n == name.n && str_ieq(h->name, name);
}

struct str http_get(const struct http_headers *hs, const char *name)
{
    struct str want = str_of(name);

    for (size_t i = 0; i < hs->n; i++) {
        if (named(&hs->h[i], want))
            return hs->h[i].value;
    }
    return STR_NULL;
}

size_t http_count(const struct http_headers *hs, const char *name)
{
    struct str want = str_of(name);
    size_t n = 0;

    for (size_t i = 0; i < hs->n; i++)
        n += named(&hs->h[i], want);
    return n;
}

int http_add(struct http_headers *hs, struct str name, struct str value)
{
    if (hs->n == LIMIT_HTTP_HEADERS)
        return -E2BIG;
    hs->h[hs->n++] = (struct http_header){name, value};
    return 0;
}

static void remove_named(struct http_headers *hs, struct str name)
{
    size_t kept = 0;

    for (size_t i = 0; i < hs->n; i++) {
        if (!named(&hs->h[i], name))
            hs->h[kept++] = hs->h[i];
    }
    hs->n = kept;
}

void http_remove(struct http_headers *hs, const char *name)
{
    remove_named(hs, str_of(name));
}

int http_replace(struct http_headers *hs, struct str name, struct str value)
{
    remove_named(hs, name);
    return http_add(hs, name, value);
}

bool http_has_token(const struct http_headers *hs, const char *name, const char *token)
{
    struct str want = str_of(name), tok = str_of(token);

    for (size_t i = 0; i < hs->n; i++) {
        struct str rest = hs->h[i].value, part;
        if (!named(&hs->h[i], want))
            continue;
        while (str_split(&rest, ',', &part)) {
            if (str_ieq(str_trim(part), tok))
                return true;
        }
    }
    return false;
}

static const struct {
    int status;
    const char *text;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return "Unknown";
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool http_unescape(char *s, size_t *n, bool plus)
{
    size_t to = 0;

    for (size_t i = 0; i < *n; i++) {
        char c = s[i];
        if (c == '%') {
            int hi = i + 2 < *n ? hex(s[i + 1]) : -1;
            int lo = hi >= 0 ? hex(s[i + 2]) : -1;
            if (lo < 0 || (hi == 0 && lo == 0))
                return false;
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        s[to++] = c;
    }
    *n = to;
    return true;
}

char *http_query_get(struct str query, const char *name)
{
    struct str part, want = str_of(name);

    while (str_split(&query, '&', &part)) {
        size_t eq = part.n;
        str_find(part, '=', &eq);
        size_t name_n = eq, value_n = eq < part.n ? part.n - eq - 1 : 0;
        _cleanup_free_ char *key = xstrndup(part.p, name_n);
        if (!http_unescape(key, &name_n, true) || !str_eq((struct str){key, name_n}, want))
            continue;
        char *value = xstrndup(value_n ? part.p + eq + 1 : "", value_n);
        if (http_unescape(value, &value_n, true)) {
            value[value_n] = '\0';
            return value;
        }
        free(value);
    }
    return NULL;
}
