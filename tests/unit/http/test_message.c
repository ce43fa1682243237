/* Header sets, escapes and queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "http/message.h"

static void test_headers(void **state)
{
    struct http_headers hs = {.n = 0};

    http_add(&hs, STR("Accept"), STR("a"));
    http_add(&hs, STR("accept"), STR("b"));
    http_add(&hs, STR("Other"), STR("x, Close ,y"));
    assert_true(str_eq(http_get(&hs, "ACCEPT"), STR("a")));
    assert_int_equal(http_count(&hs, "Accept"), 2);
    assert_null(http_get(&hs, "absent").p);
    assert_true(http_has_token(&hs, "other", "close"));
    assert_false(http_has_token(&hs, "other", "clos"));
    http_replace(&hs, STR("Accept"), STR("c"));
    assert_int_equal(http_count(&hs, "Accept"), 1);
    http_remove(&hs, "other");
    assert_int_equal(hs.n, 1);
    while (hs.n < LIMIT_HTTP_HEADERS)
        assert_int_equal(http_add(&hs, STR("n"), STR("v")), 0);
    assert_true(http_add(&hs, STR("n"), STR("v")) < 0);
}

static void check_unescape(const char *in, bool plus, const char *want)
{
    _cleanup_free_ char *s = xstrdup(in);
    size_t n = strlen(in);

    assert_int_equal(http_unescape(s, &n, plus), want != NULL);
    if (want) {
        assert_int_equal(n, strlen(want));
        assert_memory_equal(s, want, n);
    }
}

static void test_unescape(void **state)
{
    check_unescape("a%20b%2f", false, "a b/");
    check_unescape("a+b", false, "a+b");
    check_unescape("a+b", true, "a b");
    check_unescape("%4", false, NULL);
    check_unescape("%", false, NULL);
    check_unescape("%zz", false, NULL);
    check_unescape("a%00", false, NULL);
    check_unescape("", false, "");
}

static void test_query(void **state)
{
    static const struct {
        const char *query, *name, *want;
    } cases[] = {
        {"a=1&b=2", "b", "2"},     {"a=1&b=2", "c", NULL}, {"watch", "watch", ""},
        {"a=%2Fx+y", "a", "/x y"}, {"%61=z", "a", "z"},    {"a=%00&a=ok", "a", "ok"},
        {"aa=1&a=2", "a", "2"},    {"", "a", NULL},        {"sel=app%3Dweb", "sel", "app=web"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = http_query_get(str_of(cases[i].query), cases[i].name);
        if (cases[i].want)
            assert_string_equal(got, cases[i].want);
        else
            assert_null(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
