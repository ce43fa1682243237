/*
 * The boundary of the data plane without its sockets: whatever head is read loosely, what is
 * written for the other side must be exactly one head to the strict parser, with the framing that
 * was read. The first byte says whether it is a request or an answer.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/head/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct other { /* what the other side has seen */
    const struct dp_head *said;
    bool request;
    size_t heads;
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static int strict_head(void *ctx, struct h1_head *h)
{
    struct other *o = ctx;
    const struct dp_head *said = o->said;

    o->heads++;
    if (!o->request)
        return 1;
    must(str_eq(h->method, said->method));
    must(h->chunked == (said->framing == DP_PIECES));
    must(h->content_length == (said->framing == DP_PIECES ? -1 : said->length));
    must(http_count(&h->headers, "Host") == 1);
    return 1;
}

static const struct h1_events strict_events = {strict_head, NULL, NULL};

static void check(const struct dp_head *said, const struct buf *wire, bool request)
{
    static const struct h1_opts strict = {.head_max = 1 << 20,
                                          .target_max = 1 << 20,
                                          .fields_max = LIMIT_HTTP_HEADERS,
                                          .any_method = true};
    struct other o = {.said = said, .request = request};
    struct h1_parser *p =
        h1_new_with(request ? H1_REQUEST : H1_RESPONSE, &strict, &strict_events, &o);
    ssize_t used = h1_feed(p, wire->p, wire->n, NULL);

    must(used >= 0 && (size_t)used <= wire->n && o.heads == 1);
    h1_free(p);
}

static int on_head(void *ctx, struct h1_head *h)
{
    bool request = h->method.n > 0;
    struct buf wire = BUF_INIT(1 << 22);
    struct dp_h1_answer how = {.keep_alive = true};
    struct dp_head to;
    const char *why = NULL;

    if ((request ? dp_head_of_request(h, &to, &why) : dp_head_of_answer(h, &to, &why)) < 0) {
        must(why != NULL);
        return 1;
    }
    if (request && str_eq(to.method, STR("CONNECT")))
        return 1; /* refused by name */
    must((request ? dp_h1_put_request(&wire, &to) : dp_h1_put_answer(&wire, &to, &how)) == 0);
    check(&to, &wire, request);
    buf_done(&wire);
    return 1;
}

static const struct h1_events events = {on_head, NULL, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct h1_opts o = {.head_max = 1 << 16,
                               .target_max = 1 << 16,
                               .fields_max = LIMIT_HTTP_HEADERS - 8,
                               .bare = true,
                               .any_method = true,
                               .loose_chunks = true,
                               .trailers = true};
    bool answer = size > 0 && data[0] & 1;

    if (size == 0)
        return 0;
    o.loose_lines = answer;
    o.pool = h1_pool_new();
    struct h1_parser *p = h1_new_with(answer ? H1_RESPONSE : H1_REQUEST, &o, &events, NULL);
    (void)h1_feed(p, (const char *)data + 1, size - 1, NULL);
    h1_free(p);
    h1_pool_free(o.pool);
    return 0;
}
