/* The server with a real store and exchanges in memory: admission, identities, watches that do not
 * read, going away. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/apiserver/request/limits.h"

static int mutate(void *ctx, struct admission_request *rq, struct err *e)
{
    kmut_annotation(rq->obj, "seen-by", rq->user->name);
    if (rq->old)
        kmut_annotation(rq->obj, "had-old", "yes");
    return 0;
}

static int validate(void *ctx, struct admission_request *rq,
                    void (*warn)(void *to, const char *text), void *to, struct err *e)
{
    if (jm_get(rq->obj->root, "data", "forbidden"))
        return err_set(e, -EPERM, "not this");
    if (jm_get(rq->obj->root, "data", "odd"))
        warn(to, "that is \"odd\"");
    return 0;
}

static int setup(void **state)
{
    static const struct admission ad = {.name = "validation.example.com",
                                        .mutate_name = "defaulting.example.com",
                                        .res = &KR_CONFIGMAP,
                                        .mutate = mutate,
                                        .validate = validate};

    *state = world_new(&(struct apiserver_opts){.admissions = &ad, .n_admissions = 1});
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static void create(struct world *w, const char *name, const char *key, int want, struct answer *a)
{
    _cleanup_free_ char *body = config_map(name, key);

    ask(w, a, "POST", MAPS, "application/json", body);
    assert_int_equal(a->status, want);
}

/* ---- the tests ---- */
static void test_admission(void **state)
{
    struct world *w = *state;
    struct answer a;

    create(w, "good", "odd", 201, &a);
    assert_non_null(strstr(buf_z(&a.body), "\"seen-by\":\"admin\""));
    assert_string_equal(a.warning, "299 - \"that is \\\"odd\\\"\"");
    answer_done(&a);
    create(w, "bad", "forbidden", 400, &a);
    assert_non_null(strstr(buf_z(&a.body),
                           "admission webhook \\\"validation.example.com\\\" denied the "
                           "request: not this"));
    answer_done(&a);
    ask(w, &a, "PATCH", MAPS "/good", "application/merge-patch+json", "{\"data\":{\"b\":\"2\"}}");
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(buf_z(&a.body), "\"had-old\":\"yes\""));
    answer_done(&a);

    const struct kobj *o = apiserver_lookup(w->api, &KR_CONFIGMAP, "default", "good");

    assert_string_equal(kobj_annotation(o, "seen-by"), "admin");
    kobj_unref(o);
    assert_null(apiserver_lookup(w->api, &KR_CONFIGMAP, "default", "bad"));
}

static void test_identities(void **state)
{
    static const struct {
        const char *user, *group, *path;
        int want;
    } rows[] = {
        {"", "", MAPS, 401},
        {"eve", "", MAPS, 403},
        {"eve", "devs", MAPS, 403},
        {"", "", "/healthz", 200},
        {"", "", "/livez/ping", 200},
        {"", "", "/livez/x", 404},
        {"", "", "/version", 200},
        {"", "", "/api", 401},
        {"a", "system:masters", "/nothing", 404},
        {"a", "system:masters", MAPS, 200},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a;

        ask_as(w, &a, rows[i].user, rows[i].group, "GET", rows[i].path, "", "");
        assert_int_equal(a.status, rows[i].want);
        answer_done(&a);
    }
}

/* Whoever names somebody else gets a clear no, not an answer about himself. */
static void test_impersonation(void **state)
{
    static const char *const rows[][3] = {
        {"Impersonate-User", "jane", NULL},
        {"impersonate-group", "devs", NULL},
        {"Impersonate-Uid", "1", NULL},
        {"Impersonate-Extra-scopes", "view", NULL},
    };
    static const char *const masters[] = {"system:masters"};
    static const struct user_info u = {.name = "admin", .groups = masters, .n_groups = 1};
    struct world *w = *state;
    struct answer a;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ask_with(w, &a, &u, "GET", MAPS, rows[i], "");
        assert_int_equal(a.status, 403);
        assert_non_null(strstr(buf_z(&a.body), "impersonation is forbidden"));
        answer_done(&a);
    }
    ask_with(w, &a, &u, "GET", "/healthz", rows[0], "");
    assert_int_equal(a.status, 200);
    answer_done(&a);
}

/* The whole identity reaches the question "who am I". */
static void test_who_am_i(void **state)
{
    static const char *const groups[] = {"system:masters", "devs"}, *scopes[] = {"a", "b"};
    static const struct user_extra extra[] = {{"example.com/scopes", scopes, 2}};
    static const struct user_info u = {
        .name = "ann", .uid = "42", .groups = groups, .n_groups = 2, .extra = extra, .n_extra = 1};
    struct world *w = *state;
    struct answer a;

    ask_with(w, &a, &u, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", NULL, "{}");
    assert_int_equal(a.status, 201);
    assert_non_null(strstr(
        buf_z(&a.body),
        "\"userInfo\":{\"username\":\"ann\",\"uid\":\"42\",\"groups\":[\"system:masters\",\"devs\","
        "\"system:authenticated\"],\"extra\":{\"example.com/scopes\":[\"a\",\"b\"]}}"));
    answer_done(&a);
}

/* Status and reason; every 404 has details. */
static void test_statuses(void **state)
{
    static const struct {
        const char *method, *path, *type, *body;
        int status;
        const char *has;
    } rows[] = {
        {"GET", "/nothing", "", "", 404, "\"details\":{}"},
        {"GET", MAPS "/x/ephemeral", "", "", 404, "\"details\":{}"},
        {"GET", MAPS "/x", "", "", 404, "\"details\":{\"name\":\"x\",\"kind\":\"configmaps\"}"},
        {"PATCH", MAPS "/x", "application/apply-patch+yaml", "{}", 415, "UnsupportedMediaType"},
        {"PATCH", MAPS "/x", "text/plain", "{}", 415, "UnsupportedMediaType"},
        {"PATCH", MAPS "/x", "application/merge-patch+json", "{", 400, "error decoding patch"},
        {"PATCH", MAPS "/x", "application/merge-patch+json", "{}", 404, "NotFound"},
        {"GET", MAPS "?limit=-1", "", "", 200, "ConfigMapList"},
        {"GET", MAPS "?sendInitialEvents=true", "", "", 422, "forbidden for list"},
        {"GET", "/readyz?verbose", "", "", 200, "[+]ping ok\n"},
        {"GET", "/readyz/ping", "", "", 200, "ok"},
        {"GET", "/version", "", "", 200, "\"minor\":\"34\""},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a;

        ask(w, &a, rows[i].method, rows[i].path, rows[i].type, rows[i].body);
        if (a.status != rows[i].status || !strstr(buf_z(&a.body), rows[i].has))
            fail_msg("%s %s: %d %s", rows[i].method, rows[i].path, a.status, buf_z(&a.body));
        answer_done(&a);
    }
}

static void test_long_patch(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4 << 20);
    struct world *w = *state;
    struct answer a;

    for (int i = 0; i <= 10000; i++)
        buf_addf(&b, "%s{\"op\":\"test\",\"path\":\"/kind\",\"value\":\"ConfigMap\"}",
                 i ? "," : "[");
    buf_addc(&b, ']');
    ask(w, &a, "PATCH", MAPS "/x", "application/json-patch+json", buf_z(&b));
    assert_int_equal(a.status, 413);
    answer_done(&a);
}

/* One user sends more than the server takes at a time: he is told to wait, another is served. */
static void test_flood(void **state)
{
    struct world *w = *state;
    size_t n = LIMIT_API_REQUESTS, taken = 0;
    struct answer *a = xcalloc(n, sizeof(*a)), other;

    for (size_t i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof(name), "n%zu", i);
        _cleanup_free_ char *body = config_map(name, "a");

        ask_as(w, &a[i], "busy", "system:masters", "POST", MAPS, "application/json", body);
    }
    create(w, "others", "a", 201, &other);
    answer_done(&other);
    for (size_t i = 0; i < n; i++) {
        wait_for(w, &a[i]);
        taken += a[i].status == 201;
        if (a[i].status != 201) {
            assert_int_equal(a[i].status, 429);
            assert_string_equal(a[i].retry_after, "1");
        }
        answer_done(&a[i]);
    }
    assert_int_equal(taken, n / 2);
    assert_int_equal(store_count(w->store, "/configmaps/default/"), taken + 1);
    free(a);
}

static void test_refused_bodies(void **state)
{
    struct world *w = *state;
    struct answer a;

    ask(w, &a, "POST", MAPS, "text/plain", "x");
    assert_int_equal(a.status, 415);
    answer_done(&a);
    ask(w, &a, "PUT", MAPS, "application/json", "{}");
    assert_int_equal(a.status, 405);
    answer_done(&a);
    ask(w, &a, "POST", MAPS, "application/json", "[]");
    assert_int_equal(a.status, 400);
    answer_done(&a);
}

/* A watcher that stops reading is cut off; one that reads goes on. */
static void test_slow_watcher(void **state)
{
    struct world *w = *state;
    struct answer slow, quick, a;
    size_t n = LIMIT_WATCH_QUEUE / (1 << 20) + 2;
    _cleanup_buf_ struct buf big = BUF_INIT(2 << 20);
    _cleanup_free_ char *filler = xcalloc(1, 4097);

    memset(filler, 'x', 4096);

    ask_as(w, &slow, "a", "system:masters", "GET", MAPS "?watch=1", "", "");
    struct http_exchange *x =
        ask_as(w, &quick, "a", "system:masters", "GET", MAPS "?watch=1", "", "");

    assert_int_equal(slow.status, 200);
    slow.stuck = true;
    for (size_t i = 0; i < n; i++) {
        buf_clear(&big);
        buf_addf(&big, "{\"metadata\":{\"name\":\"big-%zu\"},\"data\":{\"x\":\"", i);
        while (big.n < 1 << 20)
            buf_addz(&big, filler);
        buf_addz(&big, "\"}}");
        ask(w, &a, "POST", MAPS, "application/json", buf_z(&big));
        assert_int_equal(a.status, 201);
        answer_done(&a);
    }
    assert_true(slow.aborted);
    assert_false(quick.aborted);
    assert_true(quick.body.n > n << 20);
    http_exchange_gone(x);
    answer_done(&slow);
    answer_done(&quick);
}

/* The peer leaves while its write is in flight: the write happens, nobody is answered. */
static void test_peer_leaves(void **state)
{
    struct world *w = *state;
    struct answer left, a;
    _cleanup_free_ char *body = config_map("left", "a");

    struct http_exchange *x =
        ask_as(w, &left, "a", "system:masters", "POST", MAPS, "application/json", body);

    assert_false(left.ended);
    http_exchange_gone(x);
    create(w, "after", "a", 201, &a);
    answer_done(&a);
    assert_false(left.ended);
    ask(w, &a, "GET", MAPS "/left", "", "");
    assert_int_equal(a.status, 200);
    answer_done(&a);
    answer_done(&left);
}

/* The server goes with a watch open and a write in flight. */
static void test_ends_in_flight(void **state)
{
    struct world *w = *state;
    struct answer watch, write;
    _cleanup_free_ char *body = config_map("last", "a");

    ask_as(w, &watch, "a", "system:masters", "GET", MAPS "?watch=1", "", "");
    ask_as(w, &write, "a", "system:masters", "POST", MAPS, "application/json", body);
    apiserver_free(w->api);
    assert_true(watch.ended);
    store_close(w->store);
    assert_true(write.ended);
    answer_done(&watch);
    answer_done(&write);
    world_open(w, &(struct apiserver_opts){0});
}

static void test_identity_files(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"ca.crt",    "ca.key",    "server.crt",  "server.key",
                                        "admin.crt", "admin.key", "server.names"};
    static const char *const ips[] = {"10.222.0.1", NULL};
    struct api_identity a = {0}, b = {0}, c = {0}, d = {0};
    struct err e = {0};
    struct stat st;
    _cleanup_free_ char *admin_key = xasprintf("%s/pki/admin.key", w->dir);
    _cleanup_free_ char *config = xasprintf("%s/kubeconfig", w->dir);

    assert_int_equal(api_identity_load(w->dir, NULL, &a, &e), 0);
    assert_int_equal(api_identity_load(w->dir, NULL, &b, &e), 0);
    assert_string_equal(a.client_cert_pem, b.client_cert_pem);
    assert_int_equal(api_identity_load(w->dir, ips, &c, &e), 0);
    assert_string_equal(a.ca_pem, c.ca_pem);
    /* a key that is damaged, or not its certificate's, is made again with it */
    assert_int_equal(truncate(admin_key, 100), 0);
    assert_int_equal(api_identity_load(w->dir, ips, &d, &e), 0);
    assert_string_equal(a.ca_pem, d.ca_pem);
    assert_string_not_equal(a.client_key_pem, d.client_key_pem);
    assert_int_equal(api_identity_kubeconfig(&a, config, "https://127.0.0.1:1", &e), 0);
    assert_int_equal(stat(config, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    unlink(config);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _cleanup_free_ char *path = xasprintf("%s/pki/%s", w->dir, names[i]);

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        unlink(path);
    }
    _cleanup_free_ char *pki = xasprintf("%s/pki", w->dir);

    rmdir(pki);
    api_identity_done(&a);
    api_identity_done(&b);
    api_identity_done(&c);
    api_identity_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_admission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impersonation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_am_i, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_patch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_watcher, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity_files, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
