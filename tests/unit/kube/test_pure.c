/* Objects, names, quantities, selectors, cache and work queue: everything of the SDK without I/O.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/vec.h"
#include "kube/cache.h"
#include "kube/names.h"
#include "kube/selector.h"
#include "kube/workqueue.h"

static const struct kobj *parse(const char *text)
{
    struct err e = {0};
    const struct kobj *o = kobj_parse(text, strlen(text), &e);

    if (!o)
        fail_msg("%s", e.msg);
    return o;
}

#define POD(name, uid, rv, extra)                                                                  \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name                       \
    "\",\"namespace\":\"ns\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"" extra "}}"

static void test_object_reads(void **state)
{
    _cleanup_kobj_ const struct kobj *o = parse(
        "{\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"uid\":\"u\","
        "\"resourceVersion\":\"42\",\"generation\":3,\"labels\":{\"x/y\":\"z\"},"
        "\"managedFields\":[{\"manager\":\"m\",\"fieldsV1\":{\"f:a\":{\"f:b\":{}}}}],"
        "\"ownerReferences\":[{\"uid\":\"o1\"},{\"uid\":\"o2\",\"controller\":true}],"
        "\"annotations\":{}},\"spec\":{\"n\":[1,-2,3.5,true,null,\"s\\n\\u00e9\",{\"k\":{}}]},"
        "\"status\":{\"observedGeneration\":3,\"conditions\":[{\"type\":\"Other\",\"status\":"
        "\"False\"},{\"type\":\"Ready\",\"status\":\"True\"}]}}");
    assert_string_equal(kobj_name(o), "a");
    assert_string_equal(kobj_namespace(o), "b");
    assert_string_equal(kobj_uid(o), "u");
    assert_string_equal(kobj_kind(o), "Thing");
    assert_int_equal(kobj_rv(o), 42);
    assert_int_equal(kobj_generation(o), 3);
    assert_string_equal(kobj_label(o, "x/y"), "z");
    assert_null(kobj_label(o, "nope"));
    assert_null(kobj_annotation(o, "nope"));
    assert_string_equal(jget_str(kobj_controller(o), "uid"), "o2");
    assert_true(kobj_is_ready(o));
    assert_false(kobj_is_failed(o));
    assert_true(kobj_condition_is(o, "Other", "False"));
    assert_null(jget(kobj_root(o), "metadata", "managedFields"));
    _cleanup_free_ char *spec = json_text(jget(kobj_root(o), "spec"), NULL);
    assert_string_equal(spec, "{\"n\":[1,-2,3.5,true,null,\"s\\n\xc3\xa9\",{\"k\":{}}]}");
    /* what stands behind a dropped member is still there */
    assert_non_null(jget(kobj_root(o), "metadata", "annotations"));
}

static void test_object_refused(void **state)
{
    struct err e = {0};

    assert_null(kobj_parse("[]", 2, &e));
    assert_null(kobj_parse("{}", 2, &e));
    assert_non_null(strstr(e.msg, "metadata.name"));
    assert_null(kobj_parse("{", 1, &e));
}

static void test_sharing(void **state)
{
    struct kobj *a = kobj_share((struct kobj *)(uintptr_t)parse(POD("p", "u-share", "7", "")));
    struct kobj *b = kobj_share((struct kobj *)(uintptr_t)parse(POD("p", "u-share", "7", "")));
    struct kobj *newer = kobj_share((struct kobj *)(uintptr_t)parse(POD("p", "u-share", "8", "")));

    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, newer);
    kobj_unref(a);
    assert_string_equal(kobj_name(b), "p");
    kobj_unref(b);
    b = kobj_share((struct kobj *)(uintptr_t)parse(POD("p", "u-share", "7", "")));
    assert_int_equal(kobj_rv(b), 7);
    kobj_unref(b);
    kobj_unref(newer);
}

static const struct kobj *shared(const char *api, const char *value)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"%s\",\"kind\":\"W\",\"metadata\":{\"name\":\"w\",\"uid\":\"u-same\","
        "\"resourceVersion\":\"7\"},\"spec\":{\"a\":%s}}",
        api, value);

    return kobj_share((struct kobj *)(uintptr_t)parse(text));
}

/* The same uid and version are no proof: definitions have versions, and a server restored from a
 * copy goes on with the uids and the numbers of the other. */
static void test_only_equal_objects_are_shared(void **state)
{
    static const struct {
        const char *api, *value;
        bool same;
    } rows[] = {
        {"x.dev/v1", "\"a\"", true},    {"x.dev/v2", "\"a\"", false},
        {"x.dev/v1", "\"b\"", false},   {"x.dev/v1", "1", false},
        {"x.dev/v1", "true", false},    {"x.dev/v1", "null", false},
        {"x.dev/v1", "[\"a\"]", false}, {"x.dev/v1", "{\"a\":1}", false},
    };
    const struct kobj *first = shared("x.dev/v1", "\"a\"");

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_kobj_ const struct kobj *o = shared(rows[i].api, rows[i].value),
                                         *again = shared(rows[i].api, rows[i].value);
        assert_int_equal(o == first, rows[i].same);
        assert_ptr_equal(o, again);
        assert_string_equal(jget_str(kobj_root(o), "apiVersion"), rows[i].api);
    }
    kobj_unref(first);
}

static void test_free_names_fill_no_table(void **state)
{
    size_t before = kobj_names_known();

    for (int i = 0; i < 10000; i++) {
        _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"name\":\"n\",\"labels\":{\"l%d\":"
                                              "\"v\"},\"annotations\":{\"a%d\":\"v\"}},"
                                              "\"data\":{\"d%d\":\"v\"}}",
                                              i, i, i);
        char name[16];
        _cleanup_kobj_ const struct kobj *o = parse(text);
        snprintf(name, sizeof(name), "l%d", i);
        assert_string_equal(kobj_label(o, name), "v");
    }
    assert_true(kobj_names_known() - before < 10);
}

static void *share_often(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        const struct kobj *a =
            kobj_share((struct kobj *)(uintptr_t)parse(POD("p", "u-race", "7", "")));
        const struct kobj *b = kobj_ref(a);
        kobj_unref(a);
        kobj_unref(b);
    }
    return arg;
}

static void test_sharing_between_threads(void **state)
{
    pthread_t t[3];

    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, share_often, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        pthread_join(t[i], NULL);
}

static void test_mutable(void **state)
{
    _cleanup_(kmut_freep) struct kmut *m = kmut_new(&KR_DEPLOYMENT, "ns", "d");
    _cleanup_kobj_ const struct kobj *owner = parse(POD("p", "u1", "1", ""));

    kmut_label(m, "a", "b");
    kmut_label(m, "gone", "x");
    kmut_label(m, "gone", NULL);
    kmut_set_controller(m, owner);
    jm_set_int(KM(m), 3, "spec", "replicas");
    _cleanup_kobj_ const struct kobj *o = kmut_freeze(m);
    _cleanup_free_ char *text = json_text(kobj_root(o), NULL);
    assert_string_equal(text,
                        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{"
                        "\"name\":\"d\",\"namespace\":\"ns\",\"labels\":{\"a\":\"b\"},"
                        "\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":"
                        "\"p\",\"uid\":\"u1\",\"controller\":true,\"blockOwnerDeletion\":true}]},"
                        "\"spec\":{\"replicas\":3}}");
    assert_true(kobj_controlled_by(o, owner));
    char ns[254];
    const char *name;
    kube_key_split("a/b", ns, &name);
    assert_string_equal(ns, "a");
    assert_string_equal(name, "b");
    kube_key_split("b", ns, &name);
    assert_string_equal(ns, "");
    assert_string_equal(name, "b");
}

static void test_child_name(void **state)
{
    char got[NAME_MAX_LABEL + 1], f63[64];

    memset(f63, 'f', 63);
    f63[63] = '\0';
    child_name("abc", "-private", got);
    assert_string_equal(got, "abc-private");
    child_name(f63, "", got);
    assert_string_equal(got, f63);
    child_name(f63, "-private", got);
    assert_string_equal(got, "fffffffffffffffffffffff105d7597f637e83cc711605ac3ea4957-private");
    child_name(f63, "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", got);
    assert_int_equal(strlen(got),
                     31 + 32); /* the suffix's "-" had to go: no room is left after the digest */
    assert_int_equal(strncmp(got, f63, 31), 0);
}

static void test_grammars(void **state)
{
    assert_true(is_dns1123_label("a-1"));
    assert_true(is_dns1123_label("1a"));
    assert_false(is_dns1123_label("-a"));
    assert_false(is_dns1123_label("A"));
    assert_false(is_dns1123_label(""));
    assert_true(is_dns1035_label("a-1"));
    assert_false(is_dns1035_label("1a"));
    assert_string_equal(
        why_not_dns1035_label("A"),
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
        "start with an alphabetic character, and end with an alphanumeric character "
        "(e.g. 'my-name',  or 'abc-123', regex used for validation is "
        "'[a-z]([-a-z0-9]*[a-z0-9])?')");
    assert_true(is_dns1123_subdomain("a.b-c.d"));
    assert_false(is_dns1123_subdomain("a..b"));
    assert_true(is_qualified_name("example.com/My_Name.1"));
    assert_true(is_qualified_name("x"));
    assert_string_equal(why_not_qualified_name("/x"), "prefix part must be non-empty");
    assert_string_equal(why_not_qualified_name("a.b/"), "name part must be non-empty");
    assert_false(is_qualified_name("a/b/c"));
    assert_true(is_label_value(""));
    assert_true(is_label_value("a_b"));
    assert_false(is_label_value("a b"));
    char long_name[80];
    memset(long_name, 'a', 64);
    long_name[64] = '\0';
    assert_string_equal(why_not_dns1123_label(long_name), "must be no more than 63 characters");
}

static void test_quantities(void **state)
{
    static const struct {
        const char *text;
        int64_t milli, whole;
    } ok[] = {{"100m", 100, 1},
              {"0", 0, 0},
              {"1", 1000, 1},
              {"1.5Gi", 1610612736000, 1610612736},
              {"2e3", 2000000, 2000},
              {"2E", INT64_MAX, 2000000000000000000},
              {"1.0001", 1001, 2},
              {"500n", 1, 1},
              {".5", 500, 1},
              {"-1", -1000, -1},
              {"1e400", INT64_MAX, INT64_MAX},
              {"128Mi", 134217728000, 134217728},
              {"0.1k", 100000, 100},
              {"1e-3", 1, 1}};
    static const char *const bad[] = {"", "m", "1x", "1 Gi", "1e", "--1", "1.2.3", "1e1.5", "Ki"};
    int64_t v;

    for (size_t i = 0; i < ARRAY_LEN(ok); i++) {
        assert_int_equal(quantity_parse_milli(ok[i].text, &v, NULL), 0);
        assert_int_equal(v, ok[i].milli);
        assert_int_equal(quantity_parse(ok[i].text, &v, NULL), 0);
        assert_int_equal(v, ok[i].whole);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(quantity_parse(bad[i], &v, NULL) < 0);
}

static void test_label_selectors(void **state)
{
    static const struct {
        const char *text;
        bool matches;
    } cases[] = {{"", true},
                 {"a=1", true},
                 {"a==1", true},
                 {"a=2", false},
                 {"a!=2", true},
                 {"zz!=2", true},
                 {"a", true},
                 {"zz", false},
                 {"!zz", true},
                 {"!a", false},
                 {"a in (1,2)", true},
                 {"a in (2, 3)", false},
                 {"a notin (2)", true},
                 {"zz notin (2)", true},
                 {"a=1,b=x", true},
                 {" a = 1 , b = y ", false},
                 {"a>0", true},
                 {"a<1", false},
                 {"e=", true}};
    static const char *const bad[] = {"a=1,",    "a b",   "=1",    "a in 1",
                                      "a in (1", "a=b=c", "a b c", "(a)"};
    struct err e = {0};
    _cleanup_jdoc_ yyjson_doc *labels = json_parse("{\"a\":\"1\",\"b\":\"x\",\"e\":\"\"}", 24, &e);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(selector_freep) struct selector *s = selector_parse(cases[i].text, &e);
        if (!s)
            fail_msg("%s: %s", cases[i].text, e.msg);
        if (selector_matches(s, yyjson_doc_get_root(labels)) != cases[i].matches)
            fail_msg("%s", cases[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null(selector_parse(bad[i], &e));

    const char *object = "{\"matchLabels\":{\"a\":\"1\"},\"matchExpressions\":[{\"key\":\"b\","
                         "\"operator\":\"NotIn\",\"values\":[\"y\"]}]}";
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object, strlen(object), &e);
    _cleanup_(selector_freep) struct selector *s = selector_from_object(yyjson_doc_get_root(d), &e);
    assert_non_null(s);
    assert_true(selector_matches(s, yyjson_doc_get_root(labels)));
    assert_false(selector_matches(s, NULL));
}

static void test_field_selectors(void **state)
{
    _cleanup_kobj_ const struct kobj *o = parse(POD("p", "u1", "1", ",\"n\":3"));
    static const struct {
        const char *text;
        bool matches;
    } cases[] = {{"metadata.name=p", true},       {"metadata.name==p,metadata.n=3", true},
                 {"metadata.name!=p", false},     {"status.phase=", true},
                 {"status.phase!=Running", true}, {"metadata.name=a\\,b", false}};
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(field_selector_freep) struct field_selector *s =
            field_selector_parse(cases[i].text, &e);
        assert_non_null(s);
        assert_int_equal(field_selector_matches(s, kobj_root(o)), cases[i].matches);
    }
    assert_null(field_selector_parse("metadata.name", &e));
}

static void put(struct cache *c, const char *text, enum cache_change want)
{
    _cleanup_kobj_ const struct kobj *o = parse(text);

    assert_int_equal(cache_put(c, o), want);
}

static void by_label(const struct kobj *o, void (*emit)(void *to, const char *key), void *to)
{
    if (kobj_label(o, "l"))
        emit(to, kobj_label(o, "l"));
}

static size_t count_by(const struct cache *c, const char *index, const char *key)
{
    kobj_vec v = {0};

    cache_list_by(c, index, key, &v);
    size_t n = v.n;
    vec_done(&v);
    return n;
}

#define L(value) ",\"labels\":{\"l\":\"" value "\"}"

static void test_cache(void **state)
{
    struct cache *c = cache_new(&KR_POD);

    cache_add_index(c, "l", by_label);
    put(c, POD("a", "u1", "5", L("x")), CACHE_ADDED);
    put(c, POD("b", "u2", "6", L("x")), CACHE_ADDED);
    assert_int_equal(count_by(c, "l", "x"), 2);
    put(c, POD("a", "u1", "4", L("old")), CACHE_NONE);
    put(c, POD("a", "u1", "5", L("same")), CACHE_NONE);
    put(c, POD("a", "u1", "7", L("y")), CACHE_UPDATED);
    assert_int_equal(count_by(c, "l", "x"), 1);
    assert_int_equal(count_by(c, "l", "y"), 1);
    assert_int_equal(count_by(c, "namespace", "ns"), 2);

    assert_int_equal(cache_remove(c, "ns", "a", "u1", 9), CACHE_REMOVED);
    assert_null(cache_get(c, "ns", "a"));
    assert_int_equal(count_by(c, "l", "y"), 0);
    put(c, POD("a", "u1", "8", L("late")), CACHE_NONE);  /* an old answer after the deletion */
    put(c, POD("a", "u3", "10", L("new")), CACHE_ADDED); /* a successor of that name */
    assert_int_equal(cache_remove(c, "ns", "a", "u1", 9), CACHE_NONE);
    assert_non_null(cache_get(c, "ns", "a"));
    assert_int_equal(cache_remove(c, "ns", "never", "u9", 12), CACHE_NONE);
    put(c, POD("never", "u9", "11", ""), CACHE_NONE); /* the deletion came first */
    assert_int_equal(cache_len(c), 2);
    cache_free(c);
}

static void test_queue_dedupes_and_loses_nothing(void **state)
{
    struct workqueue *q = wq_new(0, 0);

    wq_add(q, "a");
    wq_add(q, "b");
    wq_add(q, "a");
    assert_int_equal(wq_len(q), 2);
    char *k = wq_get(q, 0);
    assert_string_equal(k, "a");
    wq_add(q, "a"); /* while it is worked on */
    wq_add(q, "a");
    assert_int_equal(wq_len(q), 1);
    wq_done(q, "a");
    assert_int_equal(wq_len(q), 2);
    free(k);
    k = wq_get(q, 0);
    assert_string_equal(k, "b");
    wq_done(q, k);
    free(k);
    k = wq_get(q, 0);
    assert_string_equal(k, "a");
    wq_done(q, k);
    free(k);
    assert_null(wq_get(q, 0));
    assert_true(wq_next_due(q) == INT64_MAX);
    wq_free(q);
}

static void test_queue_delays(void **state)
{
    struct workqueue *q = wq_new(5 * NS_PER_MS, 1000 * NS_PER_SEC);

    wq_add_after(q, "a", 0, 100);
    wq_add_after(q, "a", 0, 50);
    wq_add_after(q, "a", 0, 70);
    assert_int_equal(wq_next_due(q), 50);
    assert_null(wq_get(q, 49));
    char *k = wq_get(q, 50);
    assert_string_equal(k, "a");
    wq_done(q, k);
    free(k);
    for (int i = 0; i < 3; i++) {
        wq_add_rate_limited(q, "b", 0);
        assert_int_equal(wq_next_due(q), (5 * NS_PER_MS) << i);
        k = wq_get(q, INT64_MAX - 1);
        wq_done(q, k);
        free(k);
    }
    assert_int_equal(wq_failures(q, "b"), 3);
    for (int i = 0; i < 60; i++) {
        wq_add_rate_limited(q, "b", 0);
        assert_true(wq_next_due(q) <= 1000 * NS_PER_SEC);
        k = wq_get(q, INT64_MAX - 1);
        wq_done(q, k);
        free(k);
    }
    wq_forget(q, "b");
    assert_int_equal(wq_failures(q, "b"), 0);
    wq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_reads),
        cmocka_unit_test(test_object_refused),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_only_equal_objects_are_shared),
        cmocka_unit_test(test_free_names_fill_no_table),
        cmocka_unit_test(test_sharing_between_threads),
        cmocka_unit_test(test_mutable),
        cmocka_unit_test(test_child_name),
        cmocka_unit_test(test_grammars),
        cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_label_selectors),
        cmocka_unit_test(test_field_selectors),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_queue_dedupes_and_loses_nothing),
        cmocka_unit_test(test_queue_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
