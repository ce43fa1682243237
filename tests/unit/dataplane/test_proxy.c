/* One request and its answer: heads, bodies, upgrades, refusals, connections kept and lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

static int pod, port; /* a listening pod of revision "rev", routed from "a.example" */

static int set_up(void **state)
{
    int r = rig_start_single(state);

    pod = pod_listen(&port);
    rig_route("a.example", "rev");
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    return r;
}

static void test_round_trip(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "GET /x?y=1 HTTP/1.1\r\nHost: A.example:80\r\nUser-Agent: t\r\nKeep: this\r\n"
              "Connection: Drop-Me\r\nDrop-Me: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
              "Knative-Serving-Revision: bogus\r\nKnative-Serving-Namespace: bogus\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    assert_true(strncmp(buf_z(&seen), "GET /x?y=1 HTTP/1.1\r\nHost: A.example:80\r\n", 41) == 0);
    assert_true(has("\r\nUser-Agent: t\r\n") && has("\r\nKeep: this\r\n"));
    assert_true(has("\r\nX-Forwarded-For: 127.0.0.1\r\n"));
    assert_true(has("\r\nX-Forwarded-Proto: http\r\n"));
    assert_true(has("\r\nX-Forwarded-Host: A.example:80\r\n"));
    assert_true(has("\r\nForwarded: for=127.0.0.1;host=\"A.example:80\";proto=http\r\n"));
    assert_true(has("\r\nConnection: TE\r\nTE: trailers\r\n"));
    assert_false(has("Drop-Me") || has("Keep-Alive") || has("bogus"));
    send_z(u, "HTTP/1.1 201 Made It\r\nContent-Length: 2\r\nX: y\r\nConnection: keep-alive\r\n"
              "Keep-Alive: 5\r\n\r\nhi");
    expect(c, "hi");
    assert_string_equal(buf_z(&seen),
                        "HTTP/1.1 201 Made It\r\nContent-Length: 2\r\nX: y\r\n\r\nhi");
    /* The same two connections serve the next request. */
    get(c, "a.example", "/2");
    expect(u, "GET /2 HTTP/1.1");
    pod_answer(u, "two");
    expect(c, "two");
    assert_true(pod_nothing_to_accept(pod));
}

/* What a client says of itself is overwritten; a trusted proxy is believed, and our peer follows.
 */
static void test_forwarding_fields(void **state)
{
    static const char said[] = "GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 9.9.9.9\r\n"
                               "X-Forwarded-For: ::1\r\nX-Forwarded-Proto: https\r\n"
                               "X-Forwarded-Host: h:1\r\nX-Forwarded-Port: 7\r\n"
                               "X_Forwarded_For: 6.6.6.6\r\n";
    int c = rig_dial(EXTERNAL), d = rig_dial_from(EXTERNAL, "127.0.0.9");

    send_z(c, said);
    send_z(c, "Forwarded: for=6.6.6.6\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    assert_true(has("\r\nX-Forwarded-For: 127.0.0.1\r\n"));
    assert_true(has("\r\nForwarded: for=127.0.0.1;host=a.example;proto=http\r\n"));
    assert_true(has("\r\nX-Forwarded-Proto: http\r\n"));
    assert_false(has("9.9.9.9") || has("6.6.6.6") || has("X-Forwarded-Port"));
    send_z(d, said);
    send_z(d, "\r\n");
    u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    assert_true(has("\r\nX-Forwarded-For: 9.9.9.9, ::1, 127.0.0.9\r\n"));
    assert_true(has("\r\nForwarded: for=9.9.9.9;host=\"h:1\";proto=https, for=\"[::1]\", "
                    "for=127.0.0.9\r\n"));
    assert_true(has("\r\nX-Forwarded-Proto: https\r\n"));
    assert_false(has("6.6.6.6"));
}

/* However long a list a trusted proxy sends, and whatever of it is dropped: our peer is there. */
static void test_peer_is_never_lost(void **state)
{
    for (int n = 1000; n<5000; n += n> 1030 && n < 4070 ? 3030 : 1) {
        _cleanup_free_ char *list = xmalloc((size_t)n + 1);
        int c = rig_dial_from(EXTERNAL, "127.0.0.9");
        memset(list, '1', (size_t)n);
        list[n] = '\0';
        send_z(c, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nX-Forwarded-For: ");
        send_z(c, list);
        send_z(c, "\r\n\r\n");
        int u = pod_accept(pod);
        expect(u, "\r\n\r\n");
        assert_true(has(" 127.0.0.9\r\n"));
        rig_forget();
        rig_forget();
        n += n > 4200 ? 1000 : 0;
    }
}

static void test_bodies(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello");
    int u = pod_accept(pod);
    expect(u, "hello");
    assert_true(has("\r\nContent-Length: 5\r\n"));
    send_z(u, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    expect(c, "3\r\nabc\r\n");
    assert_true(has("\r\nTransfer-Encoding: chunked\r\n"));
    send_z(u, "2\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
    expect(c, "0\r\n\r\n");
    assert_string_equal(buf_z(&seen), "2\r\nde\r\n0\r\n\r\n");

    send_z(c,
           "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwxyz\r\n");
    expect(u, "4\r\nwxyz\r\n");
    assert_true(has("\r\nTransfer-Encoding: chunked\r\n"));
    send_z(c, "0\r\n\r\n");
    expect(u, "0\r\n\r\n");
    /* Until the end of the connection: chunked towards the client. */
    send_z(u, "HTTP/1.1 200 OK\r\n\r\nrest");
    expect(c, "4\r\nrest\r\n");
    rig_close(u);
    expect(c, "0\r\n\r\n");
    get(c, "a.example", "/next");
    u = pod_accept(pod);
    expect(u, "GET /next");
}

static void test_head_and_empty_answers(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "HEAD / HTTP/1.1");
    send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    expect(c, "Content-Length: 100\r\n\r\n");
    get(c, "a.example", "/");
    expect(u, "GET / ");
    send_z(u, "HTTP/1.1 204 No Content\r\n\r\n");
    expect(c, "204 No Content\r\n\r\n");
    get(c, "a.example", "/");
    expect(u, "GET / ");
    send_z(u, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
    expect(c, "\r\n\r\n");
}

static void test_continue_and_hints(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(
        c,
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "Expect: 100-continue\r\n");
    send_z(u, "HTTP/1.1 100 Continue\r\n\r\n");
    expect(c, "HTTP/1.1 100 Continue\r\n\r\n");
    send_z(c, "ok");
    expect(u, "ok");
    send_z(
        u,
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz");
    expect(c, "\r\n\r\nz");
    assert_true(has("103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK"));
}

static void test_old_client(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "GET / HTTP/1.1");
    send_z(u, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    expect_eof(c);
    assert_true(has("Connection: close\r\n") && has("\r\n\r\nabc") && !has("chunked"));
    c = rig_dial(EXTERNAL);
    send_z(c, "GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n");
    expect(u, "GET / HTTP/1.1");
    pod_answer(u, "k");
    expect(c, "\r\n\r\nk");
    assert_true(has("Connection: keep-alive\r\n"));
}

static void test_pipelined_in_order(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\nGET /none HTTP/1.1\r\nHost: b\r\n\r\n"
              "POST /2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx"
              "GET /3 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "GET /1");
    pod_answer(u, "one");
    expect(u, "POST /2");
    pod_answer(u, "two");
    expect(u, "GET /3");
    pod_answer(u, "three");
    expect_eof(c);
    const char *one = strstr(buf_z(&seen), "one"), *none = strstr(buf_z(&seen), "404 Not Found");
    const char *two = strstr(buf_z(&seen), "two"), *three = strstr(buf_z(&seen), "three");
    assert_true(one && none && two && three && one < none && none < two && two < three);
}

static void test_big_bodies_both_ways(void **state)
{
    enum { N = 3 * 1024 * 1024 };
    _cleanup_free_ char *big = xmalloc(N + 1);
    char head[128];
    int c = rig_dial(EXTERNAL);

    memset(big, 'b', N);
    memcpy(big + N - 3, "END", 4);
    snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n",
             N);
    send_z(c, head);
    int u = pod_accept(pod);
    pid_t writer = fork();
    if (writer == 0) {
        send_z(c, big);
        _exit(0);
    }
    expect(u, "END");
    assert_true(seen.n > N);
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", N);
    writer = fork();
    if (writer == 0) {
        send_z(u, head);
        send_z(u, big);
        _exit(0);
    }
    expect(c, "END");
    assert_true(seen.n > N);
}

static void test_upgrade(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: "
              "websocket\r\n\r\nearly");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    assert_true(has("\r\nConnection: Upgrade\r\n") && has("\r\nUpgrade: websocket\r\n"));
    send_z(u, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
              "websocket\r\n\r\nhello");
    expect(c, "hello");
    assert_true(has("101 Switching Protocols\r\n") && has("Upgrade: websocket\r\n"));
    expect(u, "early");
    send_z(c, "up");
    expect(u, "up");
    send_z(u, "down");
    expect(c, "down");
    assert_int_equal(rig_stat("rev").in_flight, 1);
    shutdown(c, SHUT_WR);
    expect_eof(u);
    send_z(u, "last");
    rig_close(u);
    expect_eof(c);
    assert_string_equal(buf_z(&seen), "last");
    assert_int_equal(rig_stat("rev").in_flight, 0);
}

static void test_refused_upgrade(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "GET /1 HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
              "GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "GET /1");
    pod_answer(u, "no");
    expect(u, "GET /2");
    pod_answer(u, "fine");
    expect(c, "fine");
}

static void test_refusals(void **state)
{
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: unknown\r\n\r\n", "HTTP/1.1 404 "},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"garbage\r\n\r\n", "HTTP/1.1 400 "},
        {"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n", "HTTP/1.1 405 "},
        {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         "HTTP/1.1 400 "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int c = rig_dial(EXTERNAL);
        send_z(c, cases[i].request);
        expect(c, cases[i].status);
    }
    assert_true(pod_nothing_to_accept(pod));
}

static void test_bad_answers(void **state)
{
    static const char *const answers[] = {"nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le", "",
                                          "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n"};

    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        int c = rig_dial(EXTERNAL);
        get(c, "a.example", "/");
        int u = pod_accept(pod);
        expect(u, "\r\n\r\n");
        send_z(u, answers[i]);
        shutdown(u, SHUT_RDWR);
        expect(c, "HTTP/1.1 502 Bad Gateway\r\n");
    }
    assert_int_equal(rig_stat("rev").in_flight, 0);
}

static void test_cut_answer_cuts_the_client(void **state)
{
    int c = rig_dial(EXTERNAL);

    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    expect(c, "half");
    rig_close(u);
    expect_eof(c);
    assert_int_equal(seen.n, 0);
}

/* Sends a request on a warm connection, whose pod reads it and then ends without an answer. Returns
 * the pod's new connection, or -1 if the client was answered 502. */
static int dies_on(int c, const char *request, const char *end, struct linger *how)
{
    get(c, "a.example", "/warm");
    int u = pod_accept(pod);
    expect(u, "GET /warm");
    pod_answer(u, "one");
    expect(c, "one");
    send_z(c, request);
    expect(u, end);
    if (how)
        setsockopt(u, SOL_SOCKET, SO_LINGER, how, sizeof(*how));
    rig_close(u);
    if (!rig_readable_first(pod, c))
        return pod_accept(pod);
    expect(c, "\r\n\r\n");
    assert_true(has("HTTP/1.1 502 "));
    return -1;
}

#define POST_4 "POST /2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n"

/* Executed at most once: what may have been executed is not sent again, with FIN or with RST. */
static void test_not_executed_twice(void **state)
{
    static const char *const requests[] = {POST_4 "\r\nbody",
                                           "PATCH /2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
                                           "SOURCE /2 HTTP/1.1\r\nHost: a.example\r\n\r\n"};
    struct linger reset = {1, 0};

    for (size_t i = 0; i < 2 * ARRAY_LEN(requests); i++) {
        int c = rig_dial(EXTERNAL);
        const char *rq = requests[i / 2];
        assert_int_equal(dies_on(c, rq, i < 2 ? "body" : " /2 ", i % 2 ? &reset : NULL), -1);
        assert_true(pod_nothing_to_accept(pod));
    }
}

/* What may be repeated is, once: a request that kills its pod meets two connections, not all. */
static void test_repeated_once(void **state)
{
    static const char *const requests[] = {
        "GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "PUT /2 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody",
        POST_4 "Idempotency-Key: 7\r\n\r\nbody"};

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        int c = rig_dial(EXTERNAL);
        int u = dies_on(c, requests[i], i ? "body" : " /2 ", NULL);
        assert_true(u >= 0);
        expect(u, i ? "body" : "\r\n\r\n");
        rig_close(u);
        expect(c, "HTTP/1.1 502 ");
        assert_true(pod_nothing_to_accept(pod));
    }
}

/* A connection that the pod has closed is seen before anything is written to it. */
static void test_closed_connection_is_seen(void **state)
{
    for (int i = 0; i < 20; i++) {
        int c = rig_dial(EXTERNAL);
        get(c, "a.example", "/1");
        int u = rig_reached(pod, -1);
        expect(u, "GET /1");
        pod_answer(u, "one");
        expect(c, "one");
        rig_close(u);
        send_z(c, POST_4 "\r\nbody");
        u = pod_accept(pod);
        expect(u, "body");
        pod_answer(u, "two");
        expect(c, "two");
        rig_close(u);
        rig_stat("rev"); /* the worker has seen it */
    }
}

static void test_client_leaves(void **state)
{
    int c = rig_dial(EXTERNAL);

    get(c, "a.example", "/");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    assert_int_equal(rig_stat("rev").in_flight, 1);
    close(dup(c));
    shutdown(c, SHUT_RDWR);
    expect_eof(u);
    while (rig_stat("rev").in_flight > 0)
        usleep(1000); /* the pod's side closes first, then the request is counted out */
    assert_int_equal(dp_endpoint_in_flight(dp, "ns", "rev", "127.0.0.1"), 0);
}

static void test_answer_before_the_body_is_in(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\npart");
    int u = pod_accept(pod);
    expect(u, "part");
    send_z(u, "HTTP/1.1 413 Too Big\r\nContent-Length: 0\r\n\r\n");
    expect_eof(c);
    assert_true(has("HTTP/1.1 413 Too Big\r\n"));
    expect_eof(u);
}

static void test_absolute_form(void **state)
{
    int c = rig_dial(EXTERNAL);

    send_z(c, "GET http://a.example/p?q HTTP/1.1\r\nHost: other\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "GET /p?q HTTP/1.1\r\nHost: a.example\r\n");
}

static void test_activator_port(void **state)
{
    int c = rig_dial(ACTIVATOR);

    send_z(c, "GET /x HTTP/1.1\r\nHost: priv\r\nK-Original-Host: a.example\r\n"
              "Knative-Serving-Namespace: ns\r\nKnative-Serving-Revision: rev\r\n\r\n");
    int u = pod_accept(pod);
    expect(u, "\r\n\r\n");
    assert_true(has("Host: a.example\r\n"));
    assert_false(has("K-Original-Host") || has("Knative-Serving"));
    pod_answer(u, "ok");
    expect(c, "ok");
    send_z(c, "GET /x HTTP/1.1\r\nHost: a\r\nKnative-Serving-Namespace: ns\r\n"
              "Knative-Serving-Revision: nope\r\n\r\n");
    expect(c, "not found");
    assert_true(has("HTTP/1.1 404 "));
    send_z(c, "GET /healthz HTTP/1.1\r\nHost: a\r\nK-Network-Probe: activator\r\n\r\n");
    expect(c, "\r\n\r\nactivator");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_round_trip),
        T(test_forwarding_fields),
        T(test_peer_is_never_lost),
        T(test_bodies),
        T(test_head_and_empty_answers),
        T(test_continue_and_hints),
        T(test_old_client),
        T(test_pipelined_in_order),
        T(test_big_bodies_both_ways),
        T(test_upgrade),
        T(test_refused_upgrade),
        T(test_refusals),
        T(test_bad_answers),
        T(test_cut_answer_cuts_the_client),
        T(test_not_executed_twice),
        T(test_repeated_once),
        T(test_closed_connection_is_seen),
        T(test_client_leaves),
        T(test_answer_before_the_body_is_in),
        T(test_absolute_form),
        T(test_activator_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
