/* Connections of every kind carry the same bytes: order, back-pressure, half-close, refusal, time
 * limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/conn.h"

#define BIG (8 * 1024 * 1024)

static struct loop *loop;
static struct listener *listener;
static struct conn *server, *client;
static struct buf got;
static bool got_eof, got_drain, got_close;
static struct err why_closed;
static size_t want;

static void on_data(void *ctx, const char *p, size_t n)
{
    buf_add(&got, p, n);
    if (want && got.n >= want)
        loop_stop(loop);
}

static void on_eof(void *ctx)
{
    got_eof = true;
    loop_stop(loop);
}

static void on_drain(void *ctx)
{
    got_drain = true;
}

static void on_close(void *ctx, const struct err *why)
{
    got_close = true;
    why_closed = *why;
    loop_stop(loop);
}

static const struct conn_events receiver = {
    .on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_close = on_close};

static void accepted(void *ctx, struct conn *c)
{
    server = c;
    conn_set_events(c, &receiver, NULL);
    if (client)
        loop_stop(loop);
}

static void connected(void *ctx, struct conn *c, const struct err *why)
{
    client = c;
    if (why)
        why_closed = *why;
    if (!c || server)
        loop_stop(loop);
}

static int set_up(void **state)
{
    loop = loop_new(NULL);
    listener = NULL;
    server = client = NULL;
    got_eof = got_drain = got_close = false;
    want = 0;
    memset(&why_closed, 0, sizeof(why_closed));
    buf_init(&got, 2 * BIG);
    return 0;
}

static int tear_down(void **state)
{
    conn_close(server);
    conn_close(client);
    listener_free(listener);
    loop_free(loop);
    buf_done(&got);
    return 0;
}

static void join_tcp(const char *host)
{
    struct err e;
    struct listen_opts lo = {.host = host, .port = 0};

    listener = listener_new(loop, &lo, accepted, NULL, &e);
    assert_non_null(listener);
    struct connect_opts co = {.host = host ? host : "127.0.0.1", .port = listener_port(listener)};
    conn_connect(loop, &co, connected, NULL);
    loop_run(loop);
    assert_non_null(server);
    assert_non_null(client);
}

static void join_memory(void)
{
    struct conn *ends[2];

    conn_pair(loop, ends);
    client = ends[0];
    server = ends[1];
    conn_set_events(server, &receiver, NULL);
}

static void join_unix(void)
{
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    client = conn_from_fd(loop, fd[0], NULL);
    server = conn_from_fd(loop, fd[1], NULL);
    conn_set_events(server, &receiver, NULL);
    assert_string_equal(conn_peer(client), "unix");
}

static void check_bytes(void)
{
    struct iovec iov[2] = {{(char[]){"hello "}, 6}, {(char[]){"world"}, 5}};

    want = 11;
    assert_true(conn_write(client, iov, 2) >= 0);
    loop_run(loop);
    assert_string_equal(buf_z(&got), "hello world");
    conn_shutdown(client);
    loop_run(loop);
    assert_true(got_eof);
}

static void check_back_pressure(void)
{
    _cleanup_free_ char *big = xmalloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 7 + i / 251);
    conn_set_events(client, &receiver, NULL);
    conn_read_stop(server);
    assert_true(conn_write1(client, big, BIG) > 0);
    assert_true(conn_write1(client, "end", 3) > 3);
    assert_true(conn_unsent(client) > 0);
    conn_read_start(server);
    want = BIG + 3;
    loop_run(loop);
    assert_int_equal(got.n, BIG + 3);
    assert_memory_equal(got.p, big, BIG);
    assert_memory_equal(got.p + BIG, "end", 3);
    while (!got_drain) {
        loop_stop(loop);
        loop_run(loop);
    }
    assert_int_equal(conn_unsent(client), 0);
}

static void test_tcp_bytes(void **state)
{
    join_tcp("127.0.0.1");
    assert_non_null(strstr(conn_peer(server), "127.0.0.1:"));
    check_bytes();
}

static void test_tcp_all_addresses(void **state)
{
    join_tcp(NULL);
    assert_memory_equal(conn_peer(server), "127.0.0.1:", 10);
    check_bytes();
}

static void test_tcp_back_pressure(void **state)
{
    join_tcp("127.0.0.1");
    check_back_pressure();
}

static void test_unix_bytes(void **state)
{
    join_unix();
    check_bytes();
}

static void test_memory_bytes(void **state)
{
    join_memory();
    check_bytes();
}

static void test_memory_back_pressure(void **state)
{
    join_memory();
    check_back_pressure();
}

static void test_flushing_close_loses_nothing(void **state)
{
    _cleanup_free_ char *big = xcalloc(1, BIG);

    join_tcp("127.0.0.1");
    conn_write1(server, "unread", 6); /* input the closing side never reads */
    conn_write1(client, big, BIG);
    conn_close_flush(client);
    client = NULL;
    loop_run(loop);
    assert_true(got_eof);
    assert_int_equal(got.n, BIG);
}

static void test_peer_gone_without_eof_handler(void **state)
{
    static const struct conn_events plain = {.on_data = on_data, .on_close = on_close};

    join_tcp("127.0.0.1");
    conn_set_events(server, &plain, NULL);
    conn_close(client);
    client = NULL;
    loop_run(loop);
    assert_true(got_close);
    assert_int_equal(why_closed.code, -ECONNRESET);
}

static void test_memory_peer_gone(void **state)
{
    join_memory();
    conn_close(client);
    client = NULL;
    loop_run(loop);
    assert_true(got_eof);
    assert_true(conn_write1(server, "x", 1) < 0);
}

static void close_inside(void *ctx, const char *p, size_t n)
{
    conn_close(server);
    server = NULL;
    loop_stop(loop);
}

static void test_close_inside_callback(void **state)
{
    static const struct conn_events closer = {.on_data = close_inside, .on_close = on_close};

    join_tcp("127.0.0.1");
    conn_set_events(server, &closer, NULL);
    conn_write1(client, "x", 1);
    loop_run(loop);
    assert_null(server);
    assert_false(got_close);
}

static void test_connection_refused(void **state)
{
    join_tcp("127.0.0.1");
    int port = listener_port(listener);
    conn_close(client);
    client = NULL;
    listener_free(listener);
    listener = NULL;
    conn_set_events(server, NULL, NULL);
    loop_stop(loop);
    loop_run(loop);
    struct connect_opts co = {.host = "127.0.0.1", .port = port};
    conn_connect(loop, &co, connected, NULL);
    loop_run(loop);
    assert_null(client);
    assert_int_equal(why_closed.code, -ECONNREFUSED);
    assert_non_null(strstr(why_closed.msg, "cannot connect to 127.0.0.1:"));
}

static void test_connect_cancel(void **state)
{
    join_tcp("127.0.0.1");
    conn_close(client);
    client = NULL;
    struct connect_opts co = {.host = "127.0.0.1", .port = listener_port(listener)};
    connecting_cancel(conn_connect(loop, &co, connected, NULL));
    loop_run(loop); /* ends with the first client's end of stream */
    assert_null(client);
}

/* Attempts that nobody cancelled end with the loop: no callback, no leak. */
static void test_loop_freed_while_connecting(void **state)
{
    struct loop *l = loop_new(NULL);
    struct connect_opts co = {.host = "127.0.0.1", .port = 1},
                        name = {.host = "localhost", .port = 1};

    conn_connect(l, &co, connected, NULL);
    conn_connect(l, &name, connected, NULL);
    loop_free(l);
    assert_int_equal(why_closed.code, 0);
}

static void test_address_in_use(void **state)
{
    struct err e;
    join_tcp("127.0.0.1");
    struct listen_opts lo = {.host = "127.0.0.1", .port = listener_port(listener)};
    assert_null(listener_new(loop, &lo, accepted, NULL, &e));
    assert_int_equal(e.code, -EADDRINUSE);
    assert_non_null(strstr(e.msg, "ss -ltnp"));
}

static void test_name_is_resolved(void **state)
{
    struct err e;
    struct listen_opts lo = {.host = NULL, .port = 0};

    listener = listener_new(loop, &lo, accepted, NULL, &e);
    struct connect_opts co = {.host = "localhost", .port = listener_port(listener)};
    conn_connect(loop, &co, connected, NULL);
    loop_run(loop);
    assert_non_null(client);
    check_bytes();
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_tcp_bytes),
        T(test_tcp_all_addresses),
        T(test_tcp_back_pressure),
        T(test_unix_bytes),
        T(test_memory_bytes),
        T(test_memory_back_pressure),
        T(test_flushing_close_loses_nothing),
        T(test_peer_gone_without_eof_handler),
        T(test_memory_peer_gone),
        T(test_close_inside_callback),
        T(test_connection_refused),
        T(test_connect_cancel),
        T(test_loop_freed_while_connecting),
        T(test_address_in_use),
        T(test_name_is_resolved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
