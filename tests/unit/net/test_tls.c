/* TLS: bytes both ways, who the client is, which servers are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/conn.h"
#include "net/tls.h"

#define BIG (3 * 1024 * 1024)

static struct pki_key *ca_key, *key;
static struct buf ca_pem, key_pem, server_pem, client_pem;
static struct loop *loop;
static struct listener *listener;
static struct tls_server *tls;
static struct conn *server, *client;
static struct buf got;
static size_t want;
static bool got_eof;
static struct err why;

static int make_certs(void **state)
{
    const struct pki_request ca = {
        .common_name = "test authority", .is_ca = 1, .valid_seconds = 3600};
    const struct pki_request sv = {.common_name = "server",
                                   .dns_names = (const char *const[]){"svc.example", NULL},
                                   .ip_addrs = (const char *const[]){"127.0.0.1", NULL},
                                   .valid_seconds = 3600};
    const struct pki_request cl = {.common_name = "alice",
                                   .organizations =
                                       (const char *const[]){"system:masters", "ops", NULL},
                                   .is_client = 1,
                                   .valid_seconds = 3600};

    buf_init(&ca_pem, 1 << 16), buf_init(&key_pem, 1 << 16);
    buf_init(&server_pem, 1 << 16), buf_init(&client_pem, 1 << 16);
    ca_key = pki_key_new(NULL);
    key = pki_key_new(NULL);
    assert_int_equal(pki_key_pem(key, &key_pem, NULL), 0);
    assert_int_equal(pki_sign(&ca, ca_key, NULL, NULL, &ca_pem, NULL), 0);
    assert_int_equal(pki_sign(&sv, key, buf_z(&ca_pem), ca_key, &server_pem, NULL), 0);
    assert_int_equal(pki_sign(&cl, key, buf_z(&ca_pem), ca_key, &client_pem, NULL), 0);
    return 0;
}

static int free_certs(void **state)
{
    pki_key_free(ca_key), pki_key_free(key);
    buf_done(&ca_pem), buf_done(&key_pem), buf_done(&server_pem), buf_done(&client_pem);
    return 0;
}

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

static void on_close(void *ctx, const struct err *e)
{
    why = *e;
    loop_stop(loop);
}

static const struct conn_events receiver = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

static void accepted(void *ctx, struct conn *c)
{
    server = c;
    conn_set_events(c, &receiver, NULL);
    if (client)
        loop_stop(loop);
}

static void connected(void *ctx, struct conn *c, const struct err *e)
{
    client = c;
    if (e)
        why = *e;
    if (!c || server)
        loop_stop(loop);
}

static int set_up(void **state)
{
    struct err e;

    loop = loop_new(NULL);
    server = client = NULL;
    got_eof = false;
    want = 0;
    memset(&why, 0, sizeof(why));
    buf_init(&got, 2 * BIG);
    tls = tls_server_new(buf_z(&server_pem), buf_z(&key_pem), buf_z(&ca_pem), "http/1.1", &e);
    assert_non_null(tls);
    struct listen_opts lo = {.host = "127.0.0.1", .tls = tls};
    listener = listener_new(loop, &lo, accepted, NULL, &e);
    return 0;
}

static int tear_down(void **state)
{
    conn_close(server);
    conn_close(client);
    listener_free(listener);
    loop_free(loop);
    tls_server_unref(tls);
    buf_done(&got);
    return 0;
}

static void join(struct tls_client *t, const char *name)
{
    struct connect_opts o = {
        .host = "127.0.0.1", .port = listener_port(listener), .tls = t, .server_name = name};

    assert_non_null(t);
    conn_connect(loop, &o, connected, NULL);
    loop_run(loop);
    tls_client_free(t);
}

static void test_client_certificate_names_the_peer(void **state)
{
    join(tls_client_new(buf_z(&ca_pem), buf_z(&client_pem), buf_z(&key_pem), 0, NULL),
         "svc.example");
    assert_non_null(client);
    assert_true(conn_is_tls(server));
    assert_string_equal(conn_peer_cn(server), "alice");
    const char *const *orgs;
    assert_int_equal(conn_peer_orgs(server, &orgs), 2);
    assert_string_equal(orgs[0], "system:masters");
    assert_string_equal(orgs[1], "ops");
    assert_string_equal(conn_peer_cn(client), "server");
}

static void test_no_client_certificate_is_anonymous(void **state)
{
    join(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL), NULL);
    assert_non_null(client);
    assert_string_equal(conn_peer_cn(server), "");
    const char *const *orgs;
    assert_int_equal(conn_peer_orgs(server, &orgs), 0);
    want = 11;
    struct iovec iov[2] = {{(char[]){"hello "}, 6}, {(char[]){"world"}, 5}};
    assert_true(conn_write(client, iov, 2) >= 0);
    loop_run(loop);
    assert_string_equal(buf_z(&got), "hello world");
    conn_shutdown(client);
    loop_run(loop);
    assert_true(got_eof);
}

static void test_much_data_with_pauses(void **state)
{
    _cleanup_free_ char *big = xmalloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 13 + i / 977);
    join(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL), NULL);
    conn_read_stop(server);
    conn_write1(client, big, BIG);
    conn_read_start(server);
    want = BIG;
    loop_run(loop);
    assert_int_equal(got.n, BIG);
    assert_memory_equal(got.p, big, BIG);
}

static void test_flushing_close(void **state)
{
    _cleanup_free_ char *big = xcalloc(1, BIG);

    join(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL), NULL);
    conn_write1(client, big, BIG);
    conn_close_flush(client);
    client = NULL;
    loop_run(loop);
    assert_true(got_eof);
    assert_int_equal(got.n, BIG);
}

static void test_wrong_name_is_refused(void **state)
{
    join(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL), "other.example");
    assert_null(client);
    assert_int_equal(why.code, -EPROTO);
    assert_non_null(strstr(why.msg, "mismatch"));
}

static void test_wrong_address_is_refused(void **state)
{
    join(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL), "127.0.0.2");
    assert_null(client);
    assert_non_null(strstr(why.msg, "mismatch"));
}

static void test_unknown_authority_is_refused(void **state)
{
    _cleanup_buf_ struct buf other = BUF_INIT(1 << 16);
    const struct pki_request ca = {.common_name = "other", .is_ca = 1, .valid_seconds = 60};

    pki_sign(&ca, key, NULL, NULL, &other, NULL);
    join(tls_client_new(buf_z(&other), NULL, NULL, 0, NULL), NULL);
    assert_null(client);
    assert_int_equal(why.code, -EPROTO);
}

static void test_insecure_accepts(void **state)
{
    join(tls_client_new(NULL, NULL, NULL, 1, NULL), "127.0.0.2");
    assert_non_null(client);
}

static void test_seconds_left(void **state)
{
    int64_t n = 0;

    assert_int_equal(pki_seconds_left(buf_z(&server_pem), 0, &n, NULL), 0);
    assert_in_range(n, 3000, 3600);
    assert_int_equal(pki_seconds_left(buf_z(&server_pem), clock_wall_ns() / NS_PER_SEC + 7200, &n, NULL), 0);
    assert_in_range(-n, 3600, 4200);
    assert_true(pki_seconds_left("nonsense", 0, &n, NULL) < 0);
    assert_null(pki_key_parse("nonsense", NULL));
}

/* ---- changing certificates, protocols ---- */

static void join_again(struct tls_client *t)
{
    server = client = NULL;
    join(t, "svc.example");
}

static void test_swap_keeps_connections(void **state)
{
    struct buf other_ca = BUF_INIT(1 << 16), other = BUF_INIT(1 << 16);
    const struct pki_request ca = {
        .common_name = "other authority", .is_ca = 1, .valid_seconds = 3600};
    const struct pki_request sv = {.common_name = "renewed",
                                   .dns_names = (const char *const[]){"svc.example", NULL},
                                   .valid_seconds = 3600};
    struct pki_key *other_key = pki_key_new(NULL);
    struct err e;

    assert_int_equal(pki_sign(&ca, other_key, NULL, NULL, &other_ca, NULL), 0);
    assert_int_equal(pki_sign(&sv, key, buf_z(&other_ca), other_key, &other, NULL), 0);
    join(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL), "svc.example");
    struct conn *old_server = server, *old_client = client;
    assert_true(tls_server_swap(tls, "nonsense", buf_z(&key_pem), NULL, &e) < 0);
    assert_non_null(strstr(e.msg, "new certificates"));
    join_again(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL));
    assert_string_equal(conn_peer_cn(client), "server");
    conn_close(server), conn_close(client);

    assert_int_equal(tls_server_swap(tls, buf_z(&other), buf_z(&key_pem), NULL, &e), 0);
    join_again(tls_client_new(buf_z(&other_ca), NULL, NULL, 0, NULL));
    assert_string_equal(conn_peer_cn(client), "renewed");
    want = 4;
    conn_write1(old_client, "old!", 4);
    loop_run(loop);
    assert_string_equal(buf_z(&got), "old!");
    conn_close(old_server), conn_close(old_client);
    buf_done(&other_ca), buf_done(&other);
    pki_key_free(other_key);
}

static void test_protocol_is_agreed(void **state)
{
    static const struct {
        const char *offer, *want;
    } rows[] = {{"http/1.1", "http/1.1"}, {"h2,http/1.1", "http/1.1"}, {"h2", ""}, {NULL, ""}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_client *t = tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL);
        if (rows[i].offer)
            assert_int_equal(tls_client_offer(t, rows[i].offer, NULL), 0);
        join_again(t);
        assert_string_equal(conn_alpn(server), rows[i].want);
        assert_string_equal(conn_alpn(client), rows[i].want);
        conn_close(steal(&server)), conn_close(steal(&client));
    }
}

/* Whoever made the configuration may let go of it while its connections live. */
static void test_connections_hold_the_configuration(void **state)
{
    join(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL), "svc.example");
    listener_free(steal(&listener));
    tls_server_unref(steal(&tls));
    want = 2;
    conn_write1(client, "ok", 2);
    loop_run(loop);
    assert_string_equal(buf_z(&got), "ok");
}

static void idle_over(void *ctx)
{
    loop_stop(loop);
}

static struct conn *dialled[20];
static size_t n_dialled, n_cut;

static void on_cut(void *ctx, const struct err *e)
{
    n_cut++;
    loop_stop(loop);
}

static void on_dialled(void *ctx, struct conn *c, const struct err *e)
{
    assert_non_null(c);
    conn_set_events(c, &(struct conn_events){.on_close = on_cut}, NULL);
    dialled[n_dialled++] = c;
    loop_stop(loop);
}

/* Half-open handshakes are few: the oldest goes for the newest, and a good client gets in. */
static void test_handshakes_have_a_bound(void **state)
{
    struct listen_opts lo = {
        .host = "127.0.0.1", .tls = tls, .max_handshakes = 3, .max_connections = 5};

    listener_free(listener);
    listener = listener_new(loop, &lo, accepted, NULL, NULL);
    struct connect_opts plain = {.host = "127.0.0.1", .port = listener_port(listener)};
    n_dialled = n_cut = 0;
    for (int i = 0; i < 20; i++)
        conn_connect(loop, &plain, on_dialled, NULL);
    while (n_dialled < 20 || n_cut < 17)
        loop_run(loop);
    assert_int_equal(listener_connections(listener), 3);
    join_again(tls_client_new(buf_z(&ca_pem), NULL, NULL, 0, NULL));
    assert_non_null(client);
    for (int i = 0; i < 20; i++)
        conn_close(dialled[i]);
    struct timer *t = timer_new(loop, idle_over, NULL);
    timer_repeat(t, 5);
    while (listener_connections(listener) > 1)
        loop_run(loop);
    timer_free(t);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_swap_keeps_connections),
        T(test_protocol_is_agreed),
        T(test_connections_hold_the_configuration),
        T(test_handshakes_have_a_bound),
        T(test_client_certificate_names_the_peer),
        T(test_no_client_certificate_is_anonymous),
        T(test_much_data_with_pauses),
        T(test_flushing_close),
        T(test_wrong_name_is_refused),
        T(test_wrong_address_is_refused),
        T(test_unknown_authority_is_refused),
        T(test_insecure_accepts),
        cmocka_unit_test(test_seconds_left),
    };

    return cmocka_run_group_tests(tests, make_certs, free_certs);
}
