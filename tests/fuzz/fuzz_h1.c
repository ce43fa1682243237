/*
 * The HTTP/1 codec. The first byte says what the rest is: bit 0 a response, bit 1 the answer to
 * HEAD, bit 2 ends with the connection. The same bytes go in whole and in pieces of varying size
 * and must tell the same story; what was accepted must be harmless to write out again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STORY_MAX (16 * 1024 * 1024)

static bool upgrade, tunnel; /* the head asked for one; its message is over */

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static void check_framing(const struct h1_head *h)
{
    size_t lengths = http_count(&h->headers, "Content-Length");
    size_t codings = http_count(&h->headers, "Transfer-Encoding");

    must(lengths + codings <= 1);
    must(h->chunked == (codings == 1));
    must((h->content_length >= 0) == (lengths == 1));
    if (h->method.n) {
        size_t hosts = http_count(&h->headers, "Host");
        must(hosts == 1 || (hosts == 0 && h->minor == 0));
        must(h->has_body == (h->chunked || h->content_length > 0));
    }
}

static int on_head(void *ctx, struct h1_head *h)
{
    struct buf *story = ctx, out;

    must(h->headers.n <= LIMIT_HTTP_HEADERS && h->minor >= 0 && h->minor <= 1);
    for (size_t i = 0; i < h->headers.n; i++)
        must(is_token(h->headers.h[i].name) && is_clean(h->headers.h[i].value));
    check_framing(h);
    upgrade = h->upgrade;
    buf_init(&out, STORY_MAX);
    if (h->method.n)
        must(h1_write_request(&out, h->method, h->target, &h->headers) == 0);
    else if (h->status >= 100)
        must(h1_write_response(&out, h->status, &h->headers) == 0);
    buf_addf(story, "[%d %d %d]", h->keep_alive, h->has_body, h->upgrade);
    buf_add(story, out.p, out.n);
    buf_done(&out);
    return 0;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    must(n > 0);
    return buf_add(ctx, p, n) < 0 ? 1 : 0;
}

static int on_done(void *ctx)
{
    tunnel = upgrade;
    buf_addz(ctx, "[done]");
    return tunnel;
}

static const struct h1_events events = {on_head, on_body, on_done};

/* How much was consumed, or -1. */
static ssize_t tell(const uint8_t *data, size_t size, size_t step, struct buf *story)
{
    uint8_t how = size > 0 ? data[0] : 0;
    struct h1_parser *p = h1_new(how & 1 ? H1_RESPONSE : H1_REQUEST, &events, story);
    size_t at = size > 0 ? 1 : 0;
    ssize_t r = 0;

    upgrade = tunnel = false;
    if (how & 2)
        h1_expect_head(p);
    while (at < size) {
        size_t n = size - at < step ? size - at : step;
        uint8_t *piece = malloc(n); /* exact, so that reads beyond are seen */
        must(piece != NULL);
        memcpy(piece, data + at, n);
        r = h1_feed(p, (char *)piece, n, NULL);
        free(piece);
        if (r < 0)
            break;
        must((size_t)r <= n);
        at += (size_t)r;
        if (tunnel)
            break; /* what follows is not HTTP */
        must((size_t)r == n);
        step = step < 64 ? step * 2 + 1 : step;
    }
    if (r >= 0 && at == size && how & 4)
        r = h1_eof(p, NULL);
    h1_free(p);
    return r < 0 ? -1 : (ssize_t)at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7};
    struct buf whole = BUF_INIT(STORY_MAX);
    ssize_t r = tell(data, size, SIZE_MAX, &whole);

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct buf parts = BUF_INIT(STORY_MAX);
        must((tell(data, size, steps[i], &parts) < 0) == (r < 0));
        if (r >= 0)
            must(parts.n == whole.n && (parts.n == 0 || memcmp(parts.p, whole.p, parts.n) == 0));
        buf_done(&parts);
    }
    buf_done(&whole);
    return 0;
}
