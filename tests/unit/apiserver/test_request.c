/* Paths, queries, Accept fields, Status texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/request/path.h"
#include "cluster/apiserver/request/query.h"

static void test_paths(void **state)
{
    static const struct {
        const char *path;
        enum path_kind kind;
        const char *group, *version, *ns, *plural, *name, *sub;
    } rows[] = {
        {"/", PATH_ROOT, "", "", "", "", "", ""},
        {"/version", PATH_VERSION, "", "", "", "", "", ""},
        {"/healthz", PATH_HEALTH, "", "", "", "", "", ""},
        {"/readyz/etcd", PATH_HEALTH, "", "", "", "", "", ""},
        {"/api", PATH_API, "", "", "", "", "", ""},
        {"/apis/", PATH_APIS, "", "", "", "", "", ""},
        {"/apis/apps", PATH_GROUP, "apps", "", "", "", "", ""},
        {"/api/v1", PATH_RESOURCES, "", "v1", "", "", "", ""},
        {"/apis/apps/v1", PATH_RESOURCES, "apps", "v1", "", "", "", ""},
        {"/openapi/v2", PATH_OPENAPI2, "", "", "", "", "", ""},
        {"/openapi/v3", PATH_OPENAPI3, "", "", "", "", "", ""},
        {"/openapi/v3/api/v1", PATH_OPENAPI3_GV, "", "v1", "", "", "", ""},
        {"/openapi/v3/apis/apps/v1", PATH_OPENAPI3_GV, "apps", "v1", "", "", "", ""},
        {"/api/v1/pods", PATH_OBJECTS, "", "v1", "", "pods", "", ""},
        {"/api/v1/nodes/n", PATH_OBJECTS, "", "v1", "", "nodes", "n", ""},
        {"/api/v1/nodes/n/status", PATH_OBJECTS, "", "v1", "", "nodes", "n", "status"},
        {"/api/v1/namespaces", PATH_OBJECTS, "", "v1", "", "namespaces", "", ""},
        {"/api/v1/namespaces/x", PATH_OBJECTS, "", "v1", "", "namespaces", "x", ""},
        {"/api/v1/namespaces/x/status", PATH_OBJECTS, "", "v1", "", "namespaces", "x", "status"},
        {"/api/v1/namespaces/x/finalize", PATH_OBJECTS, "", "v1", "", "namespaces", "x",
         "finalize"},
        {"/api/v1/namespaces/x/pods", PATH_OBJECTS, "", "v1", "x", "pods", "", ""},
        {"/api/v1/namespaces/x/pods/p/log", PATH_OBJECTS, "", "v1", "x", "pods", "p", "log"},
        {"/apis/apps/v1/namespaces/x/deployments/d/scale", PATH_OBJECTS, "apps", "v1", "x",
         "deployments", "d", "scale"},
        {"/apis/g/v1/things/a%2eb", PATH_OBJECTS, "g", "v1", "", "things", "a.b", ""},
        {"/apis/g/v1/watch/things/a", PATH_OBJECTS, "g", "v1", "", "things", "a", ""},
        {"/api/v1/namespaces/x/pods/p/log/more", PATH_NONE, "", "v1", "x", "", "", ""},
        {"/apis/g/v1/things/a%2Fb", PATH_NONE, "", "", "", "", "", ""},
        {"/apis/g/v1/things/%00", PATH_NONE, "", "", "", "", "", ""},
        {"/apis/g/v1/things/..", PATH_NONE, "", "", "", "", "", ""},
        {"/apis/g/v1/things/%ff", PATH_NONE, "", "", "", "", "", ""},
        {"/metrics", PATH_NONE, "", "", "", "", "", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct api_path p;

        api_path_parse(str_of(rows[i].path), &p);
        if (p.kind != rows[i].kind)
            fail_msg("%s: kind %d", rows[i].path, (int)p.kind);
        if (p.kind == PATH_NONE)
            continue;
        assert_string_equal(p.group, rows[i].group);
        assert_string_equal(p.version, rows[i].version);
        assert_string_equal(p.ns, rows[i].ns);
        assert_string_equal(p.plural, rows[i].plural);
        assert_string_equal(p.name, rows[i].name);
        assert_string_equal(p.sub, rows[i].sub);
    }
}

static void test_query(void **state)
{
    _cleanup_status_ struct api_status st = {0};
    struct api_query q;

    assert_int_equal(api_query_parse(STR("watch=1&resourceVersion=12&timeoutSeconds=5&limit=3&"
                                         "labelSelector=a%3Db&dryRun=All&fieldValidation=Strict&"
                                         "allowWatchBookmarks=true&gracePeriodSeconds=0"),
                                     &q, &st),
                     0);
    assert_true(q.watch && q.has_rv && q.dry_run && q.bookmarks && q.labels);
    assert_int_equal(q.rv, 12);
    assert_int_equal(q.limit, 3);
    assert_int_equal(q.timeout_s, 5);
    assert_int_equal(q.grace, 0);
    assert_int_equal(q.validation, VALIDATE_STRICT);
    api_query_done(&q);

    _cleanup_free_ char *token = api_continue_token(0xfedcba9876543210, "/pods/default/x");
    _cleanup_free_ char *text = xasprintf("continue=%s", token);

    assert_int_equal(api_query_parse(str_of(text), &q, &st), 0);
    assert_string_equal(q.after, "/pods/default/x");
    assert_true(q.snapshot == 0xfedcba9876543210);
    api_query_done(&q);
}

/* Whatever number a client names, nothing that is computed from it can overflow. */
static void test_query_numbers(void **state)
{
    static const struct {
        const char *query;
        int64_t limit, timeout, grace;
    } rows[] = {
        {"", 0, 0, -1},
        {"limit=-1&timeoutSeconds=-5", 0, 0, -1},
        {"limit=9223372036854775807", INT64_MAX, 0, -1},
        {"timeoutSeconds=9223372036854775807&gracePeriodSeconds=9223372036854775807", 0,
         LIMIT_API_SECONDS, LIMIT_API_SECONDS},
        {"timeoutSeconds=3600&gracePeriodSeconds=1", 0, 3600, 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        struct api_query q;

        assert_int_equal(api_query_parse(str_of(rows[i].query), &q, &st), 0);
        assert_int_equal(q.limit, rows[i].limit);
        assert_int_equal(q.timeout_s, rows[i].timeout);
        assert_int_equal(q.grace, rows[i].grace);
        api_query_done(&q);
    }
}

/* What must hold together, with the field that is named. */
static void test_query_combinations(void **state)
{
    static const struct {
        const char *query, *field; /* NULL = fine */
    } rows[] = {
        {"", NULL},
        {"resourceVersion=5&resourceVersionMatch=Exact", NULL},
        {"resourceVersion=0&resourceVersionMatch=NotOlderThan", NULL},
        {"resourceVersionMatch=NotOlderThan", "resourceVersionMatch"},
        {"resourceVersion=0&resourceVersionMatch=Exact", "resourceVersionMatch"},
        {"sendInitialEvents=true", "sendInitialEvents"},
        {"sendInitialEvents=false", "sendInitialEvents"},
        {"watch=1", NULL},
        {"watch=1&sendInitialEvents=true", "resourceVersionMatch"},
        {"watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1",
         "resourceVersionMatch"},
        {"watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", NULL},
        {"watch=1&resourceVersion=1&resourceVersionMatch=NotOlderThan", "resourceVersionMatch"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        struct api_query q;

        assert_int_equal(api_query_parse(str_of(rows[i].query), &q, &st), 0);
        assert_int_equal(api_query_check(&q, &st), rows[i].field ? -1 : 0);
        assert_int_equal(st.code, rows[i].field ? 422 : 0);
        if (rows[i].field)
            assert_string_equal(st.causes.v.p[0].path, rows[i].field);
        api_query_done(&q);
    }
}

static void test_query_refused(void **state)
{
    static const char *const rows[] = {"resourceVersion=abc",
                                       "limit=x",
                                       "gracePeriodSeconds=-1",
                                       "continue=abc",
                                       "continue=0123456789abcdef",
                                       "continue=0123456789abcdef6",
                                       "continue=0123456789abcdef00",
                                       "continue=0123456789abcdeg61",
                                       "resourceVersion=3&continue=0123456789abcdef61",
                                       "continue=zz",
                                       "labelSelector=a%20b%20c",
                                       "fieldSelector=a",
                                       "dryRun=Some",
                                       "fieldValidation=Sometimes",
                                       "resourceVersionMatch=Near",
                                       "continue=00"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        struct api_query q;

        if (api_query_parse(str_of(rows[i]), &q, &st) == 0)
            fail_msg("%s was accepted", rows[i]);
        assert_int_equal(st.code, 400);
        api_query_done(&q);
    }
}

static void test_accept(void **state)
{
    static const struct {
        const char *accept;
        enum accept_form form;
        bool v1beta1;
    } rows[] = {
        {"", FORM_JSON, false},
        {"*/*", FORM_JSON, false},
        {"application/json", FORM_JSON, false},
        {"application/vnd.kubernetes.protobuf,application/json", FORM_JSON, false},
        {"application/yaml", FORM_YAML, false},
        {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", FORM_TABLE, false},
        {"application/json; as=Table; v=v1beta1; g=meta.k8s.io", FORM_TABLE, true},
        {"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", FORM_PARTIAL, false},
        {"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
         FORM_AGGREGATED_DISCOVERY, false},
        {"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/"
         "json",
         FORM_JSON, false},
        {"text/html, */*;q=0.1", FORM_JSON, false},
        {"application/vnd.kubernetes.protobuf", FORM_JSON, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        struct api_accept a;

        assert_int_equal(api_accept_parse(str_of(rows[i].accept), &a, &st), 0);
        assert_int_equal(a.form, rows[i].form);
        assert_int_equal(a.v1beta1, rows[i].v1beta1);
    }
}

static void test_accept_refused(void **state)
{
    static const char *const rows[] = {"text/html", "application/cbor", "image/*, text/plain",
                                       "application/json;as=Pie;v=v1;g=x"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        struct api_accept a;

        assert_int_equal(api_accept_parse(str_of(rows[i]), &a, &st), -1);
        assert_int_equal(st.code, 406);
    }
}

static void test_status(void **state)
{
    static const struct kube_resource r = {"g.example.com", "v1", "things", "Thing", true};
    _cleanup_status_ struct api_status st = {0};
    _cleanup_errors_ struct field_errors errs = {0};
    _cleanup_buf_ struct buf b = BUF_INIT(65536);

    assert_int_equal(api_fail_not_found(&st, &r, "x"), -1);
    api_status_json(&st, &b);
    assert_string_equal(
        buf_z(&b),
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
        "\"Failure\",\"message\":\"things.g.example.com \\\"x\\\" not found\",\"reason\":"
        "\"NotFound\",\"details\":{\"name\":\"x\",\"group\":\"g.example.com\",\"kind\":"
        "\"things\"},\"code\":404}\n");
    field_required(&errs, "spec.a", NULL);
    field_invalid_str(&errs, "spec.b", "q\"", "why %d", 1);
    api_fail_invalid(&st, &r, "x", &errs);
    assert_string_equal(st.message,
                        "Thing.g.example.com \"x\" is invalid: [spec.a: Required value, "
                        "spec.b: Invalid value: \"q\\\"\": why 1]");
}

static void test_utf8(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80", "\xc0\x80",         "\xc3",     "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf5", "\xf4\x90\x80\x80", "\xe2\x82", "\xc3\x28"};
    _cleanup_buf_ struct buf b = BUF_INIT(100);

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    json_quote(&b, "a\xff\n");
    assert_string_equal(buf_z(&b), "\"a?\\n\"");
}

static void test_error_bound(void **state)
{
    _cleanup_errors_ struct field_errors errs = {0};

    for (int i = 0; i < 1000; i++)
        field_required(&errs, "a", "b");
    assert_int_equal(errs.v.n, 100);
    assert_int_equal(errs.dropped, 900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),          cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_numbers),  cmocka_unit_test(test_query_combinations),
        cmocka_unit_test(test_query_refused),  cmocka_unit_test(test_accept),
        cmocka_unit_test(test_accept_refused), cmocka_unit_test(test_status),
        cmocka_unit_test(test_error_bound),    cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
