/*
 * The boundary between clients and pods: whatever head and body go in, a strict parser behind the
 * proxy sees one request and one answer, with framing, routing and identity untouched by what
 * Connection lists. Once as a product of all fields, placements and directions, once at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "rig.h"
#include "strict.h"

static int pod, port, u; /* u: the pod's connection, -1 = none */
static struct strict m;

static int set_up(void **state)
{
    int r = rig_start_single(state);

    pod = pod_listen(&port);
    u = -1;
    rig_route("a.example", "rev");
    rig_backend((struct rig_backend){.revision = "rev", .ports = {port}});
    return r;
}

static int tear_down(void **state)
{
    strict_done(&m);
    m = (struct strict){0};
    return rig_stop(state);
}

/* Reads on until one message is whole; it must be all that there is. */
static void one_message(int fd, bool request, bool to_head)
{
    struct buf b = BUF_INIT(64 << 20);
    char part[65536];

    while (!strict_read(&m, &b, request, to_head)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, 5000) == 1 ? recv(fd, part, sizeof(part), 0) : -1;
        if (n <= 0)
            fail_msg("the message ends early: \"%s\"", buf_z(&b));
        buf_add(&b, part, (size_t)n);
    }
    if (b.n > 0)
        fail_msg("bytes follow a message: \"%s\"", buf_z(&b));
    buf_done(&b);
}

static void pod_gets_one(void)
{
    u = rig_reached(pod, u);
    one_message(u, true, false);
}

/* The connections on both sides are still in step: a plain request passes on them as it is. */
static void in_step(int c)
{
    send_z(c, "GET /step HTTP/1.1\r\nHost: a.example\r\n\r\n");
    pod_gets_one();
    assert_string_equal(m.line[1], "/step");
    assert_int_equal(m.body.n, 0);
    send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nstep");
    one_message(c, false, false);
    assert_string_equal(buf_z(&m.body), "step");
}

/* ---- the product ---- */

static const struct {
    const char *name, *sent; /* sent: its field in a request; "" = it is there anyway */
    const char *want;        /* at the pod; NULL = not there */
} ours[] = {
    {"Host", "", "a.example"},
    {"Content-Length", "", NULL},    /* looked at by the strict parser */
    {"Transfer-Encoding", "", NULL}, /* likewise */
    {"Forwarded", "Forwarded: for=6.6.6.6\r\n", "for=127.0.0.1;host=a.example;proto=http"},
    {"X-Forwarded-For", "X-Forwarded-For: 6.6.6.6\r\n", "127.0.0.1"},
    {"X-Forwarded-Host", "X-Forwarded-Host: evil\r\n", "a.example"},
    {"X-Forwarded-Proto", "X-Forwarded-Proto: https\r\n", "http"},
    {"K-Proxy-Request", "K-Proxy-Request: activator\r\n", "activator"},
    {"K-Original-Host", "K-Original-Host: evil\r\n", ""},
    {"Knative-Serving-Revision", "Knative-Serving-Revision: evil\r\n", ""},
    {"Knative-Serving-Namespace", "Knative-Serving-Namespace: evil\r\n", ""},
    {"Knative-Serving-Tag", "Knative-Serving-Tag: t\r\n", "t"},
};

/* Where a name may stand in the Connection fields; %s is the name. */
static const char *const placements[] = {
    "Connection: %s\r\n",
    "Connection: keep-alive, %s\r\n",
    "connection: %s , keep-alive\r\n",
    "Connection: close,%s\r\n",
    "Connection: ,,%s,\r\n",
    "Connection: %s\r\nConnection: keep-alive\r\n",
    "Connection: keep-alive\r\nConnection: x-foo, %s\r\n",
    "Connection: \t%s\r\nConnection: %s\r\n",
};

static const struct {
    const char *framing, *bytes, *body;
} bodies[] = {
    {"Content-Length: 52\r\n", "GET /stolen HTTP/1.1\r\nHost: a.example\r\nX-Absorb: abc",
     "GET /stolen HTTP/1.1\r\nHost: a.example\r\nX-Absorb: abc"},
    {"Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"},
    {"", "", ""},
};

static void spell(char *to, const char *name, int how)
{
    for (; *name; name++, to++)
        *to = how == 0 ? *name
                       : (char)(how == 1 ? *name | (*name == '-' ? 0 : 0x20)
                                         : (*name >= 'a' && *name <= 'z' ? *name - 32 : *name));
    *to = '\0';
}

static void request_with(size_t field, size_t place, size_t with, int spelling)
{
    char rq[2048], name[64], connection[256];
    int c = rig_dial(EXTERNAL);
    bool closes = strstr(placements[place], "close") != NULL;

    spell(name, ours[field].name, spelling);
    snprintf(connection, sizeof(connection), placements[place], name, name);
    snprintf(rq, sizeof(rq), "POST /x HTTP/1.1\r\nHost: a.example\r\nX-Foo: 1\r\n%s%s%s\r\n%s",
             ours[field].sent, with % 2 ? connection : "", bodies[with / 2].framing, "");
    /* Connection before and behind the framing. */
    char *end = strstr(rq, "\r\n\r\n") + 2;
    snprintf(end, sizeof(rq) - (size_t)(end - rq), "%s\r\n%s", with % 2 ? "" : connection,
             bodies[with / 2].bytes);
    send_z(c, rq);
    pod_gets_one();
    assert_string_equal(m.line[1], "/x");
    assert_string_equal(buf_z(&m.body), bodies[with / 2].body);
    if (ours[field].want && strcmp(strict_get(&m, ours[field].name), ours[field].want) != 0)
        fail_msg("%s listed by \"%s\": the pod got \"%s\"", ours[field].name, connection,
                 strict_get(&m, ours[field].name));
    assert_int_equal(strict_count(&m, "X-Foo"), strstr(placements[place], "x-foo") ? 0 : 1);
    send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    one_message(c, false, false);
    if (!closes)
        in_step(c);
    rig_close(c);
}

static void test_product_of_requests(void **state)
{
    for (size_t f = 0; f < ARRAY_LEN(ours); f++) {
        for (size_t p = 0; p < ARRAY_LEN(placements); p++) {
            for (size_t with = 0; with < 2 * ARRAY_LEN(bodies); with++)
                request_with(f, p, with, (int)((f + p + with) % 3));
        }
    }
}

static void answer_with(size_t field, size_t place, bool chunked)
{
    char rs[1024], connection[256];
    int c = rig_dial(EXTERNAL);

    snprintf(connection, sizeof(connection), placements[place], ours[field].name, ours[field].name);
    snprintf(rs, sizeof(rs), "HTTP/1.1 200 OK\r\n%s%sX-Foo: 1\r\n\r\n%s", connection,
             chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 5\r\n",
             chunked ? "5\r\nhello\r\n0\r\n\r\n" : "hello");
    get(c, "a.example", "/x");
    pod_gets_one();
    send_z(u, rs);
    one_message(c, false, false);
    assert_string_equal(buf_z(&m.body), "hello");
    assert_true(m.chunked == chunked);
    if (strstr(placements[place], "close")) {
        rig_close(u);
        u = -1;
    }
    in_step(c);
    rig_close(c);
}

static void test_product_of_answers(void **state)
{
    for (size_t f = 0; f < ARRAY_LEN(ours); f++) {
        for (size_t p = 0; p < ARRAY_LEN(placements); p++) {
            answer_with(f, p, false);
            answer_with(f, p, true);
        }
    }
}

/* ---- at random ---- */

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % n;
}

static const char *one_of(const char *const *of, size_t n)
{
    return of[pick((unsigned)n)];
}

#define ONE_OF(list) one_of(list, ARRAY_LEN(list))

static const char *const methods[] = {"GET",     "POST",     "PUT",      "HEAD",
                                      "OPTIONS", "SOURCE",   "M-SEARCH", "get",
                                      "PURGE",   "DESCRIBE", "G\x01T",   "CONNECT"};
static const char *const targets[] = {"/",
                                      "/a?b=c",
                                      "*",
                                      "http://a.example/x",
                                      "HTTP://a.example",
                                      "http://a.example?q",
                                      "ftp://a.example/",
                                      "http://evil/",
                                      "a",
                                      "//",
                                      "/%00",
                                      "/a b",
                                      "http://x@a.example/"};
static const char *const versions[] = {"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0",
                                       "HTTP/2.0", "http/1.1", "HTTP/1.10"};
static const char *const names[] = {"Content-Length",
                                    "content-length",
                                    "Transfer-Encoding",
                                    "Connection",
                                    "Host",
                                    "X-A",
                                    "TE",
                                    "Trailer",
                                    "Expect",
                                    "Upgrade",
                                    "Keep-Alive",
                                    "Content_Length",
                                    "X-Forwarded-For",
                                    "Forwarded",
                                    "Cookie",
                                    "HTTP2-Settings",
                                    "Proxy-Connection",
                                    "Content-Length ",
                                    "K-Network-Hash"};
static const char *const values[] = {"0",
                                     "5",
                                     "5, 5",
                                     "+5",
                                     "0x5",
                                     "05",
                                     "-1",
                                     "99999999999999999999",
                                     "chunked",
                                     "Chunked",
                                     "identity",
                                     "chunked, chunked",
                                     "gzip, chunked",
                                     "keep-alive",
                                     "close",
                                     "content-length",
                                     "transfer-encoding, host",
                                     "upgrade, http2-settings",
                                     "h2c",
                                     "websocket",
                                     "trailers",
                                     "a.example",
                                     "evil",
                                     "",
                                     " ",
                                     "x\ty",
                                     "100-continue",
                                     "\"q\"",
                                     "a,b;c=\"d",
                                     "x-a",
                                     "x\x01",
                                     "\xff"};
static const char *const ends[] = {"\r\n", "\r\n", "\r\n", "\r\n", "\r\n",
                                   "\r\n", "\r\n", "\n",   "\r",   "\r\n "};
static const char *const tails[] = {"",
                                    "",
                                    "hello",
                                    "5\r\nhello\r\n0\r\n\r\n",
                                    "5 \r\nhello\r\n0\r\n\r\n",
                                    "5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n",
                                    "0\r\n\r\n",
                                    "5\r\nhelloX\r\n0\r\n\r\n",
                                    "GET /s HTTP/1.1\r\nHost: a.example\r\n\r\n",
                                    "0\r\nContent-Length: 7\r\nHost: evil\r\n\r\n",
                                    "\r\n",
                                    "fffffffffffffffff\r\n"};

static void random_request(struct buf *b)
{
    buf_clear(b);
    buf_addf(b, "%s %s %s%s", ONE_OF(methods), ONE_OF(targets), ONE_OF(versions), ONE_OF(ends));
    if (pick(8))
        buf_addz(b, "Host: a.example\r\n");
    for (unsigned n = pick(5); n > 0; n--)
        buf_addf(b, "%s:%s%s%s", ONE_OF(names), pick(4) ? " " : "", ONE_OF(values), ONE_OF(ends));
    buf_addf(b, "\r\n%s%s", ONE_OF(tails), pick(6) ? "" : ONE_OF(tails));
}

/* Answers every request that reaches the pod until the client's connection has ended; each has to
 * satisfy the strict parser by itself. */
static size_t serve_until_end(int c, const char *rq, struct buf *answers)
{
    struct buf in = BUF_INIT(64 << 20);
    char part[65536];
    size_t served = 0;

    for (;;) {
        struct pollfd p[3] = {{.fd = c, .events = POLLIN},
                              {.fd = u, .events = POLLIN},
                              {.fd = pod, .events = POLLIN}};
        if (poll(p, 3, 5000) <= 0)
            fail_msg("neither answers nor ends: \"%s\", %zu served, \"%s\"", rq, served,
                     buf_z(answers));
        if (p[2].revents) { /* a new connection: nothing may be left of the old one's */
            assert_int_equal(in.n, 0);
            if (u >= 0)
                rig_close(u);
            u = pod_accept(pod);
            continue;
        }
        if (p[1].revents) {
            ssize_t n = recv(u, part, sizeof(part), 0);
            if (n <= 0) {
                rig_close(u); /* a request that was cut is none */
                u = -1;
                buf_clear(&in);
                continue;
            }
            buf_add(&in, part, (size_t)n);
            while (strict_read(&m, &in, true, false)) {
                served++;
                send_z(u, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
            continue;
        }
        ssize_t n = recv(c, part, sizeof(part), 0);
        if (n <= 0)
            break;
        buf_add(answers, part, (size_t)n);
    }
    buf_done(&in);
    return served;
}

/* As many final answers as requests were served, and at most one refusal behind them. */
static void check_answers(struct buf *answers, size_t served)
{
    size_t finals = 0, refusals = 0;

    while (answers->n > 0) {
        if (!strict_read(&m, answers, false, true)) /* none of ours to HEAD has a body */
            fail_msg("half an answer: \"%s\"", buf_z(answers));
        int status = atoi(m.line[1]);
        if (status < 200)
            continue;
        size_t length = (size_t)strtoul(strict_get(&m, "Content-Length"), NULL, 10);
        if (status != 200)
            refusals++;
        if (length && answers->n >= length && strncmp(answers->p, "HTTP/", 5) != 0)
            buf_consume(answers, length);
        finals++;
    }
    assert_true(refusals <= finals && finals - refusals <= served);
    assert_true(served <= finals + 1); /* the last may have been cut */
}

static void test_random_requests(void **state)
{
    struct buf rq = BUF_INIT(1 << 20), answers = BUF_INIT(64 << 20);

    for (unsigned i = 0; i < 1500; i++) {
        seed = i + 1;
        pick(1);
        random_request(&rq);
        int c = rig_dial(EXTERNAL);
        send_z(c, buf_z(&rq));
        shutdown(c, SHUT_WR);
        buf_clear(&answers);
        size_t served = serve_until_end(c, buf_z(&rq), &answers);
        check_answers(&answers, served);
        rig_close(c);
    }
    int c = rig_dial(EXTERNAL);
    in_step(c);
    buf_done(&rq);
    buf_done(&answers);
}

static const char *const statuses[] = {
    "200 OK", "204 No Content", "304 Not Modified", "404 X", "099 X", "100 Continue", "101 S",
    "200"};

/* Whatever a pod answers, its client sees one answer and then the end or the next one. */
static void test_random_answers(void **state)
{
    struct buf rs = BUF_INIT(1 << 20), got = BUF_INIT(64 << 20);
    char part[65536];

    for (unsigned i = 0; i < 1500; i++) {
        seed = i + 77777;
        pick(1);
        buf_clear(&rs);
        buf_addf(&rs, "HTTP/1.1 %s%s", ONE_OF(statuses), ONE_OF(ends));
        for (unsigned n = pick(5); n > 0; n--)
            buf_addf(&rs, "%s:%s%s%s", ONE_OF(names), pick(4) ? " " : "", ONE_OF(values),
                     ONE_OF(ends));
        buf_addf(&rs, "\r\n%s%s", ONE_OF(tails), pick(6) ? "" : ONE_OF(tails));
        int c = rig_dial(EXTERNAL);
        send_z(c, "PATCH / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        u = pod_accept(pod);
        one_message(u, true, false);
        send(u, rs.p, rs.n, MSG_NOSIGNAL);
        rig_close(u);
        buf_clear(&got);
        struct pollfd p = {.fd = c, .events = POLLIN};
        ssize_t n;
        while ((n = poll(&p, 1, 5000) == 1 ? recv(c, part, sizeof(part), 0) : -2) > 0)
            buf_add(&got, part, (size_t)n);
        assert_true(n != -2);
        unsigned finals = 0;
        while (strict_read(&m, &got, false, false))
            finals += atoi(m.line[1]) >= 200;
        if (finals > 1 || (finals == 1 && got.n > 0))
            fail_msg("%u answers from \"%s\"", finals, buf_z(&rs));
        rig_close(c);
    }
    buf_done(&rs);
    buf_done(&got);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_product_of_requests),
        T(test_product_of_answers),
        T(test_random_requests),
        T(test_random_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
