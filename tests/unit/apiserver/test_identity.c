/* The authority and what it signs: made, kept, renewed in time, and never replaced behind
 * somebody's back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cluster/apiserver/apiserver.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/tls.h"

#define DAY_NS (86400 * NS_PER_SEC)

struct place {
    char dir[64];
    int at;
    struct api_identity id;
    struct err e;
};

static void load(struct place *p)
{
    static const char *const ips[] = {"10.1.2.3", NULL};

    if (api_identity_load(p->dir, ips, &p->id, &p->e) < 0)
        fail_msg("%s", p->e.msg);
}

static int set_up(void **state)
{
    struct place *p = xnew(struct place);

    snprintf(p->dir, sizeof(p->dir), "/tmp/nonagon-identity-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->at = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    load(p);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    api_identity_done(&p->id);
    close(p->at);
    file_remove_tree(AT_FDCWD, p->dir, NULL);
    free(p);
    return 0;
}

static char *content(struct place *p, const char *name)
{
    struct buf b = BUF_INIT(1 << 16);

    if (file_get(p->at, name, &b, &p->e) < 0)
        fail_msg("%s", p->e.msg);
    return buf_steal(&b, NULL);
}

static void put(struct place *p, const char *name, const char *text)
{
    assert_int_equal(file_put(p->at, name, str_of(text), 0600, FILE_UNSYNCED, NULL), 0);
}

static void reload(struct place *p)
{
    api_identity_done(&p->id);
    load(p);
}

static void another_start_finds_the_same(void **state)
{
    static const char *const names[] = {"pki/ca.key",     "pki/ca.crt",    "pki/server.key",
                                        "pki/server.crt", "pki/admin.key", "pki/admin.crt"};
    struct place *p = *state;
    char *was[ARRAY_LEN(names)];
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        was[i] = content(p, names[i]);
        assert_int_equal(fstatat(p->at, names[i], &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    reload(p);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _cleanup_free_ char *is = content(p, names[i]);
        assert_string_equal(is, was[i]);
        free(was[i]);
    }
}

/* Everybody who holds a kubeconfig depends on it. */
static void a_broken_authority_is_refused_and_kept(void **state)
{
    static const struct {
        const char *name, *text, *says;
    } table[] = {
        {"pki/ca.key", "damaged", "ca.key is damaged"},
        {"pki/ca.key", "", "ca.key is damaged"},
        {"pki/ca.key", NULL, "ca.key is missing"},
        {"pki/ca.crt", "damaged", "ca.crt is damaged"},
        {"pki/ca.key", "other", "not the certificate of ca.key"},
    };
    struct place *p = *state;
    _cleanup_free_ char *key = content(p, "pki/ca.key"), *crt = content(p, "pki/ca.crt"),
                        *other = content(p, "pki/admin.key");

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct api_identity id = {0};
        const char *text = streq(table[i].text, "other") ? other : table[i].text;
        put(p, "pki/ca.key", key);
        put(p, "pki/ca.crt", crt);
        if (text)
            put(p, table[i].name, text);
        else
            unlinkat(p->at, table[i].name, 0);
        assert_true(api_identity_load(p->dir, NULL, &id, &p->e) < 0);
        if (!strstr(p->e.msg, table[i].says) || !strstr(p->e.msg, p->dir))
            fail_msg("\"%s\" does not say \"%s\"", p->e.msg, table[i].says);
        if (!text) {
            assert_int_equal(faccessat(p->at, table[i].name, F_OK, 0), -1);
            continue;
        }
        _cleanup_free_ char *is = content(p, table[i].name);
        assert_string_equal(is, text); /* it was not written over */
    }
}

static void an_unreadable_key_is_no_missing_key(void **state)
{
    struct place *p = *state;
    struct api_identity id = {0};

    unlinkat(p->at, "pki/ca.key", 0);
    assert_int_equal(mkdirat(p->at, "pki/ca.key", 0700), 0);
    assert_true(api_identity_load(p->dir, NULL, &id, &p->e) < 0);
    assert_non_null(strstr(p->e.msg, "ca.key"));
}

/* A first start that ended half way left a key alone. */
static void a_key_alone_gets_its_certificate(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *key = content(p, "pki/ca.key"), *server = content(p, "pki/server.crt");

    unlinkat(p->at, "pki/ca.crt", 0);
    reload(p);
    _cleanup_free_ char *same = content(p, "pki/ca.key"), *crt = content(p, "pki/ca.crt");
    assert_string_equal(same, key);
    assert_true(pki_signed_by(server, crt)); /* so what it signed stays valid */
}

static void what_it_signs_is_made_anew_when_broken(void **state)
{
    static const char *const names[] = {"pki/server.key", "pki/server.crt", "pki/admin.key",
                                        "pki/admin.crt"};
    struct place *p = *state;
    _cleanup_free_ char *ca = content(p, "pki/ca.crt"), *stranger = content(p, "pki/ca.key");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        put(p, names[i], i % 2 ? "damaged" : stranger);
        reload(p);
        assert_string_equal(p->id.ca_pem, ca);
        assert_true(pki_signed_by(p->id.client_cert_pem, ca));
    }
    /* Those of an authority that is gone are nobody's. */
    unlinkat(p->at, "pki/ca.key", 0);
    unlinkat(p->at, "pki/ca.crt", 0);
    reload(p);
    _cleanup_free_ char *server = content(p, "pki/server.crt");
    assert_string_not_equal(p->id.ca_pem, ca);
    assert_true(pki_signed_by(server, p->id.ca_pem));
    assert_true(pki_signed_by(p->id.client_cert_pem, p->id.ca_pem));
}

/* ---- time ---- */

struct running {
    struct place *p;
    struct loop *loop;
    struct listener *listener;
    struct conn *server, *client, *old_server, *old_client;
    struct buf got;
    int64_t wall_ns;
    int renewals;
    struct err failed;
};

static int64_t stepped_wall(void *ctx)
{
    return ((struct running *)ctx)->wall_ns;
}

static int64_t stepped_mono(void *ctx)
{
    return clock_mono_ns();
}

static void on_renewed(void *ctx, const struct err *err)
{
    struct running *r = ctx;

    r->renewals++;
    if (err)
        r->failed = *err;
}

static void on_data(void *ctx, const char *data, size_t n)
{
    struct running *r = ctx;

    buf_add(&r->got, data, n);
    loop_stop(r->loop);
}

static void ignore(void *ctx)
{
}

static void ignore_error(void *ctx, const struct err *why)
{
}

static void on_accept(void *ctx, struct conn *c)
{
    static const struct conn_events ev = {
        .on_data = on_data, .on_eof = ignore, .on_close = ignore_error, .on_drain = ignore};
    struct running *r = ctx;

    r->server = c;
    conn_set_events(c, &ev, r);
    conn_read_start(c);
    if (r->client)
        loop_stop(r->loop);
}

static void on_connect(void *ctx, struct conn *c, const struct err *why)
{
    struct running *r = ctx;

    assert_non_null(c);
    r->client = c;
    if (r->server)
        loop_stop(r->loop);
}

/* The client does not verify: by its own clock a renewed certificate is of the future. */
static void connect_to(struct running *r)
{
    struct tls_client *t = tls_client_new(NULL, NULL, NULL, 1, NULL);
    struct connect_opts o = {.host = "127.0.0.1",
                             .port = listener_port(r->listener),
                             .tls = t,
                             .server_name = "localhost"};

    r->server = r->client = NULL;
    conn_connect(r->loop, &o, on_connect, r);
    loop_run(r->loop);
    tls_client_free(t);
}

static int64_t days_left(const char *pem, const struct running *r)
{
    int64_t left = 0;

    assert_int_equal(pki_seconds_left(pem, r->wall_ns / NS_PER_SEC, &left, NULL), 0);
    return left / 86400;
}

static void certificates_are_renewed_while_it_runs(void **state)
{
    struct place *p = *state;
    struct running r = {.p = p, .wall_ns = clock_wall_ns(), .got = BUF_INIT(1000)};
    const struct clock clock = {stepped_mono, stepped_wall, &r};
    struct err e = {0};

    r.loop = loop_new(&e);
    loop_set_clock(r.loop, &clock);
    struct listen_opts lo = {.host = "127.0.0.1", .tls = p->id.tls};
    r.listener = listener_new(r.loop, &lo, on_accept, &r, &e);
    struct api_identity_keeper *k = api_identity_keep(r.loop, &p->id, on_renewed, &r);
    _cleanup_free_ char *admin = xstrdup(p->id.client_cert_pem), *ca = xstrdup(p->id.ca_pem);

    connect_to(&r);
    r.old_client = r.client, r.old_server = r.server;
    r.wall_ns += 300 * DAY_NS;
    api_identity_keeper_look(k);
    assert_int_equal(r.renewals, 0); /* there is time */
    r.wall_ns += 100 * DAY_NS;
    api_identity_keeper_look(k);
    assert_int_equal(r.renewals, 1);
    assert_int_equal(r.failed.code, 0);
    assert_string_equal(p->id.ca_pem, ca);
    assert_string_not_equal(p->id.client_cert_pem, admin);
    assert_in_range(days_left(p->id.client_cert_pem, &r), 363, 365);
    _cleanup_free_ char *server = content(p, "pki/server.crt");
    assert_in_range(days_left(server, &r), 363, 365);
    /* What is open goes on, what is new gets the new one. */
    connect_to(&r);
    conn_write1(r.old_client, "still", 5);
    loop_run(r.loop);
    assert_string_equal(buf_z(&r.got), "still");
    /* The clock goes back: what was made stays. */
    r.wall_ns -= 400 * DAY_NS;
    api_identity_keeper_look(k);
    assert_int_equal(r.renewals, 1);
    api_identity_keeper_free(k);
    conn_close(r.old_client), conn_close(r.old_server), conn_close(r.client), conn_close(r.server);
    listener_free(r.listener);
    loop_free(r.loop);
    buf_done(&r.got);
}

/* Nine years and a half on: with its key, so that no credential that it signed ends. */
static void the_authority_is_renewed_with_its_key(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *key = content(p, "pki/ca.key"), *ca = xstrdup(p->id.ca_pem);
    bool changed = false;

    assert_int_equal(api_identity_renew(&p->id, clock_wall_ns() + 3640 * DAY_NS, &changed, &p->e),
                     0);
    assert_true(changed);
    _cleanup_free_ char *same = content(p, "pki/ca.key");
    assert_string_equal(same, key);
    assert_string_not_equal(p->id.ca_pem, ca);
    assert_true(pki_signed_by(p->id.client_cert_pem, ca));
    assert_true(pki_signed_by(p->id.client_cert_pem, p->id.ca_pem));
}

static void a_kubeconfig_is_for_its_owner_and_follows_no_link(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *path = xasprintf("%s/kubeconfig", p->dir);
    struct stat st;

    put(p, "victim", "untouched");
    assert_int_equal(symlinkat("victim", p->at, "kubeconfig"), 0);
    assert_int_equal(symlinkat("victim", p->at, "kubeconfig.tmp"), 0);
    assert_int_equal(api_identity_kubeconfig(&p->id, path, "https://127.0.0.1:1", &p->e), 0);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600);
    _cleanup_free_ char *victim = content(p, "victim");
    assert_string_equal(victim, "untouched");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(another_start_finds_the_same),
        T(a_broken_authority_is_refused_and_kept),
        T(an_unreadable_key_is_no_missing_key),
        T(a_key_alone_gets_its_certificate),
        T(what_it_signs_is_made_anew_when_broken),
        T(certificates_are_renewed_while_it_runs),
        T(the_authority_is_renewed_with_its_key),
        T(a_kubeconfig_is_for_its_owner_and_follows_no_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
