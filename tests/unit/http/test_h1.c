/* The codec: what it reads, byte by byte too, what it refuses, how it stops and goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/h1.h"

static struct h1_parser *parser;
static struct buf log_; /* what happened, as text */
static bool stop_head, stop_done;
static struct h1_head seen;

static int on_head(void *ctx, struct h1_head *h)
{
    seen = *h;
    if (h->method.n)
        buf_addf(&log_, "<" STR_FMT " " STR_FMT, STR_ARG(h->method), STR_ARG(h->target));
    else
        buf_addf(&log_, "<%d", h->status);
    for (size_t i = 0; i < h->headers.n; i++)
        buf_addf(&log_, "|" STR_FMT "=" STR_FMT, STR_ARG(h->headers.h[i].name),
                 STR_ARG(h->headers.h[i].value));
    buf_addz(&log_, ">");
    return stop_head;
}

static int on_body(void *ctx, const char *p, size_t n)
{
    buf_add(&log_, p, n);
    return 0;
}

static int on_done(void *ctx)
{
    buf_addz(&log_, ";");
    return stop_done;
}

static const struct h1_events events = {on_head, on_body, on_done};

static void begin(enum h1_kind kind)
{
    h1_free(parser);
    parser = h1_new(kind, &events, NULL);
    buf_clear(&log_);
}

static int set_up(void **state)
{
    buf_init(&log_, 1 << 20);
    stop_head = stop_done = false;
    return 0;
}

static int tear_down(void **state)
{
    h1_free(parser);
    parser = NULL;
    buf_done(&log_);
    return 0;
}

static ssize_t feed(const char *z)
{
    return h1_feed(parser, z, strlen(z), NULL);
}

/* The same events whole and in single bytes. */
static void same_both_ways(enum h1_kind kind, const char *z, const char *want)
{
    begin(kind);
    assert_int_equal(feed(z), strlen(z));
    assert_string_equal(buf_z(&log_), want);
    begin(kind);
    for (const char *p = z; *p; p++) {
        _cleanup_free_ char *one = xmemdup(p, 1);
        assert_int_equal(h1_feed(parser, one, 1, NULL), 1);
    }
    assert_string_equal(buf_z(&log_), want);
    assert_true(h1_idle(parser));
}

static void test_requests(void **state)
{
    same_both_ways(H1_REQUEST, "GET /a?b HTTP/1.1\r\nHost: x\r\nA:  b c \r\nE:\r\n\r\n",
                   "<GET /a?b|Host=x|A=b c|E=>;");
    same_both_ways(H1_REQUEST,
                   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                   "GET / HTTP/1.0\r\n\r\n",
                   "<POST /|Host=x|Content-Length=3>abc;<GET />;");
    same_both_ways(H1_REQUEST,
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n",
                   "<POST /|Host=x|Transfer-Encoding=chunked>abcde;");
}

static void test_responses(void **state)
{
    same_both_ways(
        H1_RESPONSE,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "<100>;<200|Content-Length=2>hi;<204>;<304|Content-Length=9>;");
}

static void test_head_facts(void **state)
{
    begin(H1_REQUEST);
    feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
    assert_true(seen.keep_alive && seen.has_body && seen.expect_continue && !seen.chunked);
    assert_int_equal(seen.content_length, 3);
    begin(H1_REQUEST);
    feed("GET / HTTP/1.0\r\n\r\n");
    assert_false(seen.keep_alive || seen.has_body);
    assert_int_equal(seen.minor, 0);
    assert_int_equal(seen.content_length, -1);
}

static void test_until_close(void **state)
{
    begin(H1_RESPONSE);
    feed("HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_true(seen.has_body);
    assert_false(seen.keep_alive);
    assert_false(h1_idle(parser));
    assert_int_equal(h1_eof(parser, NULL), 0);
    assert_string_equal(buf_z(&log_), "<200>all of it;");
}

static void test_cut(void **state)
{
    static const char *const parts[] = {
        "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        begin(H1_RESPONSE);
        feed(parts[i]);
        assert_int_equal(h1_eof(parser, NULL), -EPIPE);
    }
    begin(H1_RESPONSE);
    assert_int_equal(h1_eof(parser, NULL), 0);
}

static void test_answer_to_head(void **state)
{
    begin(H1_RESPONSE);
    h1_expect_head(parser);
    feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    assert_string_equal(buf_z(&log_), "<100>;<200|Content-Length=5>;<200|Content-Length=1>x;");
    begin(H1_RESPONSE);
    h1_expect_head(parser);
    feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 204 N\r\n\r\n");
    assert_string_equal(buf_z(&log_), "<200|Transfer-Encoding=chunked>;<204>;");
}

static void test_stops_and_goes_on(void **state)
{
    static const char two[] =
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.0\r\n\r\n";

    begin(H1_REQUEST);
    stop_head = stop_done = true;
    ssize_t at = feed(two);
    assert_string_equal(two + at, "abGET / HTTP/1.0\r\n\r\n");
    at += feed(two + at);
    assert_string_equal(two + at, "GET / HTTP/1.0\r\n\r\n");
    assert_true(h1_idle(parser));
    at += feed(two + at);
    assert_false(h1_idle(parser));
    assert_int_equal(feed(two + at), 0);
    assert_string_equal(buf_z(&log_), "<POST /|Host=x|Content-Length=2>ab;<GET />;");
    assert_true(h1_idle(parser));
}

static void test_stop_at_head_without_body(void **state)
{
    begin(H1_RESPONSE);
    stop_head = true;
    h1_expect_head(parser);
    feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert_string_equal(buf_z(&log_), "<200|Content-Length=5>");
    assert_false(h1_idle(parser));
    feed("");
    assert_string_equal(buf_z(&log_), "<200|Content-Length=5>;");
    assert_true(h1_idle(parser));
}

static void test_upgrade(void **state)
{
    static const char rq[] =
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw";
    static const char rs[] =
        "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw";

    begin(H1_REQUEST);
    assert_string_equal(rq + feed(rq), "raw");
    assert_true(seen.upgrade);
    begin(H1_RESPONSE);
    assert_string_equal(rs + feed(rs), "raw");
    assert_true(seen.upgrade);
}

static void test_refused_upgrade_goes_on(void **state)
{
    static const char rq[] =
        "GET /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n";

    begin(H1_REQUEST);
    ssize_t at = feed(rq);
    assert_true(feed(rq + at) > 0);
    assert_non_null(strstr(buf_z(&log_), ";<GET /2"));
    begin(H1_REQUEST);
    stop_done = true;
    at = feed(rq);
    assert_true(feed(rq + at) > 0);
    assert_non_null(strstr(buf_z(&log_), ";<GET /2"));
}

static const char *const bad_requests[] = {
    "GET / HTTP/1.1\r\n\r\n",                       /* no Host */
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", /* two */
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
    "chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
    "3\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
    "chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0b"
    "chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nA B: c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nA(: c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n: c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET / HTTP/0.9\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "PLAY / RTSP/1.0\r\n\r\n",
    "NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\x02",
    "GET / HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_requests); i++) {
        struct err e = {0};
        begin(H1_REQUEST);
        ssize_t r = h1_feed(parser, bad_requests[i], strlen(bad_requests[i]), &e);
        if (r != -EINVAL)
            fail_msg("accepted: %s", bad_requests[i]);
        assert_true(e.msg[0]);
        assert_true(feed("GET / HTTP/1.0\r\n\r\n") < 0);
        h1_reset(parser);
        assert_true(feed("GET / HTTP/1.0\r\n\r\n") > 0);
    }
}

static void test_nul_is_refused(void **state)
{
    static const char value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    static const char name[] = "GET / HTTP/1.1\r\nHost: a\r\nX\0: ab\r\n\r\n";

    begin(H1_REQUEST);
    assert_int_equal(h1_feed(parser, value, sizeof(value) - 1, NULL), -EINVAL);
    begin(H1_REQUEST);
    assert_int_equal(h1_feed(parser, name, sizeof(name) - 1, NULL), -EINVAL);
}

static void test_bounds(void **state)
{
    _cleanup_buf_ struct buf many = BUF_INIT(1 << 20), long_value = BUF_INIT(1 << 20);
    _cleanup_buf_ struct buf long_target = BUF_INIT(1 << 20);

    buf_addz(&many, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < LIMIT_HTTP_HEADERS; i++)
        buf_addf(&many, "h%d: v\r\n", i);
    buf_addz(&long_value, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    for (int i = 0; i < LIMIT_HTTP_HEAD; i++)
        buf_addc(&long_value, 'v');
    buf_addz(&long_target, "GET /");
    for (int i = 0; i < LIMIT_HTTP_URL; i++)
        buf_addc(&long_target, 'v');
    buf_addz(&long_target, " ");
    begin(H1_REQUEST);
    assert_int_equal(h1_feed(parser, many.p, many.n, NULL), -E2BIG);
    begin(H1_REQUEST);
    assert_int_equal(h1_feed(parser, long_value.p, long_value.n, NULL), -E2BIG);
    begin(H1_REQUEST);
    assert_int_equal(h1_feed(parser, long_target.p, long_target.n, NULL), -E2BIG);
}

static void test_writing(void **state)
{
    struct http_headers hs = {.n = 0};
    _cleanup_buf_ struct buf b = BUF_INIT(4096);

    http_add(&hs, STR("Host"), STR("x"));
    http_add(&hs, STR("Empty"), STR_NULL);
    assert_int_equal(h1_write_request(&b, STR("GET"), STR("/a"), &hs), 0);
    assert_string_equal(buf_z(&b), "GET /a HTTP/1.1\r\nHost: x\r\nEmpty: \r\n\r\n");
    buf_clear(&b);
    assert_int_equal(h1_write_response(&b, 404, &hs), 0);
    assert_string_equal(buf_z(&b), "HTTP/1.1 404 Not Found\r\nHost: x\r\nEmpty: \r\n\r\n");
    assert_int_equal(h1_write_request(&b, STR("GET"), STR("/a b"), &hs), -EINVAL);
    assert_int_equal(h1_write_request(&b, STR("GET\r\n"), STR("/"), &hs), -EINVAL);
    http_add(&hs, STR("X"), STR("a\r\nB: c"));
    assert_int_equal(h1_write_request(&b, STR("GET"), STR("/"), &hs), -EINVAL);
    assert_int_equal(h1_write_response(&b, 200, &hs), -EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_requests),
        T(test_responses),
        T(test_head_facts),
        T(test_until_close),
        T(test_cut),
        T(test_answer_to_head),
        T(test_stops_and_goes_on),
        T(test_stop_at_head_without_body),
        T(test_upgrade),
        T(test_refused_upgrade_goes_on),
        T(test_refused),
        T(test_nul_is_refused),
        T(test_bounds),
        T(test_writing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
