/* The two transports at the seams that a server's handlers see: the head first, then the body; and
 * upgrades, which give each side an end of a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "http/server.h"
#include "kube/transport.h"
#include "net/conn.h"

static char over_http[] = "over HTTP";
static struct loop *loop;
static struct loop_thread *thread; /* the server's, for the in-process transport */
static struct http_server *server;
static struct kube_transport *transport;
static struct conn *end;
static struct buf got;
static int status, done_calls;
static char groups[128];
static bool stopped;

/* ---- the server ---- */

static void echo_data(void *ctx, const char *p, size_t n)
{
    conn_write1(ctx, p, n);
}

static void echo_over(void *ctx)
{
    conn_close(ctx);
}

static void head(void *ctx, struct http_exchange *x)
{
    assert_int_equal(http_body(x).n, 0);
    if (str_eq(http_path(x), STR("/no")))
        http_reply(x, 403, "text/plain", "no", 2);
    else
        http_read_body(x);
}

static void handler(void *ctx, struct http_exchange *x)
{
    static const struct conn_events ev = {.on_data = echo_data, .on_eof = echo_over};
    struct str ask = http_request_header(x, "X-Ask");

    snprintf(groups, sizeof(groups), "%s %zu", http_user(x)->name, http_user(x)->n_groups);
    if (!str_eq(http_path(x), STR("/tunnel"))) {
        http_reply(x, 200, "text/plain", http_body(x).p, http_body(x).n);
        return;
    }
    char greeting[32];
    int n = snprintf(greeting, sizeof(greeting), "%.*s:", (int)ask.n, ask.p);
    struct conn *c = http_upgrade(x, "echo", NULL);
    if (!c) {
        http_reply(x, 400, "text/plain", "no", 2);
        return;
    }
    conn_set_events(c, &ev, c);
    conn_write1(c, greeting, (size_t)n);
}

/* ---- the client ---- */

static void on_head(void *ctx, int st)
{
    status = st;
}

static void on_chunk(void *ctx, const char *p, size_t n)
{
    buf_add(&got, p, n);
    loop_stop(loop);
}

static void on_done(void *ctx, const struct err *err, int st, struct str body)
{
    done_calls++;
    status = st;
    buf_add(&got, body.p, body.n);
    loop_stop(loop);
}

static void on_close(void *ctx, const struct err *why)
{
    stopped = true;
    loop_stop(loop);
}

static void on_upgrade(void *ctx, struct conn *c)
{
    static const struct conn_events ev = {.on_data = on_chunk, .on_close = on_close};

    end = c;
    conn_set_events(c, &ev, NULL);
    loop_stop(loop);
}

static int set_up(void **state)
{
    static const char *const names[] = {"a", "b"};
    static const struct user_info user = {.name = "me", .groups = names, .n_groups = 2};

    loop = loop_new(NULL);
    thread = NULL;
    server = NULL;
    if (*state) {
        server =
            http_server_new(loop,
                            &(struct http_server_opts){
                                .listen = {.host = "127.0.0.1"}, .head = head, .handler = handler},
                            NULL);
        char url[64];
        snprintf(url, sizeof(url), "http://127.0.0.1:%d", http_server_port(server));
        transport = kube_transport_http(loop, &(struct kube_http_opts){.server = url}, NULL);
    } else {
        thread = loop_thread_start("server", NULL, NULL, NULL, NULL);
        transport = kube_transport_inproc_with(
            loop, &(struct kube_inproc_opts){.server_loop = loop_thread_loop(thread),
                                             .head = head,
                                             .handler = handler,
                                             .user = &user});
    }
    got = BUF_INIT(1 << 20);
    status = done_calls = 0;
    end = NULL;
    stopped = false;
    return 0;
}

static void on_stop(void *ctx)
{
    stopped = true;
    loop_stop(loop);
}

static int tear_down(void **state)
{
    kube_transport_free(transport);
    loop_thread_stop(thread);
    stopped = !server;
    if (server)
        http_server_shutdown(server, 0, on_stop, NULL);
    while (!stopped)
        loop_run(loop);
    loop_free(loop);
    buf_done(&got);
    return 0;
}

static void ask(const char *path, const char *body, const char *upgrade)
{
    static const struct transport_events ev = {
        .on_head = on_head, .on_chunk = on_chunk, .on_done = on_done, .on_upgrade = on_upgrade};
    struct http_headers fields = {.n = 0};
    struct transport_call c = {.method = body ? STR("POST") : STR("GET"),
                               .path = str_of(path),
                               .body = body ? str_of(body) : STR_NULL,
                               .content_type = body ? "text/plain" : NULL,
                               .stream = upgrade != NULL,
                               .upgrade = upgrade,
                               .fields = &fields};

    http_add(&fields, STR("X-Ask"), STR("hi"));
    transport->ops->call(transport, &c, &ev, NULL);
    while (!done_calls && !end)
        loop_run(loop);
}

static void test_head_then_body(void **state)
{
    ask("/x", "the body", NULL);
    assert_int_equal(status, 200);
    assert_string_equal(buf_z(&got), "the body");
    if (!*state)
        assert_string_equal(groups, "me 2");
}

static void test_refused_at_the_head(void **state)
{
    groups[0] = '\0';
    ask("/no", "the body", NULL);
    assert_int_equal(status, 403);
    assert_string_equal(groups, "");
}

static void test_upgrade(void **state)
{
    ask("/tunnel", NULL, "echo");
    assert_non_null(end);
    conn_write1(end, "there", 5);
    while (got.n < 8)
        loop_run(loop);
    assert_string_equal(buf_z(&got), "hi:there");
    assert_int_equal(done_calls, 0);
    conn_shutdown(end);
    while (!stopped)
        loop_run(loop);
    conn_close(end);
}

static void test_upgrade_refused(void **state)
{
    ask("/tunnel", NULL, "other");
    assert_null(end);
    assert_int_equal(status, 400);
    assert_string_equal(buf_z(&got), "no");
}

#define T(f)                                                                                       \
    cmocka_unit_test_prestate_setup_teardown(f, set_up, tear_down, NULL),                          \
        cmocka_unit_test_prestate_setup_teardown(f, set_up, tear_down, over_http)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_head_then_body),
        T(test_refused_at_the_head),
        T(test_upgrade),
        T(test_upgrade_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
