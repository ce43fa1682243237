/* WebSocket: frames by the table of the standard, and both sides of a socket against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "http/client.h"
#include "http/server.h"
#include "http/websocket.h"

/* ---- frames ---- */

static struct buf story;

static int tell(void *ctx, enum ws_op op, const char *p, size_t n)
{
    buf_addf(&story, "%d:%.*s;", op, n < 40 ? (int)n : 40, n ? p : "");
    return 0;
}

struct row {
    const char *name;
    enum ws_side side;
    const char *bytes;
    size_t n;
    const char *story;
    int code;
};
#define BYTES(s) s, sizeof(s) - 1
#define KEY      "\x37\xfa\x21\x3d"

static const struct row rows[] = {
    /* The examples of §5.7. */
    {"text", WS_CLIENT, BYTES("\x81\x05Hello"), "1:Hello;", 0},
    {"masked text", WS_SERVER, BYTES("\x81\x85" KEY "\x7f\x9f\x4d\x51\x58"), "1:Hello;", 0},
    {"fragments", WS_CLIENT, BYTES("\x01\x03Hel\x80\x02lo"), "1:Hello;", 0},
    {"ping", WS_CLIENT, BYTES("\x89\x05Hello"), "9:Hello;", 0},
    {"masked pong", WS_SERVER, BYTES("\x8a\x85" KEY "\x7f\x9f\x4d\x51\x58"), "10:Hello;", 0},
    {"ping between fragments", WS_CLIENT,
     BYTES("\x02\x01"
           "a\x89\x01p\x00\x01"
           "b\x80\x00"),
     "9:p;2:ab;", 0},
    {"empty messages", WS_CLIENT, BYTES("\x81\x00\x82\x00"), "1:;2:;", 0},
    {"close", WS_CLIENT,
     BYTES("\x88\x04\x03\xe8"
           "ok"),
     "8:\x03\xe8ok;", 0},
    {"close without a code", WS_CLIENT, BYTES("\x88\x00"), "8:;", 0},
    {"letters", WS_CLIENT, BYTES("\x81\x0c\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80..."),
     "1:\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80...;", 0},
    {"unmasked to a server", WS_SERVER, BYTES("\x81\x05Hello"), "", 1002},
    {"masked to a client", WS_CLIENT, BYTES("\x81\x85" KEY "\x7f\x9f\x4d\x51\x58"), "", 1002},
    {"reserved bit", WS_CLIENT, BYTES("\xc1\x05Hello"), "", 1002},
    {"reserved opcode", WS_CLIENT, BYTES("\x83\x01x"), "", 1002},
    {"reserved control", WS_CLIENT, BYTES("\x8b\x00"), "", 1002},
    {"fragmented ping", WS_CLIENT, BYTES("\x09\x01x"), "", 1002},
    {"long ping", WS_CLIENT, BYTES("\x89\x7e\x00\x7e"), "", 1002},
    {"continuation of nothing", WS_CLIENT, BYTES("\x80\x01x"), "", 1002},
    {"text inside a message", WS_CLIENT,
     BYTES("\x01\x01"
           "a\x81\x01"
           "b"),
     "", 1002},
    {"length not shortest, 2", WS_CLIENT, BYTES("\x82\x7e\x00\x05Hello"), "", 1002},
    {"length not shortest, 8", WS_CLIENT, BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello"),
     "", 1002},
    {"length with the highest bit", WS_CLIENT, BYTES("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"),
     "", 1002},
    {"too large", WS_CLIENT, BYTES("\x82\x7e\x03\xe9"), "", 1009},
    {"huge", WS_CLIENT, BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "", 1009},
    {"not UTF-8", WS_CLIENT, BYTES("\x81\x02\xc3\x28"), "", 1007},
    {"cut letter", WS_CLIENT, BYTES("\x81\x01\xc3"), "", 1007},
    {"overlong", WS_CLIENT, BYTES("\x81\x02\xc0\xaf"), "", 1007},
    {"surrogate", WS_CLIENT, BYTES("\x81\x03\xed\xa0\x80"), "", 1007},
    {"beyond Unicode", WS_CLIENT, BYTES("\x81\x04\xf4\x90\x80\x80"), "", 1007},
    {"letter over two fragments", WS_CLIENT, BYTES("\x01\x01\xc3\x80\x01\xa9"), "1:\xc3\xa9;", 0},
    {"bytes need not be UTF-8", WS_CLIENT, BYTES("\x82\x02\xc3\x28"), "2:\xc3\x28;", 0},
    {"close with half a code", WS_CLIENT, BYTES("\x88\x01\x03"), "", 1002},
    {"close with a forbidden code", WS_CLIENT, BYTES("\x88\x02\x03\xed"), "", 1002},
    {"close with a small code", WS_CLIENT, BYTES("\x88\x02\x00\x01"), "", 1002},
    {"close, reason not UTF-8", WS_CLIENT, BYTES("\x88\x03\x03\xe8\xff"), "", 1007},
};

static void run_row(const struct row *r, size_t step)
{
    struct ws_parser p;

    story = BUF_INIT(1 << 16);
    ws_init(&p, r->side, 1000, tell, NULL);
    for (size_t at = 0; at < r->n; at += step) {
        size_t n = r->n - at < step ? r->n - at : step;
        ssize_t used = ws_feed(&p, r->bytes + at, n);
        if (used < 0)
            break;
        assert_int_equal(used, n);
    }
    if (p.code != r->code || strcmp(buf_z(&story), r->story) != 0)
        fail_msg("%s, step %zu: code %d, story %s", r->name, step, p.code, buf_z(&story));
    if (p.code)
        assert_true(ws_feed(&p, "\x81\x00", 2) < 0);
    ws_done(&p);
    buf_done(&story);
}

static void test_frames(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= rows[i].n; step++)
            run_row(&rows[i], step);
    }
}

static int keep(void *ctx, enum ws_op op, const char *p, size_t n)
{
    buf_add(ctx, p, n);
    return 0;
}

/* What one side writes the other reads, at every size where the form changes. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 100000};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (int masked = 0; masked < 2; masked++) {
            _cleanup_buf_ struct buf got = BUF_INIT(1 << 20), sent = BUF_INIT(1 << 20);
            unsigned char mask[4] = {1, 200, 3, 4};
            char head[WS_HEAD_MAX];
            _cleanup_free_ char *p = xmalloc(sizes[i]), *plain = NULL;
            struct ws_parser parser;
            for (size_t k = 0; k < sizes[i]; k++)
                p[k] = (char)(k * 7);
            plain = xmemdup(p, sizes[i]);
            buf_add(&sent, head, ws_head(head, WS_BINARY, sizes[i], masked ? mask : NULL));
            if (masked)
                ws_mask(p, sizes[i], mask);
            buf_add(&sent, p, sizes[i]);
            ws_init(&parser, masked ? WS_SERVER : WS_CLIENT, 1 << 20, keep, &got);
            assert_int_equal(ws_feed(&parser, sent.p, sent.n), sent.n);
            assert_int_equal(got.n, sizes[i]);
            if (got.n)
                assert_memory_equal(got.p, plain, got.n);
            ws_done(&parser);
        }
    }
}

/* ---- sockets ---- */

static struct loop *loop;
static struct http_server *server;
static struct http_client *client;
static struct websocket *far, *near;
static struct buf near_got, far_got;
static int near_code, far_code, status;
static bool stopped;
static char key[WEBSOCKET_KEY_LEN];
static const char *agreed;

static void far_message(void *ctx, bool binary, const char *p, size_t n)
{
    buf_add(&far_got, p, n);
    if (n == 4 && memcmp(p, "quit", 4) == 0)
        websocket_close(far, 4001, "as you wish");
    else
        websocket_send2(far, binary, "\x01", 1, p, n);
}

static void far_closed(void *ctx, int code)
{
    far_code = code;
    websocket_free(far);
    far = NULL;
    loop_stop(loop);
}

static void near_message(void *ctx, bool binary, const char *p, size_t n)
{
    buf_add(&near_got, p, n);
    loop_stop(loop);
}

static void near_closed(void *ctx, int code)
{
    near_code = code;
    websocket_free(near);
    near = NULL;
    loop_stop(loop);
}

static void handler(void *ctx, struct http_exchange *x)
{
    static const struct websocket_events ev = {.on_message = far_message, .on_close = far_closed};
    static const char *const protocols[] = {"v5.channel.k8s.io", "v4.channel.k8s.io", NULL};
    const struct websocket_opts o = {.protocols = protocols, .max_message = 100000};
    struct err e;
    int st;

    far = websocket_accept(x, &o, &ev, NULL, &agreed, &st, &e);
    if (!far)
        http_reply(x, st, "text/plain", e.msg, strlen(e.msg));
}

static void on_stop(void *ctx)
{
    stopped = true;
    loop_stop(loop);
}

static int set_up(void **state)
{
    loop = loop_new(NULL);
    server = http_server_new(
        loop, &(struct http_server_opts){.listen = {.host = "127.0.0.1"}, .handler = handler},
        NULL);
    client = http_client_new(loop);
    near_got = far_got = BUF_INIT(1 << 20);
    near_code = far_code = status = 0;
    far = near = NULL;
    return 0;
}

static int tear_down(void **state)
{
    websocket_free(near);
    websocket_free(far);
    http_client_free(client);
    stopped = false;
    http_server_shutdown(server, 0, on_stop, NULL);
    while (!stopped)
        loop_run(loop);
    loop_free(loop);
    buf_done(&near_got);
    buf_done(&far_got);
    return 0;
}

static void on_upgrade(void *ctx, struct conn *c, const struct http_headers *hs)
{
    static const struct websocket_events ev = {.on_message = near_message, .on_close = near_closed};

    assert_true(websocket_agreed(hs, key));
    near = websocket_client(c, 0, &ev, NULL);
    status = 101;
    loop_stop(loop);
}

static void on_done(void *ctx, const struct err *err, int st, struct str body)
{
    status = st;
    loop_stop(loop);
}

static void ask(const struct http_headers *hs, const char *method)
{
    static const struct http_call_events ev = {.on_upgrade = on_upgrade, .on_done = on_done};
    struct http_call call = {.target = {.host = "127.0.0.1", .port = http_server_port(server)},
                             .method = str_of(method),
                             .path = STR("/"),
                             .headers = *hs,
                             .no_pool = true};

    status = 0;
    http_client_call(client, &call, &ev, NULL);
    while (!status)
        loop_run(loop);
}

static void open_socket(const char *protocols)
{
    struct http_headers hs = {.n = 0};

    websocket_key(key);
    websocket_request(&hs, key, protocols);
    ask(&hs, "GET");
}

static void test_conversation(void **state)
{
    static char big[90000];

    open_socket("v1.old, v4.channel.k8s.io");
    assert_int_equal(status, 101);
    assert_string_equal(agreed, "v4.channel.k8s.io");
    memset(big, 'x', sizeof(big));
    websocket_ping(near);
    websocket_send(near, true, big, sizeof(big));
    websocket_send(near, false, "text", 4);
    while (near_got.n < sizeof(big) + 6)
        loop_run(loop);
    assert_int_equal(near_got.p[0], 1);
    assert_string_equal(near_got.p + 1 + sizeof(big), "\x01text");
    websocket_send(near, false, "quit", 4);
    while (!near_code || !far_code)
        loop_run(loop);
    assert_int_equal(near_code, 4001);
    assert_int_equal(far_code, 4001);
}

static void test_our_goodbye_is_answered(void **state)
{
    open_socket(NULL);
    assert_null(agreed);
    websocket_close(near, 1000, "done");
    assert_true(websocket_send(near, true, "x", 1) < 0);
    while (!near_code || !far_code)
        loop_run(loop);
    assert_int_equal(near_code, 1000);
    assert_int_equal(far_code, 1000);
}

static void test_freeing_says_going_away(void **state)
{
    open_socket(NULL);
    websocket_free(near);
    near = NULL;
    while (!far_code)
        loop_run(loop);
    assert_int_equal(far_code, 1001);
}

static void test_too_large_a_message(void **state)
{
    static char big[100001];

    open_socket(NULL);
    websocket_send(near, true, big, sizeof(big));
    while (!near_code || !far_code)
        loop_run(loop);
    assert_int_equal(far_code, 1009);
    assert_int_equal(near_code, 1009);
}

static void test_handshakes_that_are_none(void **state)
{
    static const struct {
        const char *method, *version, *key, *protocols;
        int status;
    } bad[] = {
        {"GET", "13", "dGhlIHNhbXBsZSBub25jZQ==", "v5.channel.k8s.io", 101},
        {"POST", "13", "dGhlIHNhbXBsZSBub25jZQ==", NULL, 400},
        {"GET", "8", "dGhlIHNhbXBsZSBub25jZQ==", NULL, 426},
        {"GET", NULL, "dGhlIHNhbXBsZSBub25jZQ==", NULL, 426},
        {"GET", "13", "short", NULL, 400},
        {"GET", "13", "dGhlIHNhbXBsZSBub25jZQ==x", NULL, 400},
        {"GET", "13", NULL, NULL, 400},
        {"GET", "13", "dGhlIHNhbXBsZSBub25jZQ==", "v1.nobody", 400},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_headers hs = {.n = 0};
        http_add(&hs, STR("Connection"), STR("Upgrade"));
        http_add(&hs, STR("Upgrade"), STR("websocket"));
        if (bad[i].version)
            http_add(&hs, STR("Sec-WebSocket-Version"), str_of(bad[i].version));
        if (bad[i].key)
            http_add(&hs, STR("Sec-WebSocket-Key"), str_of(bad[i].key));
        if (bad[i].protocols)
            http_add(&hs, STR("Sec-WebSocket-Protocol"), str_of(bad[i].protocols));
        snprintf(key, sizeof(key), "%s", bad[i].key ? bad[i].key : "");
        print_message("row %zu\n", i);
        ask(&hs, bad[i].method);
        assert_int_equal(status, bad[i].status);
        websocket_free(steal(&near));
        websocket_free(steal(&far));
    }
}

/* The example of §1.3. */
static void test_proof(void **state)
{
    struct http_headers hs = {.n = 0};

    http_add(&hs, STR("Upgrade"), STR("WebSocket"));
    http_add(&hs, STR("Connection"), STR("Upgrade"));
    http_add(&hs, STR("Sec-WebSocket-Accept"), STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_true(websocket_agreed(&hs, "dGhlIHNhbXBsZSBub25jZQ=="));
    assert_false(websocket_agreed(&hs, "eGhlIHNhbXBsZSBub25jZQ=="));
    http_remove(&hs, "Connection");
    assert_false(websocket_agreed(&hs, "dGhlIHNhbXBsZSBub25jZQ=="));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_proof),    T(test_conversation),
        T(test_our_goodbye_is_answered), T(test_freeing_says_going_away),
        T(test_too_large_a_message),     T(test_handshakes_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
