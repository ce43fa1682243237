/* Reading, comparing and building documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/buf.h"
#include "base/limits.h"
#include "json/json.h"

static yyjson_doc *doc(const char *text)
{
    struct err e = {0};
    yyjson_doc *d = json_parse(text, strlen(text), &e);

    if (!d)
        fail_msg("%s in %s", e.msg, text);
    return d;
}

static void refuses(void **state)
{
    static const char *const t[][2] = {
        {"", "line 1"},           {"{", "line 1"},
        {"{\"a\":1,}", "line 1"}, {"{\n\"a\":x}", "line 2 column 5"},
        {"[1] 2", "line 1"},      {"\"\\ud800\"", "line 1"},
        {"[01]", "line 1"},       {"[NaN]", "line 1"},
        {"\"a\nb\"", "line 1"},   {"// c\n1", "line 1"},
        {"\"\xff\"", "line 1"},   {"]", "line 1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct err e = {0};
        assert_null(json_parse(t[i][0], strlen(t[i][0]), &e));
        assert_int_equal(e.code, -EINVAL);
        if (!strstr(e.msg, t[i][1]))
            fail_msg("\"%s\" does not mention %s", e.msg, t[i][1]);
    }
}

static void depth_is_bounded(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(10000);
    struct err e = {0};

    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        buf_addc(&b, '[');
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
        buf_addc(&b, ']');
    yyjson_doc *d = json_parse(b.p, b.n, &e);
    assert_non_null(d);
    yyjson_doc_free(d);
    _cleanup_free_ char *deeper = xasprintf("[%s]", b.p);
    assert_null(json_parse(deeper, strlen(deeper), &e));
    assert_non_null(strstr(e.msg, "deeper"));
    /* Brackets inside strings do not count. */
    buf_clear(&b);
    buf_addz(&b, "\"\\\"");
    for (int i = 0; i < LIMIT_JSON_DEPTH * 2; i++)
        buf_addc(&b, '{');
    buf_addc(&b, '"');
    d = json_parse(b.p, b.n, &e);
    assert_non_null(d);
    yyjson_doc_free(d);
}

static void reading(void **state)
{
    _cleanup_jdoc_ yyjson_doc *d = doc(
        "{\"a\":{\"b.c/"
        "d\":{\"s\":\"x\",\"i\":-5,\"t\":true,\"r\":2.0,\"u\":18446744073709551615}},\"l\":[1]}");

    assert_string_equal(jget_str(d->root, "a", "b.c/d", "s"), "x");
    assert_null(jget_str(d->root, "a", "b.c/d", "i"));
    assert_null(jget_str(d->root, "a", "nope", "s"));
    assert_null(jget_str(d->root, "l", "0"));
    assert_null(jget(NULL, "a"));
    assert_int_equal(jget_int(d->root, 7, "a", "b.c/d", "i"), -5);
    assert_int_equal(jget_int(d->root, 7, "a", "b.c/d", "r"), 2);
    assert_int_equal(jget_int(d->root, 7, "a", "b.c/d", "s"), 7);
    assert_true(jget_bool(d->root, false, "a", "b.c/d", "t"));
    assert_true(jget_bool(d->root, true, "zzz"));
}

static void comparing(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } t[] = {
        {"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,2]", false},
        {"1", "1.0", true},
        {"1", "\"1\"", false},
        {"-1", "18446744073709551615", false},
        {"9007199254740993", "9007199254740992", false},
        {"18446744073709551615", "18446744073709551615", true},
        {"\"a\\u0000b\"", "\"a\\u0000c\"", false},
        {"null", "null", true},
        {"null", "false", false},
        {"true", "false", false},
        {"{}", "[]", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *a = doc(t[i].a), *b = doc(t[i].b);
        if (json_equal(a->root, b->root) != t[i].equal ||
            json_equal(b->root, a->root) != t[i].equal)
            fail_msg("%s and %s", t[i].a, t[i].b);
    }
    assert_true(json_equal(NULL, NULL));
    _cleanup_jdoc_ yyjson_doc *n = doc("null");
    assert_false(json_equal(n->root, NULL));
}

static void built_numbers_compare_by_value(void **state)
{
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *o = yyjson_mut_obj(m);
    yyjson_mut_doc_set_root(m, o);
    jm_set_int(m, o, 5, "n");
    jm_set_int(m, o, 9007199254740993, "big");
    _cleanup_jdoc_ yyjson_doc *built = yyjson_mut_doc_imut_copy(m, NULL);
    _cleanup_jdoc_ yyjson_doc *same = doc("{\"n\":5,\"big\":9007199254740993}");
    _cleanup_jdoc_ yyjson_doc *other = doc("{\"n\":5,\"big\":9007199254740992}");

    assert_true(json_equal(built->root, same->root));
    assert_false(json_equal(built->root, other->root));
}

static void building(void **state)
{
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *o = yyjson_mut_obj(m);
    _cleanup_jdoc_ yyjson_doc *other = doc("{\"x\":[1,{\"y\":2}]}");

    yyjson_mut_doc_set_root(m, o);
    jm_set_str(m, o, "v", "a", "b", "c");
    jm_set_int(m, o, -3, "a", "n");
    jm_set_bool(m, o, true, "t");
    jm_set_copy(m, o, other->root, "copy");
    jm_set_str(m, o, "w", "a", "b", "c");
    jm_set_str(m, o, "gone", "z");
    jm_set_str(m, o, NULL, "z");
    jm_set_copy(m, o, NULL, "copy", "x");
    jm_del(o, "no", "such", "path");
    jm_add_str(m, jm_arr(m, o, "l"), "one");
    jm_set_int(m, jm_add_obj(m, jm_arr(m, o, "l")), 1, "k");
    jm_obj(m, o, "t", "made");
    _cleanup_free_ char *text = json_mut_text(o, NULL);
    assert_string_equal(text,
                        "{\"a\":{\"b\":{\"c\":\"w\"},\"n\":-3},\"t\":{\"made\":{}},\"copy\":{},"
                        "\"l\":[\"one\",{\"k\":1}]}");
    assert_string_equal(jm_get_str(o, "a", "b", "c"), "w");
    assert_int_equal(jm_get_int(o, 0, "a", "n"), -3);
    assert_true(jm_get_bool(o, true, "missing"));
    assert_null(jm_get(o, "l", "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),  cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(reading),  cmocka_unit_test(comparing),
        cmocka_unit_test(building), cmocka_unit_test(built_numbers_compare_by_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
