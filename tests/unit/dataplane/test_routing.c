/* Which revision a request goes to: hosts, visibility, paths, headers, splits, conflicts, probes,
 * redirects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rig.h"

/* Revisions r1 to r3, each with a pod that is only listened to; what arrives there tells the
 * choice. */
static int pods[3], ports[3];
static const char *const revisions[3] = {"r1", "r2", "r3"};

static int set_up(void **state)
{
    int r = rig_start_single(state);

    for (int i = 0; i < 3; i++) {
        pods[i] = pod_listen(&ports[i]);
        rig_backend((struct rig_backend){.revision = revisions[i], .ports = {ports[i]}});
    }
    return r;
}

static const struct dp_split to_r1 = {.ns = "ns", .service = "r1", .port = 80, .percent = 100};
static const struct dp_split to_r2 = {.ns = "ns", .service = "r2", .port = 80, .percent = 100};
static const struct dp_split to_r3 = {.ns = "ns", .service = "r3", .port = 80, .percent = 100};

/* Sends a request on a fresh connection and returns the pod's side, its head in `seen`. */
static int arrives_at(int which, int listener, const char *request)
{
    int c = rig_dial(listener);

    send_z(c, request);
    int u = pod_accept(pods[which]);
    expect(u, "\r\n\r\n");
    return u;
}

static void answered(int listener, const char *request, const char *want)
{
    int c = rig_dial(listener);

    send_z(c, request);
    expect(c, "\r\n\r\n");
    if (!has(want))
        fail_msg("wanted %s, got %s", want, buf_z(&seen));
}

static void one_rule(const char *key, const char *host, enum dp_visibility v, bool redirect,
                     const struct dp_path *paths, size_t n)
{
    const struct dp_rule rule = {.hosts = &host,
                                 .n_hosts = 1,
                                 .visibility = v,
                                 .redirect_https = redirect,
                                 .paths = paths,
                                 .n_paths = n};
    const struct dp_ingress in = {.key = key, .rules = &rule, .n_rules = 1, .hash = key};

    rig_ingress(&in);
}

static void test_hosts(void **state)
{
    const struct dp_path p = {.prefix = "", .splits = &to_r1, .n_splits = 1};

    one_rule("k", "Host.Example", DP_EXTERNAL, false, &p, 1);
    arrives_at(0, EXTERNAL, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
    arrives_at(0, EXTERNAL, "GET / HTTP/1.1\r\nHost: HOST.EXAMPLE:8080\r\n\r\n");
    arrives_at(0, EXTERNAL, "GET / HTTP/1.1\r\nHost: host.example.\r\n\r\n");
    arrives_at(0, LOCAL, "GET / HTTP/1.1\r\nHost: host.example\r\n\r\n");
    answered(EXTERNAL, "GET / HTTP/1.1\r\nHost: x.host.example\r\n\r\n", "HTTP/1.1 404 ");
    answered(EXTERNAL, "GET / HTTP/1.1\r\nHost: \r\n\r\n", "HTTP/1.1 404 ");
}

static void test_visibility(void **state)
{
    const struct dp_path p = {.prefix = "", .splits = &to_r1, .n_splits = 1};

    one_rule("k", "h", DP_LOCAL, false, &p, 1);
    arrives_at(0, LOCAL, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    answered(EXTERNAL, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 ");
}

static void test_paths_and_headers(void **state)
{
    const struct dp_kv tag = {"Knative-Serving-Tag", "blue"};
    const struct dp_path paths[] = {
        {.prefix = "",
         .match_headers = &tag,
         .n_match_headers = 1,
         .splits = &to_r3,
         .n_splits = 1},
        {.prefix = "/api", .splits = &to_r2, .n_splits = 1},
        {.prefix = "/", .splits = &to_r1, .n_splits = 1},
    };

    one_rule("k", "h", DP_EXTERNAL, false, paths, 3);
    arrives_at(0, EXTERNAL, "GET /?/api HTTP/1.1\r\nHost: h\r\n\r\n");
    arrives_at(1, EXTERNAL, "GET /api HTTP/1.1\r\nHost: h\r\n\r\n");
    arrives_at(1, EXTERNAL, "GET /apiary HTTP/1.1\r\nHost: h\r\n\r\n"); /* a prefix of the string */
    arrives_at(2, EXTERNAL, "GET /api HTTP/1.1\r\nHost: h\r\nknative-serving-tag: blue\r\n\r\n");
    arrives_at(1, EXTERNAL, "GET /api HTTP/1.1\r\nHost: h\r\nKnative-Serving-Tag: blues\r\n\r\n");
    answered(EXTERNAL, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 ");
}

static void test_splits(void **state)
{
    const struct dp_split splits[] = {{.ns = "ns", .service = "r1", .port = 80, .percent = 25},
                                      {.ns = "ns", .service = "r2", .port = 80, .percent = 0},
                                      {.ns = "ns", .service = "r3", .port = 80, .percent = 75}};
    const struct dp_path p = {.prefix = "", .splits = splits, .n_splits = 3};
    int c = rig_dial(EXTERNAL), u[3] = {-1, -1, -1}, hits[3] = {0};

    one_rule("k", "h", DP_EXTERNAL, false, &p, 1);
    for (int i = 0; i < 400; i++) {
        get(c, "h", "/");
        struct pod_hit hit = pod_any(pods, u, 3);
        expect(hit.fd, "\r\n\r\n");
        pod_answer(hit.fd, "ok");
        expect(c, "ok");
        u[hit.which] = hit.fd;
        hits[hit.which]++;
    }
    assert_int_equal(hits[1], 0);
    assert_in_range(hits[0], 50, 160); /* 100 expected; beyond 5 standard deviations is a fault */
}

static void test_set_headers_overwrite(void **state)
{
    const struct dp_kv before = {"X-Before", "path"};
    const struct dp_kv after[] = {{"X-After", "split"},
                                  {"Knative-Serving-Revision", "r1"},
                                  {"Knative-Serving-Namespace", "ns"}};
    const struct dp_split s = {.ns = "ns",
                               .service = "r1",
                               .port = 80,
                               .percent = 100,
                               .set_headers = after,
                               .n_set_headers = 3};
    const struct dp_path p = {.prefix = "",
                              .set_headers = &before,
                              .n_set_headers = 1,
                              .splits = &s,
                              .n_splits = 1,
                              .rewrite_host = "new.example"};

    one_rule("k", "h", DP_EXTERNAL, false, &p, 1);
    arrives_at(0, EXTERNAL,
               "GET / HTTP/1.1\r\nHost: h\r\nx-before: bogus\r\nX-AFTER: bogus\r\n\r\n");
    assert_true(has("\r\nX-Before: path\r\n") && has("\r\nX-After: split\r\n"));
    assert_false(has("bogus") || has("Knative-Serving"));
    assert_true(has("\r\nHost: new.example\r\n") && has("\r\nK-Original-Host: h\r\n"));
}

static void test_first_claim_keeps_the_host(void **state)
{
    const struct dp_path p1 = {.prefix = "", .splits = &to_r1, .n_splits = 1};
    const struct dp_path p2 = {.prefix = "", .splits = &to_r2, .n_splits = 1};
    const struct dp_path p3 = {.prefix = "", .splits = &to_r3, .n_splits = 1};
    static const char rq[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

    one_rule("first", "h", DP_EXTERNAL, false, &p1, 1);
    one_rule("second", "h", DP_EXTERNAL, false, &p2, 1);
    arrives_at(0, EXTERNAL, rq);
    one_rule("first", "h", DP_EXTERNAL, false, &p3, 1); /* an update keeps the place */
    arrives_at(2, EXTERNAL, rq);
    rig_remove("first");
    arrives_at(1, EXTERNAL, rq);
    one_rule("second", "other", DP_EXTERNAL, false, &p2, 1);
    answered(EXTERNAL, rq, "HTTP/1.1 404 ");
    arrives_at(1, EXTERNAL, "GET / HTTP/1.1\r\nHost: other\r\n\r\n");
}

static void test_probes(void **state)
{
    const struct dp_path p = {.prefix = "/only", .splits = &to_r1, .n_splits = 1};

    one_rule("the-hash", "h", DP_EXTERNAL, true, &p, 1);
    answered(EXTERNAL,
             "GET /healthz HTTP/1.1\r\nHost: h\r\nK-Network-Probe: probe\r\n"
             "K-Network-Hash: override\r\n\r\n",
             "K-Network-Hash: the-hash\r\n");
    answered(EXTERNAL,
             "GET /healthz HTTP/1.1\r\nHost: h\r\nK-Network-Probe: probe\r\n"
             "K-Network-Hash: mine\r\n\r\n",
             "K-Network-Hash: mine\r\n");
    answered(EXTERNAL, "GET /healthz HTTP/1.1\r\nHost: x\r\nK-Network-Probe: probe\r\n\r\n",
             "HTTP/1.1 404 ");
    arrives_at(0, LOCAL,
               "GET /only HTTP/1.1\r\nHost: h\r\nK-Network-Probe: other\r\n"
               "K-Network-Hash: x\r\n\r\n");
    assert_true(has("K-Network-Probe: other") && !has("K-Network-Hash"));
}

static void test_redirect(void **state)
{
    const struct dp_path p = {.prefix = "", .splits = &to_r1, .n_splits = 1};

    one_rule("k", "h", DP_EXTERNAL, true, &p, 1);
    answered(EXTERNAL, "GET /a?b HTTP/1.1\r\nHost: h:80\r\n\r\n", "Location: https://h/a?b\r\n");
    assert_true(has("HTTP/1.1 301 "));
    arrives_at(0, LOCAL, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

static void test_any_host(void **state)
{
    const struct dp_path p = {.prefix = "", .splits = &to_r1, .n_splits = 1};
    const struct dp_rule rule = {.paths = &p, .n_paths = 1};
    const struct dp_ingress in = {.key = "any", .rules = &rule, .n_rules = 1};

    rig_ingress(&in);
    arrives_at(0, EXTERNAL, "GET / HTTP/1.1\r\nHost: whatever\r\n\r\n");
}

static void test_port_in_use(void **state)
{
    const struct dp_listen listen = {"127.0.0.1", dataplane_port(dp, 0), DP_EXTERNAL, false};
    const struct dp_opts o = {.listen = &listen, .n_listen = 1, .workers = 1};
    struct err e;

    assert_null(dataplane_start(&o, &e));
    assert_non_null(strstr(e.msg, "already in use"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_hosts),
        T(test_visibility),
        T(test_paths_and_headers),
        T(test_splits),
        T(test_set_headers_overwrite),
        T(test_first_claim_keeps_the_host),
        T(test_probes),
        T(test_redirect),
        T(test_any_host),
        T(test_port_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
