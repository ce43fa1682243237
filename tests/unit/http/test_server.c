/* Server and client against each other, and the server against raw bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "http/client.h"
#include "http/h1.h"
#include "http/server.h"
#include "http/session.h"

static struct loop *loop;
static struct http_server *server;
static struct http_client *client;
static struct http_exchange *held; /* an answer the test gives later */
static bool held_gone, shut;
static int served, done_calls, status;
static struct err last_err;
static struct buf got;
static char peer_seen[128];

static void on_held_close(void *ctx)
{
    held = NULL;
    held_gone = true;
    loop_stop(loop);
}

static void handler(void *ctx, struct http_exchange *x)
{
    struct str path = http_path(x);
    char big[300];

    served++;
    snprintf(peer_seen, sizeof(peer_seen), "%s", http_peer(x));
    if (str_eq(path, STR("/echo"))) {
        http_set_header(x, "X-Method", http_method(x).p);
        http_reply(x, 200, "text/plain", http_body(x).p, http_body(x).n);
    } else if (str_eq(path, STR("/query"))) {
        http_reply(x, 201, "text/plain", http_query(x).p, http_query(x).n);
    } else if (str_eq(path, STR("/stream"))) {
        http_start(x, 200, "text/plain");
        for (int i = 0; i < 100; i++) {
            memset(big, 'a' + i % 26, sizeof(big));
            assert_true(http_chunk(x, big, sizeof(big)) >= 0);
        }
        http_end(x);
    } else if (str_starts(path, STR("/hold"))) {
        held = x;
        http_on_close(x, on_held_close, NULL);
        if (str_eq(path, STR("/hold-stream")))
            http_start(x, 200, NULL);
        loop_stop(loop);
    } else if (str_eq(path, STR("/abort"))) {
        http_start(x, 200, NULL);
        http_chunk(x, "part", 4);
        http_abort(x);
    } else {
        http_reply(x, 404, NULL, NULL, 0);
    }
}

static int set_up(void **state)
{
    struct http_server_opts o = {
        .listen = {.host = "127.0.0.1"}, .max_body = 1000, .handler = handler};

    loop = loop_new(NULL);
    server = http_server_new(loop, &o, NULL);
    client = http_client_new(loop);
    held = NULL;
    held_gone = shut = false;
    served = done_calls = status = 0;
    memset(&last_err, 0, sizeof(last_err));
    buf_init(&got, 1 << 20);
    return 0;
}

static void stop(void *ctx)
{
    shut = true;
    loop_stop(loop);
}

static int tear_down(void **state)
{
    http_client_free(client);
    if (server) {
        http_server_shutdown(server, 0, stop, NULL);
        loop_run(loop);
    }
    server = NULL;
    loop_free(loop);
    buf_done(&got);
    return 0;
}

static void on_done(void *ctx, const struct err *err, int st, struct str body)
{
    done_calls++;
    status = st;
    if (err)
        last_err = *err;
    buf_add(&got, body.p, body.n);
    loop_stop(loop);
}

static void on_chunk(void *ctx, const char *p, size_t n)
{
    buf_add(&got, p, n);
}

static struct http_running *call_with(const char *method, const char *path, const char *body,
                                      const struct http_call_events *ev, uint64_t timeout_ms)
{
    struct http_call c = {
        .target = {.host = "127.0.0.1", .port = http_server_port(server)},
        .method = str_of(method),
        .path = str_of(path),
        .body = body ? str_of(body) : STR_NULL,
        .timeout_ms = timeout_ms,
    };

    return http_client_call(client, &c, ev, NULL);
}

static void request(const char *method, const char *path, const char *body)
{
    static const struct http_call_events ev = {.on_done = on_done};
    int before = done_calls;

    buf_clear(&got);
    last_err.code = 0;
    call_with(method, path, body, &ev, 0);
    while (done_calls == before)
        loop_run(loop);
}

static void test_round_trip(void **state)
{
    request("POST", "/echo", "some text");
    assert_int_equal(status, 200);
    assert_string_equal(buf_z(&got), "some text");
    request("GET", "/query?a=b&c", NULL);
    assert_int_equal(status, 201);
    assert_string_equal(buf_z(&got), "a=b&c");
    request("HEAD", "/stream", NULL);
    assert_int_equal(got.n, 0);
    request("GET", "/none", NULL);
    assert_int_equal(status, 404);
    assert_int_equal(served, 4);
}

static void test_connection_is_kept(void **state)
{
    char first[128];

    request("GET", "/echo", NULL);
    snprintf(first, sizeof(first), "%s", peer_seen);
    request("GET", "/stream", NULL);
    assert_string_equal(first, peer_seen);
    assert_int_equal(got.n, 100 * 300);
}

static void test_streaming(void **state)
{
    static const struct http_call_events ev = {.on_chunk = on_chunk, .on_done = on_done};

    call_with("GET", "/stream", NULL, &ev, 0);
    while (!done_calls)
        loop_run(loop);
    assert_int_equal(got.n, 30000);
    assert_int_equal(got.p[299], 'a');
    assert_int_equal(got.p[300], 'b');
}

static void test_late_answer(void **state)
{
    static const struct http_call_events ev = {.on_done = on_done};

    call_with("GET", "/hold", NULL, &ev, 0);
    while (!held)
        loop_run(loop);
    http_reply(held, 200, "text/plain", "late", 4);
    while (!done_calls)
        loop_run(loop);
    assert_string_equal(buf_z(&got), "late");
    assert_false(held_gone);
}

static void test_caller_leaves(void **state)
{
    static const struct http_call_events ev = {.on_done = on_done};
    struct http_running *r = call_with("GET", "/hold-stream", NULL, &ev, 0);

    while (!held)
        loop_run(loop);
    http_running_cancel(r);
    while (!held_gone)
        loop_run(loop);
    assert_int_equal(done_calls, 0);
}

static void test_time_limit(void **state)
{
    static const struct http_call_events ev = {.on_done = on_done};

    call_with("GET", "/hold", NULL, &ev, 30);
    while (!done_calls)
        loop_run(loop);
    assert_int_equal(last_err.code, -ETIMEDOUT);
    if (held)
        http_abort(held);
}

/* A stream that began and then is silent ends; one whose bytes come does not. */
static void test_quiet_stream(void **state)
{
    static const struct http_call_events ev = {.on_chunk = on_chunk, .on_done = on_done};
    struct http_call c = {.target = {.host = "127.0.0.1", .port = http_server_port(server)},
                          .method = STR("GET"),
                          .path = STR("/hold-stream"),
                          .quiet_ms = 60,
                          .no_pool = true};

    http_client_call(client, &c, &ev, NULL);
    while (!held)
        loop_run(loop);
    assert_true(http_chunk(held, "x", 1) >= 0);
    while (!done_calls)
        loop_run(loop);
    assert_string_equal(buf_z(&got), "x");
    assert_int_equal(last_err.code, -ETIMEDOUT);
    assert_non_null(strstr(last_err.msg, "said nothing"));
    while (!held_gone)
        loop_run(loop);
}

static void test_cut_answer(void **state)
{
    request("GET", "/abort", NULL);
    assert_int_equal(last_err.code, -ECONNRESET);
    assert_int_equal(status, 200);
}

static void test_body_too_large(void **state)
{
    char big[1500];

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    request("POST", "/echo", big);
    assert_int_equal(status, 413);
    assert_int_equal(served, 0);
}

static void test_bad_call(void **state)
{
    request("GET", "/a\r\nX: y", NULL);
    assert_int_equal(last_err.code, -EINVAL);
    assert_int_equal(served, 0);
}

static void test_nobody_there(void **state)
{
    int port = http_server_port(server);
    http_server_shutdown(server, 0, stop, NULL);
    loop_run(loop);
    server = NULL;
    struct http_call c = {.target = {.host = "127.0.0.1", .port = port}, .method = STR("GET")};
    static const struct http_call_events ev = {.on_done = on_done};
    http_client_call(client, &c, &ev, NULL);
    while (!done_calls)
        loop_run(loop);
    assert_int_equal(last_err.code, -ECONNREFUSED);
    assert_int_equal(status, 0);
}

static void test_pooled_connection_died(void **state)
{
    int port = http_server_port(server);
    struct http_server_opts o = {.listen = {.host = "127.0.0.1", .port = port}, .handler = handler};

    request("GET", "/echo", NULL);
    /* The old server closes its side; the client may or may not have noticed when it calls again.
     */
    http_server_shutdown(server, 0, NULL, NULL);
    server = http_server_new(loop, &o, NULL);
    request("GET", "/echo", NULL);
    assert_int_equal(status, 200);
    assert_int_equal(last_err.code, 0);
}

static void test_shutdown_lets_answers_finish(void **state)
{
    static const struct http_call_events ev = {.on_done = on_done};

    call_with("GET", "/hold", NULL, &ev, 0);
    while (!held)
        loop_run(loop);
    http_server_shutdown(server, 60000, stop, NULL);
    server = NULL;
    http_reply(held, 200, NULL, "x", 1);
    while (!done_calls || !shut)
        loop_run(loop);
    assert_int_equal(status, 200);
}

static void test_client_free_ends_calls(void **state)
{
    static const struct http_call_events ev = {.on_done = on_done};

    call_with("GET", "/hold", NULL, &ev, 0);
    http_client_free(client);
    client = NULL;
    assert_int_equal(done_calls, 1);
    assert_int_equal(last_err.code, -ECANCELED);
}

/* ---- raw bytes ---- */

static struct conn *raw;
static bool raw_over;
static size_t raw_want;

static void raw_data(void *ctx, const char *p, size_t n)
{
    buf_add(&got, p, n);
    if (raw_want && got.n >= raw_want)
        loop_stop(loop);
}

static void raw_close(void *ctx, const struct err *why)
{
    raw_over = true;
    loop_stop(loop);
}

static void send_raw(const char *z)
{
    static const struct conn_events ev = {.on_data = raw_data, .on_close = raw_close};
    struct conn *ends[2];

    conn_pair(loop, ends);
    raw = ends[0];
    raw_over = false;
    raw_want = 0;
    conn_set_events(raw, &ev, NULL);
    http_server_adopt(server, ends[1]);
    conn_write1(raw, z, strlen(z));
}

static void raw_answer(const char *z, const char *want)
{
    buf_clear(&got);
    send_raw(z);
    while (!raw_over)
        loop_run(loop);
    conn_close(raw);
    if (strncmp(buf_z(&got), want, strlen(want)) != 0)
        fail_msg("wanted %s, got %s", want, buf_z(&got));
}

static void test_raw_refusals(void **state)
{
    raw_answer("nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
    raw_answer("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
    raw_answer("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n",
               "HTTP/1.1 413 Content Too Large\r\n");
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    buf_addz(&b, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    for (int i = 0; i < 70000; i++)
        buf_addc(&b, 'a');
    raw_answer(buf_z(&b), "HTTP/1.1 431 Request Header Fields Too Large\r\n");
    assert_int_equal(served, 0);
}

static int count(const char *z, const char *part)
{
    int n = 0;

    while ((z = strstr(z, part)) != NULL)
        n++, z++;
    return n;
}

static void test_pipelining(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

    for (int i = 0; i < 500; i++)
        buf_addf(&b, "GET /query?%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
    buf_addz(&b, "GET /query?last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    raw_answer(buf_z(&b), "HTTP/1.1 201 Created\r\n");
    assert_int_equal(served, 501);
    assert_int_equal(count(buf_z(&got), "HTTP/1.1 201 Created"), 501);
    assert_true(strstr(buf_z(&got), "\r\n\r\n7HTTP") < strstr(buf_z(&got), "\r\n\r\n8HTTP"));
    assert_true(str_ends(buf_str(&got), STR("last")));
}

static void test_expect_continue(void **state)
{
    send_raw("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
             "Connection: close\r\n\r\n");
    raw_want = 25;
    loop_run(loop);
    assert_string_equal(buf_z(&got), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_want = 0;
    conn_write1(raw, "abc", 3);
    while (!raw_over)
        loop_run(loop);
    assert_true(str_ends(buf_str(&got), STR("\r\n\r\nabc")));
    conn_close(raw);
}

static void test_old_client_gets_until_close(void **state)
{
    raw_answer("GET /stream HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n");
    assert_null(strstr(buf_z(&got), "chunked"));
    assert_non_null(strstr(buf_z(&got), "Connection: close"));
    assert_true(str_ends(buf_str(&got), STR("vvvv")));
}

static void test_absolute_form(void **state)
{
    raw_answer("GET http://x/query?z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
               "HTTP/1.1 201 Created\r\n");
}

static void test_slow_head(void **state)
{
    struct http_server_opts o = {
        .listen = {.host = "127.0.0.1"}, .head_timeout_ms = 20, .handler = handler};

    http_server_shutdown(server, 0, stop, NULL);
    loop_run(loop);
    server = http_server_new(loop, &o, NULL);
    raw_answer("GET / HT", "HTTP/1.1 408 Request Timeout\r\n");
}

/* ---- head handler ---- */

static int heads;

static void restart(struct http_server_opts o)
{
    http_server_shutdown(server, 0, stop, NULL);
    loop_run(loop);
    o.listen = (struct listen_opts){.host = "127.0.0.1"};
    o.handler = handler;
    server = http_server_new(loop, &o, NULL);
    heads = 0;
}

static void head_handler(void *ctx, struct http_exchange *x)
{
    heads++;
    assert_int_equal(http_body(x).n, 0);
    if (str_starts(http_path(x), STR("/deny"))) {
        http_reply(x, 401, "text/plain", "no", 2);
    } else if (str_starts(http_path(x), STR("/later"))) {
        held = x;
        http_on_close(x, on_held_close, NULL);
        loop_stop(loop);
    } else {
        http_set_user(x, &(struct user_info){.name = "alice"});
        http_set_data(x, &heads);
        http_read_body(x);
    }
}

static void test_head_handler_refuses_and_connection_stays(void **state)
{
    restart((struct http_server_opts){.max_body = 1000, .head = head_handler});
    raw_answer("POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
               "POST /deny HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n0\r\n\r\n"
               "GET /deny HTTP/1.1\r\nHost: x\r\n\r\n"
               "GET /query?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
               "HTTP/1.1 401 Unauthorized\r\n");
    assert_int_equal(count(buf_z(&got), "HTTP/1.1 401"), 3);
    assert_int_equal(count(buf_z(&got), "HTTP/1.1 201"), 1);
    assert_int_equal(heads, 4);
    assert_int_equal(served, 1);
}

/* What was announced but is not worth reading costs the connection. */
static void test_head_handler_refuses_large_body(void **state)
{
    restart((struct http_server_opts){.max_body = 1 << 30, .head = head_handler});
    raw_answer("POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nhello",
               "HTTP/1.1 401 Unauthorized\r\n");
    assert_non_null(strstr(buf_z(&got), "Connection: close"));
    raw_answer("POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
               "Expect: 100-continue\r\n\r\n",
               "HTTP/1.1 401 Unauthorized\r\n");
    assert_null(strstr(buf_z(&got), "100 Continue"));
    raw_answer("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n",
               "HTTP/1.1 413 Content Too Large\r\n");
    assert_int_equal(heads, 3);
    assert_int_equal(served, 0);
}

static void test_head_handler_answers_later(void **state)
{
    restart((struct http_server_opts){.max_body = 1000, .head = head_handler});
    for (int accept = 0; accept < 2; accept++) {
        buf_clear(&got);
        send_raw("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                 "GET /query?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        while (!held)
            loop_run(loop);
        struct http_exchange *x = held;
        held = NULL;
        http_on_close(x, NULL, NULL);
        if (accept)
            http_read_body(x);
        else
            http_reply(x, 403, NULL, NULL, 0);
        while (!raw_over)
            loop_run(loop);
        conn_close(raw);
        assert_int_equal(count(buf_z(&got), accept ? "HTTP/1.1 404" : "HTTP/1.1 403"), 1);
        assert_int_equal(count(buf_z(&got), "HTTP/1.1 201"), 1);
    }
}

static void test_peer_leaves_before_the_verdict(void **state)
{
    restart((struct http_server_opts){.max_body = 1000, .head = head_handler});
    send_raw("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
    while (!held)
        loop_run(loop);
    conn_close(raw);
    if (!held_gone) { /* a half-close alone could still wait for the answer */
        http_read_body(held);
        while (!held_gone)
            loop_run(loop);
    }
    assert_int_equal(served, 0);
    assert_int_equal(server->held, 0);
}

/* ---- floods ---- */

static void test_slow_body(void **state)
{
    restart((struct http_server_opts){
        .max_body = 1 << 20, .body_grace_ms = 30, .body_rate = 1 << 30, .head_timeout_ms = 60000});
    raw_answer("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\nabc",
               "HTTP/1.1 408 Request Timeout\r\n");
    assert_non_null(strstr(buf_z(&got), "\r\nDate: "));
}

static void test_bodies_have_a_sum(void **state)
{
    static char bytes[60000];
    struct conn *others[3], *ends[2];

    restart((struct http_server_opts){.max_body = 1 << 20, .max_held = 150000});
    memset(bytes, 'x', sizeof(bytes));
    for (int i = 0; i < 3; i++) {
        conn_pair(loop, ends);
        others[i] = ends[0];
        http_server_adopt(server, ends[1]);
        static const char head[] =
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60001\r\n\r\n";
        conn_write1(others[i], head, sizeof(head) - 1);
        if (i < 2)
            conn_write1(others[i], bytes, sizeof(bytes));
    }
    raw = others[2];
    raw_over = false;
    conn_set_events(raw, &(struct conn_events){.on_data = raw_data, .on_close = raw_close}, NULL);
    conn_write1(raw, bytes, sizeof(bytes));
    while (!raw_over)
        loop_run(loop);
    assert_int_equal(strncmp(buf_z(&got), "HTTP/1.1 503 ", 13), 0);
    assert_non_null(strstr(buf_z(&got), "\r\nRetry-After: 1\r\n"));
    assert_true(server->held <= 150000);
    for (int i = 0; i < 3; i++)
        conn_close(others[i]);
    raw_answer("GET /query?z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 201");
    assert_int_equal(server->held, 0);
}

static struct conn *dialled;

static void on_dialled(void *ctx, struct conn *c, const struct err *why)
{
    dialled = c;
    loop_stop(loop);
}

static struct conn *dial(void)
{
    struct connect_opts o = {.host = "127.0.0.1", .port = http_server_port(server)};

    dialled = NULL;
    conn_connect(loop, &o, on_dialled, NULL);
    while (!dialled)
        loop_run(loop);
    return dialled;
}

static void stop_loop(void *ctx)
{
    loop_stop(loop);
}

/* Until fewer requests than one came in within a while: the flood has come to a stand. */
static void run_until_still(void)
{
    struct timer *t = timer_new(loop, stop_loop, NULL);

    for (int before = -1; before != served;) {
        before = served;
        timer_start(t, 100);
        loop_run(loop);
    }
    timer_free(t);
}

static void count_data(void *ctx, const char *p, size_t n)
{
    *(size_t *)ctx += n;
}

/* A client that sends and does not read stops itself; when it reads, everything is answered. */
static void test_pipelining_without_reading(void **state)
{
    enum { REQUESTS = 200000 };
    static const char one[] = "GET /query?q HTTP/1.1\r\nHost: x\r\n\r\n";
    _cleanup_buf_ struct buf b = BUF_INIT(64 << 20);
    size_t came = 0;

    for (int i = 0; i < REQUESTS; i++)
        buf_add(&b, one, sizeof(one) - 1);
    struct conn *c = dial();
    conn_set_events(c, &(struct conn_events){.on_data = count_data, .on_close = raw_close}, &came);
    conn_read_stop(c);
    conn_write1(c, b.p, b.n);
    run_until_still();
    assert_true(served < REQUESTS);
    assert_true(server->held <= LIMIT_HTTP_PIPELINED + 64 * 1024 + 16 * 1024);
    conn_read_start(c);
    while (served < REQUESTS)
        run_until_still();
    conn_close(c);
}

/* Newcomers take the place of idle strangers, not of those who identified themselves. */
static void test_newcomers_push_out_the_idle(void **state)
{
    struct conn *c[4];
    size_t came[4] = {0};
    static const char ask[] = "GET /query?q HTTP/1.1\r\nHost: x\r\n\r\n";

    restart((struct http_server_opts){.max_connections = 2, .head = head_handler});
    for (int i = 0; i < 4; i++) {
        c[i] = dial();
        conn_set_events(c[i], &(struct conn_events){.on_data = count_data}, &came[i]);
        if (i == 0 || i == 3)
            conn_write1(c[i], ask, sizeof(ask) - 1);
        while ((i == 0 || i == 3) && came[i] == 0)
            run_until_still();
    }
    run_until_still();
    assert_int_equal(server->n_sessions, 2);
    came[0] = 0;
    conn_write1(c[0], ask, sizeof(ask) - 1);
    while (came[0] == 0)
        run_until_still();
    for (int i = 0; i < 4; i++)
        conn_close(c[i]);
}

/* ---- upgrades ---- */

static void tunnel_data(void *ctx, const char *p, size_t n)
{
    conn_write1(ctx, p, n);
}

static void tunnel_over(void *ctx)
{
    conn_close(ctx);
}

static void upgrade_handler(void *ctx, struct http_exchange *x)
{
    static const struct conn_events ev = {.on_data = tunnel_data, .on_eof = tunnel_over};
    struct err e;

    http_set_header(x, "X-Extra", "1");
    struct conn *c = http_upgrade(x, "echo", &e);
    if (!c) {
        http_reply(x, 400, "text/plain", e.msg, strlen(e.msg));
        return;
    }
    conn_set_events(c, &ev, c);
    conn_write1(c, "hi:", 3);
}

static void restart_for_upgrades(void)
{
    http_server_shutdown(server, 0, stop, NULL);
    loop_run(loop);
    server = http_server_new(
        loop,
        &(struct http_server_opts){.listen = {.host = "127.0.0.1"}, .handler = upgrade_handler},
        NULL);
}

static void test_upgrade_takes_what_was_sent_ahead(void **state)
{
    static const char want[] = "\r\n\r\nhi:early";

    restart_for_upgrades();
    send_raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"
             "early");
    while (!strstr(buf_z(&got), want)) {
        raw_want = got.n + 1;
        loop_run(loop);
    }
    assert_int_equal(strncmp(buf_z(&got), "HTTP/1.1 101 Switching Protocols\r\n", 34), 0);
    assert_non_null(strstr(buf_z(&got), "\r\nUpgrade: echo\r\n"));
    assert_non_null(strstr(buf_z(&got), "\r\nX-Extra: 1\r\n"));
    assert_int_equal(server->n_sessions, 0);
    conn_write1(raw, "more", 4);
    while (!strstr(buf_z(&got), "hi:earlymore")) {
        raw_want = got.n + 1;
        loop_run(loop);
    }
    conn_close(raw);
}

static void test_upgrade_that_cannot_be(void **state)
{
    restart_for_upgrades();
    raw_answer("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 ");
    raw_answer("GET / HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: other\r\n\r\n",
               "HTTP/1.1 400 ");
    raw_answer("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n", "HTTP/1.1 400 ");
}

static void on_upgraded(void *ctx, struct conn *c, const struct http_headers *hs)
{
    assert_true(str_eq(http_get(hs, "X-Extra"), STR("1")));
    raw = c;
    conn_set_events(c, &(struct conn_events){.on_data = raw_data, .on_close = raw_close}, NULL);
    conn_write1(c, "yes", 3);
}

static void test_client_upgrades(void **state)
{
    static const struct http_call_events ev = {.on_upgrade = on_upgraded, .on_done = on_done};
    struct http_call call;

    restart_for_upgrades();
    call = (struct http_call){.target = {.host = "127.0.0.1", .port = http_server_port(server)},
                              .method = STR("GET"),
                              .path = STR("/"),
                              .no_pool = true};
    http_add(&call.headers, STR("Connection"), STR("Upgrade"));
    http_add(&call.headers, STR("Upgrade"), STR("echo"));
    http_client_call(client, &call, &ev, NULL);
    raw_want = 6;
    while (got.n < 6)
        loop_run(loop);
    assert_string_equal(buf_z(&got), "hi:yes");
    assert_int_equal(done_calls, 0);
    conn_close(raw);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_round_trip),
        T(test_connection_is_kept),
        T(test_streaming),
        T(test_late_answer),
        T(test_caller_leaves),
        T(test_time_limit),
        T(test_cut_answer),
        T(test_quiet_stream),
        T(test_body_too_large),
        T(test_bad_call),
        T(test_nobody_there),
        T(test_pooled_connection_died),
        T(test_shutdown_lets_answers_finish),
        T(test_client_free_ends_calls),
        T(test_raw_refusals),
        T(test_pipelining),
        T(test_expect_continue),
        T(test_old_client_gets_until_close),
        T(test_absolute_form),
        T(test_slow_head),
        T(test_head_handler_refuses_and_connection_stays),
        T(test_head_handler_refuses_large_body),
        T(test_head_handler_answers_later),
        T(test_peer_leaves_before_the_verdict),
        T(test_slow_body),
        T(test_bodies_have_a_sum),
        T(test_pipelining_without_reading),
        T(test_newcomers_push_out_the_idle),
        T(test_upgrade_takes_what_was_sent_ahead),
        T(test_upgrade_that_cannot_be),
        T(test_client_upgrades),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
