/* Connections across threads, and bytes given back to a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "net/conn.h"

#define BIG (4 * 1024 * 1024)

static struct loop *loop;
static struct loop_thread *thread;
static struct conn *near, *far; /* far belongs to the thread */
static struct buf got;
static bool got_eof, got_close, got_drain;
static atomic_bool far_closed;

/* ---- on the thread: an echo ---- */

static void far_data(void *ctx, const char *p, size_t n)
{
    assert_true(loop_is_current(loop_thread_loop(thread)));
    conn_write1(far, p, n);
}

static void far_over(void *ctx)
{
    conn_close(far);
    atomic_store(&far_closed, true);
}

static void far_start(void *arg)
{
    static const struct conn_events ev = {.on_data = far_data, .on_eof = far_over};

    conn_set_events(far, &ev, NULL);
}

static void far_close(void *arg)
{
    conn_close(far);
}

/* ---- here ---- */

static void on_data(void *ctx, const char *p, size_t n)
{
    assert_true(loop_is_current(loop));
    buf_add(&got, p, n);
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
    loop_stop(loop);
}

static void on_close(void *ctx, const struct err *why)
{
    got_close = true;
    loop_stop(loop);
}

static const struct conn_events near_events = {
    .on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_close = on_close};

static int set_up(void **state)
{
    struct conn *ends[2];

    loop = loop_new(NULL);
    thread = loop_thread_start("far", NULL, NULL, NULL, NULL);
    conn_pair_across(loop, loop_thread_loop(thread), ends);
    near = ends[0];
    far = ends[1];
    conn_set_events(near, &near_events, NULL);
    buf_init(&got, 2 * BIG);
    got_eof = got_close = got_drain = false;
    atomic_store(&far_closed, false);
    return 0;
}

static int tear_down(void **state)
{
    loop_thread_stop(thread);
    loop_free(loop);
    buf_done(&got);
    return 0;
}

static void test_bytes_both_ways(void **state)
{
    _cleanup_free_ char *big = xmalloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 31 >> 3);
    loop_post(loop_thread_loop(thread), far_start, NULL);
    for (size_t at = 0; at < BIG; at += BIG / 64)
        conn_write1(near, big + at, BIG / 64);
    while (got.n < BIG)
        loop_run(loop);
    assert_memory_equal(got.p, big, BIG);
    while (!got_drain)
        loop_run(loop);
    assert_int_equal(conn_unsent(near), 0);
    assert_false(conn_peer_left(near));
    conn_shutdown(near);
    while (!got_eof)
        loop_run(loop);
    assert_true(atomic_load(&far_closed));
    assert_true(conn_peer_left(near));
    assert_true(conn_write1(near, "x", 1) < 0);
    conn_close(near);
}

static void test_stopped_reading_holds_back(void **state)
{
    conn_read_stop(near);
    loop_post(loop_thread_loop(thread), far_start, NULL);
    conn_write1(near, "abc", 3);
    while (!got_drain)
        loop_run(loop);
    assert_int_equal(got.n, 0);
    conn_read_start(near);
    while (got.n < 3)
        loop_run(loop);
    conn_close(near);
    while (!atomic_load(&far_closed))
        ;
}

/* The other loop has gone with its end unused, or closes it: never a dangling pointer. */
static void test_other_thread_ends(void **state)
{
    loop_post(loop_thread_loop(thread), far_close, NULL);
    loop_thread_stop(thread);
    thread = NULL;
    conn_write1(near, "abc", 3);
    while (!got_eof)
        loop_run(loop);
    conn_close(near);
}

static void test_no_eof_handler_means_close(void **state)
{
    static const struct conn_events ev = {.on_close = on_close};

    conn_set_events(near, &ev, NULL);
    loop_post(loop_thread_loop(thread), far_close, NULL);
    while (!got_close)
        loop_run(loop);
    conn_close(near);
}

static void join(struct conn *ends[2])
{
    conn_close(near);
    loop_post(loop_thread_loop(thread), far_close, NULL);
    conn_pair(loop, ends);
}

/* Given back bytes come first, what was read-stopped stays, and the rest passes through. */
static void test_unread_comes_first(void **state)
{
    struct conn *ends[2];

    join(ends);
    conn_write1(ends[1], " world", 6);
    struct conn *c = conn_with_unread(ends[0], "hello", 5);
    conn_set_events(c, &near_events, NULL);
    conn_read_stop(c);
    loop_post(loop, (void (*)(void *))loop_stop, loop);
    loop_run(loop);
    assert_int_equal(got.n, 0);
    conn_read_start(c);
    while (got.n < 11)
        loop_run(loop);
    assert_string_equal(buf_z(&got), "hello world");
    conn_shutdown(ends[1]);
    while (!got_eof)
        loop_run(loop);
    assert_string_equal(conn_peer(c), "loopback");
    conn_close(c);
    conn_close(ends[1]);
}

static void close_it(void *ctx, const char *p, size_t n)
{
    conn_close(ctx);
    loop_stop(loop);
}

static void test_unread_closed_inside(void **state)
{
    struct conn *ends[2];

    join(ends);
    struct conn *c = conn_with_unread(ends[0], "x", 1);
    conn_set_events(c, &(struct conn_events){.on_data = close_it}, c);
    loop_run(loop);
    conn_close(ends[1]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bytes_both_ways),    T(test_stopped_reading_holds_back),
        T(test_other_thread_ends),  T(test_no_eof_handler_means_close),
        T(test_unread_comes_first), T(test_unread_closed_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
