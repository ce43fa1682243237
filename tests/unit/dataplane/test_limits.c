/* What strangers may cost: time, memory, places, work; and what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "dataplane/base/limits.h"
#include "rig.h"

static int pod, port;

static int prepare(void)
{
    pod = pod_listen(&port);
    rig_route("a.example", "rev");
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    return 0;
}

static int set_up(void **state)
{
    return rig_start_single(state) || prepare();
}

static int set_up_small(void **state)
{
    return rig_start_small(state) || prepare();
}

static void wait_in_flight(uint64_t n)
{
    struct dp_stat s = {0};

    for (int i = 0; i < 5000; i++) {
        s = rig_stat("rev");
        if (s.in_flight == n)
            return;
        usleep(1000);
    }
    fail_msg("in flight: %d, wanted %d", (int)s.in_flight, (int)n);
}

/* Fills what is sent up to a size without reading. */
static void send_many(int fd, size_t n)
{
    _cleanup_free_ char *bytes = xmalloc(n + 1);

    memset(bytes, 'b', n);
    bytes[n] = '\0';
    send_z(fd, bytes);
}

/* ---- clients that leave ---- */

/* However far it had come: its place is free at once, and its request reaches nobody. */
static void test_client_that_left_loses_its_place(void **state)
{
    rig_backend((struct rig_backend){.revision = "rev"});
    for (int how = 0; how < 3; how++) {
        int c = rig_dial(EXTERNAL);
        size_t length = how == 0 ? 4 : 199 * 1024; /* the larger one is paused while it waits */
        char head[128];
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %zu\r\n\r\n", length);
        send_z(c, head);
        send_many(c, how == 2 ? length / 2 : length);
        wait_in_flight(1);
        rig_close(c);
        wait_in_flight(0);
    }
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    assert_true(pod_nothing_to_accept(pod));
}

/* One that has only said all that it wanted to say is answered. */
static void test_half_closing_client_is_answered(void **state)
{
    int c = rig_dial(EXTERNAL), d = rig_dial(EXTERNAL);

    get(c, "a.example", "/half");
    shutdown(c, SHUT_WR);
    int u = pod_accept(pod);
    expect(u, "GET /half");
    usleep(600000); /* the connection has been looked at by then */
    pod_answer(u, "answered");
    expect(c, "answered");
    send_z(d, "GET /old HTTP/1.0\r\nHost: a.example\r\n\r\n");
    shutdown(d, SHUT_WR);
    expect(u, "GET /old");
    pod_answer(u, "old too");
    expect(d, "old too");
    expect_eof(d);
}

/* ---- time ---- */

static void test_open_answer_ends_in_order(void **state)
{
    int c = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){.revision = "rev", .timeout_ms = 200, .ports = {port}});
    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    send_z(u, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    expect(c, "\r\n3\r\nabc\r\nf\r\nrequest timeout\r\n0\r\n\r\n");
    expect_eof(u);
    get(c, "a.example", "/"); /* the client's connection goes on */
    u = pod_accept(pod);
    expect(u, "GET / ");
    send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    expect(c, "half");
    expect_eof(c); /* one with a length can only be cut */
    wait_in_flight(0);
}

static void test_silent_upgrade_meets_the_start_limit(void **state)
{
    static const char rq[] = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n"
                             "Upgrade: websocket\r\n\r\n";
    static const char rs[] = "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    int c = rig_dial(EXTERNAL), d = rig_dial(EXTERNAL);

    rig_backend((struct rig_backend){
        .revision = "rev", .timeout_ms = 60000, .response_start_ms = 200, .ports = {port}});
    send_z(c, rq);
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    send_z(u, rs);
    expect(c, "101");
    expect_eof(c);
    send_z(d, rq);
    u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    send_z(u, rs);
    send_z(u, "hello");
    expect(d, "hello");
    usleep(300000);
    send_z(d, "still here");
    expect(u, "still here");
}

/* The time for a head begins with its first byte, however long the connection idled before. */
static void test_head_in_two_parts_after_idling(void **state)
{
    int c = rig_dial(EXTERNAL);

    get(c, "a.example", "/1");
    int u = pod_accept(pod);
    expect(u, "GET /1");
    pod_answer(u, "one");
    expect(c, "one");
    rig_step(65 * NS_PER_SEC);
    send_z(c, "GET /2 HTTP/1.1\r\nHost: a.exa");
    usleep(100000); /* a limit that had passed would be noticed by now */
    send_z(c, "mple\r\n\r\n");
    u = rig_reached(pod, u);
    expect(u, "\r\n\r\n");
    if (!has("GET /2")) {
        u = pod_accept(pod); /* the idle one was too old to be used */
        expect(u, "GET /2");
    }
    pod_answer(u, "two");
    expect(c, "two");
}

/* Before the bound idle ones make room; where all are busy, who comes waits until one has left. */
static void test_clients_are_bounded(void **state)
{
    int c[3], d[4], u[4];

    for (int i = 0; i < 3; i++)
        c[i] = rig_dial(EXTERNAL);
    rig_stat("rev");
    for (int i = 0; i < 4; i++) {
        d[i] = rig_dial(EXTERNAL);
        get(d[i], "a.example", "/");
        u[i] = pod_accept(pod);
        if (i < 3)
            expect_eof(c[i]); /* the one that idled longest */
    }
    int waits = rig_dial(EXTERNAL);
    get(waits, "a.example", "/waits");
    usleep(200000);
    assert_true(pod_nothing_to_accept(pod));
    expect(u[0], "\r\n\r\n");
    send_z(u[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect_eof(d[0]); /* it is told that its connection ends with this answer */
    assert_true(has("\r\nConnection: close\r\n"));
    rig_close(d[0]);
    expect(rig_reached(pod, u[0]), "GET /waits"); /* in its place */
}

/* ---- trailers, chunks, upgrades, lines ---- */

static void test_trailers_pass_both_ways(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "POST / HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nTrailer: X-Sum\r\n"
              "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n"
              "X-Forwarded-For: 6.6.6.6\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "0\r\nX-Sum: 7\r\n\r\n");
    assert_true(has("\r\nTrailer: X-Sum\r\n") && has("\r\nTE: trailers\r\n"));
    assert_false(has("evil") || has("6.6.6.6"));
    send_z(u, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: "
              "0\r\n\r\n");
    expect(c, "0\r\nGrpc-Status: 0\r\n\r\n");
    /* Behind a body that waits, too. */
    rig_backend((struct rig_backend){.revision = "rev"});
    send_z(c, "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n0\r\nX-Sum: 8\r\n\r\n");
    wait_in_flight(1);
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    u = pod_accept(pod);
    expect(u, "0\r\nX-Sum: 8\r\n\r\n");
}

static void refused(const char *request, const char *want)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, request);
    expect_eof(c);
    if (!has(want))
        fail_msg("wanted %s, got %s", want, buf_z(&seen));
}

static void test_floods_are_refused(void **state)
{
    _cleanup_buf_ struct buf rq = BUF_INIT(4 << 20);

    buf_addz(&rq, "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    for (int i = 0; i < 20 * 1024; i++)
        buf_addc(&rq, 'e');
    refused(buf_z(&rq), "HTTP/1.1 431 ");
    buf_clear(&rq);
    buf_addz(&rq, "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 2000; i++)
        buf_addz(&rq, "X-Trailer: value\r\n");
    refused(buf_z(&rq), "HTTP/1.1 431 ");
    buf_clear(&rq);
    buf_addz(&rq, "GET / HTTP/1.1\r\nHost: a.example\r\n");
    for (int i = 0; i <= LIMIT_DP_HEAD_FIELDS; i++)
        buf_addz(&rq, "a:\r\n");
    buf_addz(&rq, "\r\n");
    refused(buf_z(&rq), "HTTP/1.1 431 ");
    refused("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 400 ");
}

/* Work per field is bounded by what a Connection may list, and more is refused before any of it. */
static void test_connection_list_is_bounded(void **state)
{
    _cleanup_buf_ struct buf rq = BUF_INIT(4 << 20);

    buf_addz(&rq, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: ");
    for (int i = 0; i < 60000; i++)
        buf_addc(&rq, ',');
    buf_addz(&rq, "\r\n\r\n");
    refused(buf_z(&rq), "lists too many names");
    assert_true(has("HTTP/1.1 400 "));
    buf_clear(&rq);
    buf_addz(&rq, "GET / HTTP/1.1\r\nHost: a.example\r\n");
    for (int i = 0; i <= LIMIT_DP_CONNECTION; i++)
        buf_addf(&rq, "Connection: x-%d\r\n", i);
    buf_addz(&rq, "\r\n");
    refused(buf_z(&rq), "list too many names");
}

/* A pod's nonsense never reaches the client, nor its address. */
static void test_odd_answers(void **state)
{
    static const struct {
        const char *answer, *want, *not ;
    } rows[] = {
        {"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 502 ", "099"},
        {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "\r\n\r\nok", "502"},
        {"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204 ", "Content-Length"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 502 ", "200 OK"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n", "ok", "502"},
        {"garbage\r\n\r\n", "HTTP/1.1 502 ", "garbage"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = rig_dial(EXTERNAL);
        send_z(c, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        int u = pod_accept(pod);
        expect(u, "\r\n\r\n");
        send_z(u, rows[i].answer);
        rig_close(u);
        expect_eof(c);
        if (!has(rows[i].want) || has(rows[i].not ) || has("127.0.0.1"))
            fail_msg("row %zu: %s", i, buf_z(&seen));
        rig_backend((struct rig_backend){.revision = "rev"}); /* a fresh connection each time */
        rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    }
}

static void test_upgrades(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "GET /h2 HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\n"
              "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    assert_false(has("h2c") || has("HTTP2") || has("Upgrade"));
    pod_answer(u, "plain");
    expect(c, "plain");
    assert_true(has("\r\n\r\nplain"));
    send_z(c, "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n"
              "Upgrade: h2c, websocket\r\n\r\n");
    expect(u, "\r\n\r\n");
    assert_true(has("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
}

static void test_targets(void **state)
{
    static const char *const rows[][2] = {
        {"GET HTTP://a.example/x HTTP/1.1\r\nHost: evil\r\n\r\n",
         "GET /x HTTP/1.1\r\nHost: a.example\r\n"},
        {"GET http://a.example?q=1 HTTP/1.1\r\nHost: evil\r\n\r\n",
         "GET /?q=1 HTTP/1.1\r\nHost: a.example\r\n"},
        {"M-SEARCH /m HTTP/1.1\r\nHost: a.example\r\n\r\n", "M-SEARCH /m HTTP/1.1\r\n"},
        {"brew /pot HTTP/1.1\r\nHost: a.example\r\n\r\n", "brew /pot HTTP/1.1\r\n"},
    };
    int c = rig_dial(EXTERNAL), u = -1;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        send_z(c, rows[i][0]);
        u = rig_reached(pod, u);
        expect(u, "\r\n\r\n");
        if (!has(rows[i][1]))
            fail_msg("row %zu: %s", i, buf_z(&seen));
        pod_answer(u, "ok");
        expect(c, "ok");
    }
    refused("GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "HTTP/1.1 400 ");
    refused("GET http://u@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "HTTP/1.1 400 ");
    assert_true(has("\r\nDate: "));
}

/* Large heads pass, and so do many fields. */
static void test_large_heads(void **state)
{
    _cleanup_buf_ struct buf rq = BUF_INIT(4 << 20);
    int c = rig_dial(EXTERNAL);

    buf_addz(&rq, "GET / HTTP/1.1\r\nHost: a.example\r\n");
    for (int i = 0; i < 900; i++)
        buf_addf(&rq, "X-%d: %0100d\r\n", i, i);
    buf_addz(&rq, "X-Last: 1\r\n\r\n");
    send_z(c, buf_z(&rq));
    int u = pod_accept(pod);
    expect(u, "X-Last: 1\r\n");
    assert_true(has("\r\nX-899: "));
}

/* The end of an answer arrives, however slowly it is read. */
static void test_slow_reader_gets_the_end(void **state)
{
    enum { N = 4 << 20 };
    int c = rig_dial(EXTERNAL);
    _cleanup_free_ char *big = xmalloc(N + 1);

    memset(big, 'x', N);
    memcpy(big + N - 3, "END", 4);
    send_z(c, "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    if (fork() == 0) {
        char head[100];
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", N);
        send_z(u, head);
        send_z(u, big);
        _exit(0);
    }
    usleep(200000);
    expect_eof(c);
    assert_true(has("END"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_client_that_left_loses_its_place),
        T(test_half_closing_client_is_answered),
        T(test_open_answer_ends_in_order),
        T(test_silent_upgrade_meets_the_start_limit),
        T(test_head_in_two_parts_after_idling),
        cmocka_unit_test_setup_teardown(test_clients_are_bounded, set_up_small, rig_stop),
        T(test_trailers_pass_both_ways),
        T(test_floods_are_refused),
        T(test_connection_list_is_bounded),
        T(test_odd_answers),
        T(test_upgrades),
        T(test_targets),
        T(test_large_heads),
        T(test_slow_reader_gets_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
