/* Waiting: from zero, for a slot, in vain; limits, time limits, endpoints that come and go, the
 * signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/limits.h"
#include "rig.h"

static int pod, port;

static int prepare(void)
{
    pod = pod_listen(&port);
    rig_route("a.example", "rev");
    rig_backend((struct rig_backend){.revision = "rev"});
    return 0;
}

static int set_up(void **state)
{
    return rig_start(state) || prepare();
}

static int set_up_single(void **state)
{
    return rig_start_single(state) || prepare();
}

static void wait_in_flight(uint64_t n)
{
    struct dp_stat s;

    for (int i = 0; i < 5000; i++) {
        s = rig_stat("rev");
        if (s.in_flight == n)
            return;
        usleep(1000);
    }
    fail_msg("in flight: %d, wanted %d", (int)s.in_flight, (int)n);
}

static void test_from_zero(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "POST / HTTP/1.1\r\nHost: a.example\r\nX-Nonagon-Server-Timing: 1\r\n"
              "Content-Length: 4\r\n\r\nbody");
    rig_wait_arrivals(1);
    struct dp_stat s = rig_stat("rev");
    assert_int_equal(s.waiting, 1);
    assert_int_equal(s.in_flight, 1);
    assert_true(s.requests == 1 && s.seconds > 0);
    rig_wait_arrivals(2); /* said again while it lasts */
    trace_mark(trace_table_sink(traces), "ns/rev", "decide", loop_now_ns(loop));
    trace_mark(trace_table_sink(traces), "ns/rev", "ready", loop_now_ns(loop));
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    int u = pod_accept(pod);
    expect(u, "body");
    pod_answer(u, "awake");
    expect(c, "awake");
    assert_true(has("\r\nServer-Timing: queue;dur="));
    assert_true(has(", decide;dur=") && has(", ready;dur="));
    s = rig_stat("rev");
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.in_flight, 0);
}

/* A body beyond what is kept waits with its sender and arrives whole. */
static void test_big_body_from_zero(void **state)
{
    enum { N = 2 * 1024 * 1024 };
    _cleanup_free_ char *big = xmalloc(N + 1);
    int c = rig_dial(EXTERNAL);

    memset(big, 'b', N);
    memcpy(big + N - 3, "END", 4);
    pid_t writer = fork();
    if (writer == 0) {
        send_z(
            c,
            "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n");
        send_z(c, big);
        send_z(c, "\r\n0\r\n\r\n");
        _exit(0);
    }
    rig_wait_arrivals(2);
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    int u = pod_accept(pod);
    expect(u, "END\r\n");
    assert_true(seen.n > N);
    pod_answer(u, "all of it");
    expect(c, "all of it");
}

static void test_client_leaves_the_queue(void **state)
{
    int c = rig_dial(EXTERNAL);

    get(c, "a.example", "/");
    rig_wait_arrivals(1);
    shutdown(c, SHUT_RDWR);
    expect_eof(c);
    wait_in_flight(0);
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    assert_true(pod_nothing_to_accept(pod));
}

/* What one client may have waiting is less than what a revision may: others still find room. */
static void test_one_client_cannot_fill_the_queue(void **state)
{
    enum { N = LIMIT_DP_QUEUE_PEER };
    int c = rig_dial(EXTERNAL);
    _cleanup_free_ int *fds = xcalloc(N, sizeof(*fds));

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1});
    for (int i = 0; i < N; i++) {
        fds[i] = dup(rig_dial(EXTERNAL));
        rig_forget();
        get(fds[i], "a.example", "/");
    }
    wait_in_flight(N);
    get(c, "a.example", "/");
    expect(c, "your requests wait for ns/rev\n");
    assert_true(has("HTTP/1.1 429 ") && has("Retry-After: 1\r\n"));
    /* The bound does not fall when a pod appears, and another address has room. */
    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    int other = rig_dial_from(EXTERNAL, "127.0.0.2");
    get(other, "a.example", "/other");
    wait_in_flight(N + 1);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    wait_in_flight(1);
}

/* Bursts wait, however few slots there are. */
static void test_burst_beyond_the_slots_waits(void **state)
{
    enum { N = 100 };
    int c[N];

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    for (int i = 0; i < N; i++) {
        c[i] = rig_dial(EXTERNAL);
        get(c[i], "a.example", "/");
    }
    wait_in_flight(N);
    int u = pod_accept(pod);
    for (int i = 0; i < N; i++) {
        expect(u, "GET / ");
        pod_answer(u, "ok");
    }
    for (int i = 0; i < N; i++)
        expect(c[i], "ok");
}

/* Without a revision nobody would start a pod: nothing waits. */
static void test_plain_service(void **state)
{
    int c = rig_dial(EXTERNAL);

    rig_route("plain.example", "plain");
    rig_backend((struct rig_backend){.service = "plain"});
    get(c, "plain.example", "/");
    expect(c, "can be reached\n");
    assert_true(has("HTTP/1.1 503 ") && has("Retry-After: 1\r\n"));
    rig_backend((struct rig_backend){.service = "plain", .ports = {port}});
    get(c, "plain.example", "/");
    int u = pod_accept(pod);
    expect(u, "GET / ");
    assert_null(rig_stat("plain").ns); /* and no signals */
    pod_answer(u, "plain");
    expect(c, "plain");
}

/* Two Services of one revision: one limit, one signal. */
static void test_services_share_their_revision(void **state)
{
    int c = rig_dial(EXTERNAL), d = rig_dial(EXTERNAL);

    rig_route("b.example", "other");
    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    rig_backend((struct rig_backend){
        .revision = "rev", .service = "other", .concurrency = 1, .ports = {port}});
    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "GET / ");
    get(d, "b.example", "/");
    wait_in_flight(2);
    assert_true(pod_nothing_to_accept(pod));
    assert_int_equal(dp_endpoint_in_flight(dp, "ns", "rev", "127.0.0.1"), 1);
    pod_answer(u, "one");
    expect(c, "one");
    expect(rig_reached(pod, u), "GET / ");
}

/* A pod that is not ready for a moment keeps its requests, and their count. */
static void test_readiness_flap(void **state)
{
    int c = rig_dial(EXTERNAL), d = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "GET / ");
    for (int i = 0; i < 2; i++) {
        rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1});
        rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    }
    get(d, "a.example", "/");
    wait_in_flight(2);
    assert_true(pod_nothing_to_accept(pod));
    assert_int_equal(dp_endpoint_in_flight(dp, "ns", "rev", "127.0.0.1"), 1);
    pod_answer(u, "one");
    expect(c, "one");
    expect(rig_reached(pod, u), "GET / ");
}

static void test_removed_revision_answers(void **state)
{
    int c = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){.revision = "rev"});
    get(c, "a.example", "/");
    rig_wait_arrivals(1);
    dp_remove_backend(dp, "ns", "rev", 80);
    expect(c, "was removed\n");
    assert_true(has("HTTP/1.1 503 "));
}

/* One request per pod at a time, whichever worker it came to. */
static void test_one_at_a_time(void **state)
{
    int c[4], u;

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    for (int i = 0; i < 4; i++) {
        c[i] = rig_dial(EXTERNAL);
        get(c[i], "a.example", "/");
    }
    wait_in_flight(4);
    assert_int_equal(dp_endpoint_in_flight(dp, "ns", "rev", "127.0.0.1"), 1);
    for (int served = 0; served < 4; served++) {
        u = pod_accept(pod);
        expect(u, "\r\n\r\n");
        assert_true(pod_nothing_to_accept(pod));
        send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    }
    for (int i = 0; i < 4; i++)
        expect(c[i], "ok");
    wait_in_flight(0);
}

/* First come, first served, over all workers. */
static void test_in_the_order_of_coming(void **state)
{
    enum { N = 24 };
    int c[N];
    char path[16];

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    for (int i = 0; i < N; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        c[i] = rig_dial(EXTERNAL);
        get(c[i], "a.example", path);
        wait_in_flight((uint64_t)i + 1);
    }
    int u = pod_accept(pod);
    for (int i = 0; i < N; i++) {
        snprintf(path, sizeof(path), "GET /%d ", i);
        if (i > 0)
            u = rig_reached(pod, u);
        expect(u, "\r\n\r\n");
        if (!has(path))
            fail_msg("number %d got \"%s\"", i, buf_z(&seen));
        send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        expect(c[i], "ok");
        expect_eof(u);
        rig_close(u);
        u = -1;
    }
}

static void test_slots_of_all_pods_are_used(void **state)
{
    int port2, pod2 = pod_listen(&port2);

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port, port2}});
    get(rig_dial(EXTERNAL), "a.example", "/");
    get(rig_dial(EXTERNAL), "a.example", "/");
    pod_accept(pod);
    pod_accept(pod2);
}

static void test_client_leaving_gives_the_slot_on(void **state)
{
    int first = rig_dial(EXTERNAL), second = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    get(first, "a.example", "/first");
    int u = pod_accept(pod);
    expect(u, "/first");
    get(second, "a.example", "/second");
    wait_in_flight(2);
    shutdown(first, SHUT_RDWR);
    u = pod_accept(pod);
    expect(u, "/second");
}

static void test_more_concurrency_frees_the_queue(void **state)
{
    int c[2];

    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 1, .ports = {port}});
    for (int i = 0; i < 2; i++) {
        c[i] = rig_dial(EXTERNAL);
        get(c[i], "a.example", "/");
    }
    wait_in_flight(2);
    pod_accept(pod);
    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 2, .ports = {port}});
    pod_accept(pod);
}

static void test_time_limits(void **state)
{
    int c = rig_dial(EXTERNAL);

    /* while waiting */
    rig_backend((struct rig_backend){.revision = "rev", .timeout_ms = 30});
    get(c, "a.example", "/");
    expect(c, "request timeout");
    assert_true(has("HTTP/1.1 504 Gateway Timeout\r\n"));
    /* before the answer starts */
    rig_backend((struct rig_backend){
        .revision = "rev", .timeout_ms = 60000, .response_start_ms = 30, .ports = {port}});
    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(c, "request timeout");
    assert_true(has("HTTP/1.1 504 Gateway Timeout\r\n"));
    expect_eof(u);
    assert_true(has("GET / "));
    /* between two pieces of it */
    rig_backend((struct rig_backend){
        .revision = "rev", .timeout_ms = 60000, .idle_ms = 30, .ports = {port}});
    get(c, "a.example", "/");
    u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    expect(c, "half");
    expect_eof(c);
    wait_in_flight(0);
}

static void test_endpoint_that_refuses(void **state)
{
    int port2, pod2 = pod_listen(&port2), c = rig_dial(EXTERNAL);

    /* One of two refuses: the other one serves. */
    shutdown(pod2, SHUT_RDWR);
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port2, port}});
    for (int i = 0; i < 6; i++) {
        get(c, "a.example", "/");
        if (i == 0)
            pod2 = pod_accept(pod);
        expect(pod2, "\r\n\r\n");
        pod_answer(pod2, "ok");
        expect(c, "ok");
    }
    wait_in_flight(0);
}

static void test_new_endpoints_end_the_pause(void **state)
{
    int dead_port, dead = pod_listen(&dead_port), c = rig_dial(EXTERNAL);

    shutdown(dead, SHUT_RDWR);
    rig_backend((struct rig_backend){.revision = "rev", .ports = {dead_port}});
    get(c, "a.example", "/");
    wait_in_flight(1);
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    pod_answer(u, "ok");
    expect(c, "ok");
}

static void test_removed_endpoint_finishes(void **state)
{
    int port2, pod2 = pod_listen(&port2), c = rig_dial(EXTERNAL), d = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port2}});
    assert_int_equal(dp_endpoint_in_flight(dp, "ns", "rev", "127.0.0.1"), 1);
    get(d, "a.example", "/");
    pod_accept(pod2);
    pod_answer(u, "still here");
    expect(c, "still here");
    expect_eof(u); /* the connection is not kept */
}

static void test_average_concurrency(void **state)
{
    int c = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    rig_stat("rev");
    usleep(20000); /* a whole period with one request inside */
    struct dp_stat s = rig_stat("rev");
    assert_true(s.concurrency > 0.99 && s.concurrency < 1.01);
    assert_true(s.requests == 0 && s.seconds >= 0.02);
    pod_answer(u, "ok");
    expect(c, "ok");
    wait_in_flight(0);
    rig_stat("rev");
    s = rig_stat("rev");
    assert_null(s.revision); /* silent backends are left out */
}

/* With one worker: once the idle connection is closed, the drain has reached the busy one too. */
static void test_stop_drains(void **state)
{
    int c = rig_dial(EXTERNAL), idle = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    rig_stop_in_background();
    expect_eof(idle);
    pod_answer(u, "last");
    expect_eof(c);
    assert_true(has("last") && has("Connection: close\r\n"));
    rig_join();
}

#define T(f)  cmocka_unit_test_setup_teardown(f, set_up, rig_stop)
#define T1(f) cmocka_unit_test_setup_teardown(f, set_up_single, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_from_zero),
        T(test_big_body_from_zero),
        T(test_client_leaves_the_queue),
        T(test_one_client_cannot_fill_the_queue),
        T1(test_burst_beyond_the_slots_waits),
        T(test_plain_service),
        T(test_services_share_their_revision),
        T(test_readiness_flap),
        T(test_removed_revision_answers),
        T(test_one_at_a_time),
        T(test_in_the_order_of_coming),
        T(test_slots_of_all_pods_are_used),
        T(test_client_leaving_gives_the_slot_on),
        T(test_more_concurrency_frees_the_queue),
        T1(test_time_limits),
        T1(test_endpoint_that_refuses),
        T(test_new_endpoints_end_the_pause),
        T1(test_removed_endpoint_finishes),
        T(test_average_concurrency),
        T1(test_stop_drains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
