/* Neutral heads as HTTP/1.1. What could break a head has been refused by whoever read it, so
 * nothing is checked again here. */
#include <errno.h>
#include <stdio.h>

#include "dataplane/head/names.h"

static char *copy(char *to, struct str s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

static void put(struct buf *b, struct str s)
{
    if (buf_reserve(b, s.n) < 0)
        return;
    copy(b->p + b->n, s);
    b->n += s.n;
}

static void put_field(struct buf *b, struct str name, struct str value)
{
    size_t n = name.n + value.n + 4;

    if (buf_reserve(b, n) < 0)
        return;
    char *to = copy(b->p + b->n, name);
    to = copy(to, STR(": "));
    to = copy(to, value);
    copy(to, STR("\r\n"));
    b->n += n;
}

static void put_length(struct buf *b, int64_t length)
{
    char digits[24], *p = digits + sizeof(digits);
    uint64_t left = (uint64_t)length;

    do
        *--p = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    put_field(b, STR("Content-Length"), (struct str){p, (size_t)(digits + sizeof(digits) - p)});
}

static void put_fields(struct buf *b, const struct dp_head *h)
{
    for (size_t i = 0; i < h->n; i++)
        put_field(b, h->f[i].name, h->f[i].value);
}

/* A buffer that was full anywhere lacks its end. */
static int finish(struct buf *b)
{
    put(b, STR("\r\n"));
    return str_ends(buf_str(b), STR("\r\n\r\n")) ? 0 : -E2BIG;
}

int dp_h1_put_request(struct buf *b, const struct dp_head *h)
{
    size_t most = h->method.n + h->path.n + h->authority.n + 256;

    for (size_t i = 0; i < h->n; i++)
        most += h->f[i].name.n + h->f[i].value.n + 4;
    if (buf_reserve(b, most) < 0)
        return -E2BIG;
    put(b, h->method);
    put(b, STR(" "));
    if (h->path.n == 0 || h->path.p[0] == '?')
        put(b, STR("/"));
    put(b, h->path);
    put(b, STR(" HTTP/1.1\r\n"));
    put_field(b, STR("Host"), h->authority);
    put_fields(b, h);
    if (h->framing == DP_PIECES)
        put(b, STR("Transfer-Encoding: chunked\r\n"));
    else if (h->length >= 0)
        put_length(b, h->length);
    if (h->protocol.n) {
        put(b, STR("Connection: Upgrade\r\n"));
        put_field(b, STR("Upgrade"), h->protocol);
    } else if (h->trailers) {
        put(b, STR("Connection: TE\r\nTE: trailers\r\n"));
    }
    return finish(b);
}

static void put_status(struct buf *b, const struct dp_head *h)
{
    char line[] = "HTTP/1.1 000 ";

    line[9] = (char)('0' + h->status / 100 % 10);
    line[10] = (char)('0' + h->status / 10 % 10);
    line[11] = (char)('0' + h->status % 10);
    put(b, (struct str){line, sizeof(line) - 1});
    put(b, h->reason);
    put(b, STR("\r\n"));
}

static void put_framing(struct buf *b, const struct dp_head *h, struct dp_h1_answer *how)
{
    how->chunked = (h->framing == DP_PIECES || h->framing == DP_TO_END) && !how->old;
    if ((h->framing == DP_PIECES || h->framing == DP_TO_END) && how->old)
        how->keep_alive = false; /* the end of the connection ends the body */
    if (how->chunked)
        put(b, STR("Transfer-Encoding: chunked\r\n"));
    else if (h->length >= 0 && h->status != 204)
        put_length(b, h->length);
    if (!how->keep_alive)
        put(b, STR("Connection: close\r\n"));
    else if (how->old)
        put(b, STR("Connection: keep-alive\r\n"));
}

int dp_h1_put_answer(struct buf *b, const struct dp_head *h, struct dp_h1_answer *how)
{
    put_status(b, h);
    if (h->status == 101) {
        put(b, STR("Connection: Upgrade\r\n"));
        if (h->protocol.n)
            put_field(b, STR("Upgrade"), h->protocol);
    } else if (h->status >= 200) {
        put_framing(b, h, how);
    }
    put_fields(b, h);
    return finish(b);
}

/* RFC 9110 6.5.1: nothing that frames, routes or identifies comes behind the body. */
static bool may_trail(struct str name)
{
    return dp_name_of(name) == DP_NAME_PLAIN;
}

int dp_h1_put_end(struct buf *b, const struct http_header *trailers, size_t n)
{
    put(b, STR("0\r\n"));
    for (size_t i = 0; i < n; i++) {
        if (may_trail(trailers[i].name))
            put_field(b, trailers[i].name, trailers[i].value);
    }
    put(b, STR("\r\n"));
    return 0;
}

bool dp_output_body(struct dp_output *o, const char *p, size_t n, bool chunked)
{
    if (o->n + 3 > (int)ARRAY_LEN(o->iov) - 2 || o->n_sizes == (int)ARRAY_LEN(o->sizes))
        return false;
    if (!chunked) {
        dp_output_add(o, p, n);
        return true;
    }
    char *line = o->sizes[o->n_sizes++];
    dp_output_add(o, line, (size_t)snprintf(line, sizeof(o->sizes[0]), "%zx\r\n", n));
    dp_output_add(o, p, n);
    dp_output_add(o, "\r\n", 2);
    return true;
}
