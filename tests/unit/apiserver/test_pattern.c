/* Patterns of CRDs: Go's syntax, and time that is linear whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/buf.h"
#include "cluster/apiserver/pattern/pattern.h"

#define ROOM   100000
#define BUDGET 50000000

static bool matches(const char *re, const char *text)
{
    struct err e = {0};
    size_t room = ROOM;
    struct pattern *p _cleanup_(pattern_freep) = pattern_compile(re, &room, &e);

    if (!p)
        fail_msg("%s: %s", re, e.msg);
    uint64_t budget = BUDGET;

    return pattern_search(p, str_of(text), &budget) == PATTERN_YES;
}

struct row {
    const char *re, *yes[4], *no[4];
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 4 && rows[i].yes[k]; k++)
            if (!matches(rows[i].re, rows[i].yes[k]))
                fail_msg("%s must match \"%s\"", rows[i].re, rows[i].yes[k]);
        for (size_t k = 0; k < 4 && rows[i].no[k]; k++)
            if (matches(rows[i].re, rows[i].no[k]))
                fail_msg("%s must not match \"%s\"", rows[i].re, rows[i].no[k]);
    }
}

static void test_syntax(void **state)
{
    static const struct row rows[] = {
        {"", {"", "a"}, {NULL}},
        {"b", {"b", "abc"}, {"", "ac"}},
        {"^a+$", {"a", "aaa"}, {"", "ab", "a\n"}},
        {"a*", {"", "b"}, {NULL}},
        {"^a?$", {"", "a"}, {"aa"}},
        {"^(ab|cd)+$", {"ab", "abcd"}, {"", "abc"}},
        {"^(?:ab)+$", {"abab"}, {"aba"}},
        {"^(?P<x>a)(?<y>b)$", {"ab"}, {"a"}},
        {"^\\d{2,3}$", {"12", "123"}, {"1", "1234"}},
        {"^a{2}$", {"aa"}, {"a", "aaa"}},
        {"^a{2,}$", {"aa", "aaaa"}, {"a"}},
        {"^a{0}b$", {"b"}, {"ab"}},
        {"^a{0,1}b$", {"b", "ab"}, {"aab"}},
        {"^a{,2}$", {"a{,2}"}, {"", "aa"}},
        {"^a{b$", {"a{b"}, {"a"}},
        {"^a{01}$", {"a{01}"}, {"a"}},
        {"^{$", {"{"}, {""}},
        {"^(a+?)(b*?)(c?\?)(d{1,2}?)$", {"ad", "aabcdd"}, {"a"}},
        {"^[\\w.-]+$", {"a_b.c-d"}, {"a b"}},
        {"^[^/]+$", {"ab", "\n"}, {"a/b"}},
        {"^[a\\]b]+$", {"a]b"}, {"a[b"}},
        {"^[]a]+$", {"]a"}, {"b"}},
        {"^[^]a]$", {"b"}, {"]", "a"}},
        {"^[+-]$", {"-", "+"}, {","}},
        {"^[-a]$", {"-", "a"}, {"b"}},
        {"^[0-9a-zA-Z-.]+$", {"a-b.0"}, {"a_b"}},
        {"^[a-c-e]+$", {"a-e", "b"}, {"d"}},
        {"^[\\^-]$", {"-", "^"}, {"a"}},
        {"^[[:alpha:]_]+$", {"ab_"}, {"a1"}},
        {"^[[:^digit:]]+$", {"ab"}, {"a1"}},
        {"^[\\D]+$", {"ab"}, {"1"}},
        {"^[\\s\\S]+$", {"a\n1"}, {""}},
        {"^[[]$", {"["}, {"]"}},
        {"^\\x60\\x{263a}$", {"`\xe2\x98\xba"}, {"`"}},
        {"^[\\x00-\\x7F]*$", {"abc", ""}, {"\xc3\xa4"}},
        {"^\\101\\0$", {NULL}, {"A"}},
        {"^\\Qa.b*\\E$", {"a.b*"}, {"axb"}},
        {"^\\Q(a|b\\E$", {"(a|b"}, {"a"}},
        {"^\\Qab\\E+$", {"abb"}, {"abab"}},
        {"^a\\.b\\/\\_$", {"a.b/_"}, {"axb/_"}},
        {"^\\t\\n\\r\\f\\v\\a$", {"\t\n\r\f\v\a"}, {"t"}},
        {"^\\s$", {" ", "\t"}, {"\v", "a"}},
        {"^.$", {"a", "\xe2\x98\xba"}, {"\n", "ab"}},
        {"(?s)^.$", {"\n"}, {""}},
        {"(?s)^.(?-s:.)$", {"\na"}, {"a\n"}},
        {"^(?i)aBc$", {"ABC", "abc"}, {"ab"}},
        {"(?i:a)b", {"Ab"}, {"aB"}},
        {"((?i)a)b", {"Ab"}, {"aB"}},
        {"(?i)^[a-c]$", {"B", "b"}, {"D"}},
        {"(?i)^[^a]$", {"b"}, {"A", "a"}},
        {"(?i)^\\x{e9}k$", {"\xc3\x89K", "\xc3\xa9\xe2\x84\xaa"}, {"ek"}},
        {"(?m)^b$", {"a\nb\nc", "b"}, {"ab"}},
        {"(?U)^a+$", {"aa"}, {""}},
        {"^$|^x$", {"", "x"}, {"xx"}},
        {"a|", {"b", "a"}, {NULL}},
        {"^a|b$", {"ax", "xb"}, {"xax"}},
        {"\\Aab\\z", {"ab"}, {"ab\n", "xab"}},
        {"\\bfoo\\b", {"a foo b", "foo"}, {"afoo", "foo_"}},
        {"\\Boo\\b", {"foo"}, {"oo"}},
        {"^\\pL\\p{Lu}\\P{L}\\p{^L}$", {"aB12"}, {"ab12", "aBc2"}},
        {"^[\\p{L}\\p{Z}\\p{N}_.:/=+\\-%@]*$", {"\xc3\xa4 1/%"}, {"a#"}},
        {"^\\pN}$", {"1}"}, {"1"}},
        {"^\xc3\xa4+$", {"\xc3\xa4\xc3\xa4"}, {"\xc3"}},
        {"^(a*)*$", {"", "aa"}, {"b"}},
        {"^(a|a?)+$", {"", "aa"}, {"b"}},
        {"^((a{1,10}){1,10}){1,10}$", {"a", "aaa"}, {""}},
        {"^(|a|ab)(c|bcd)$", {"abcd", "c"}, {"abd"}},
        {"^*a$", {"a", "ba"}, {"b"}},
    };

    check(rows, ARRAY_LEN(rows));
}

/* Patterns of definitions that are in use out there. */
static void test_in_use(void **state)
{
    static const struct row rows[] = {
        /* Gateway API: header names, paths, host names, durations */
        {"^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$", {"X-Foo", "a`b"}, {"a b", ""}},
        {"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$", {"/a/b", "%2F"}, {"a b", "%2"}},
        {"^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
         {"*.a.b", "a"},
         {"*", "A"}},
        {"^([0-9]{1,5}(h|m|s|ms)){1,4}$", {"1h30m", "500ms"}, {"1", "1d"}},
        {"^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$", {"a", "a-b"}, {"-a"}},
        {"^[a-zA-Z0-9\\/\\-\\._]+\\/?$", {"example.com/x"}, {"a b"}},
        /* monitoring: durations, host addresses */
        {"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)"
         "?)$",
         {"30s", "1d2h", "0"},
         {"30", "s"}},
        {"^((\\d{1,3}\\.){3}\\d{1,3}|[0-9a-zA-Z-.]+)(:[0-9]{1,5})?$",
         {"1.2.3.4:5", "a-b.c"},
         {":"}},
        {"^(https?|ftp)://[^\\s]+$", {"http://x"}, {"http:// x", "x"}},
        {"^[a-zA-Z_:][a-zA-Z0-9_:]*$", {"a:b"}, {"0a"}},
        /* networking: case does not matter */
        {"^(?i)(Drop|Accept|Return)?$", {"drop", "ACCEPT", ""}, {"x"}},
        {"^(?i)(debug|info|warn(ing)?|error|fatal)?$", {"Warning"}, {"warned"}},
        {"^([0-9]+(\\.[0-9]+)?(ms|s|m|h))*$", {"1.5s", ""}, {"x"}},
        /* quantities and images */
        {"^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+"
         "("
         "\\.[0-9]*)?)|(\\.[0-9]+))))?$",
         {"100m", "1.5Gi", "1e3", ".5"},
         {"m", "1.5Gii", ""}},
        {"^arn:(aws|aws-cn):iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$",
         {"arn:aws:iam::123456789012:role/x"},
         {"arn:aws:iam::12:role/x"}},
        {"^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$", {"", "a.b"}, {".a"}},
        {"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?$", {"QUJD", "QQ=="}, {"Q"}},
        {"^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:)$",
         {"2001:db8:0:0:0:0:0:1", "fe80::"},
         {"zz"}},
        {"^\\d{4}-(0[1-9]|1[0-2])$", {"2026-11"}, {"2026-13"}},
        {"\\S", {" a"}, {" "}},
    };

    check(rows, ARRAY_LEN(rows));
}

static void test_refused(void **state)
{
    static const struct {
        const char *re, *why;
        int code;
    } rows[] = {
        {"^(a{1,1000}){1,100}$", "invalid repeat count", -EINVAL},
        {"^((a{1,1000}){1,1000})$", "invalid repeat count", -EINVAL},
        {"(a{100}){11}", "invalid repeat count", -EINVAL},
        {"a{1001}", "invalid repeat count", -EINVAL},
        {"a{2,1}", "invalid repeat count", -EINVAL},
        {"a{99999999999999999999}", "invalid repeat count", -EINVAL},
        {"*a", "missing argument", -EINVAL},
        {"(*a)", "missing argument", -EINVAL},
        {"a|*", "missing argument", -EINVAL},
        {"{2}", "missing argument", -EINVAL},
        {"a**", "invalid nested repetition", -EINVAL},
        {"a++", "invalid nested repetition", -EINVAL},
        {"a{2}{3}", "invalid nested repetition", -EINVAL},
        {"a*??", "invalid nested repetition", -EINVAL},
        {"[a", "missing closing ]", -EINVAL},
        {"[]", "missing closing ]", -EINVAL},
        {"[a-", "missing closing ]", -EINVAL},
        {"[z-a]", "invalid character class range", -EINVAL},
        {"[[:nope:]]", "invalid character class range", -EINVAL},
        {"[a-\\d]", "invalid escape", -EINVAL},
        {"(a", "missing closing )", -EINVAL},
        {"a)", "unexpected )", -EINVAL},
        {"(?=a)", "unsupported Perl syntax", -EINVAL},
        {"(?!a)", "unsupported Perl syntax", -EINVAL},
        {"(?<=a)", "invalid named capture", -EINVAL},
        {"(?x)a", "unsupported Perl syntax", -EINVAL},
        {"(?", "unsupported Perl syntax", -EINVAL},
        {"(?P<>a)", "invalid named capture", -EINVAL},
        {"a\\", "trailing backslash", -EINVAL},
        {"(a)\\1", "invalid escape", -EINVAL},
        {"\\Z", "invalid escape", -EINVAL},
        {"\\C", "invalid escape", -EINVAL},
        {"\\x{110000}", "invalid escape", -EINVAL},
        {"\\xg0", "invalid escape", -EINVAL},
        {"\\8", "invalid escape", -EINVAL},
        {"\\p{Greek}", "general category", -ENOTSUP},
        {"\\pX", "general category", -ENOTSUP},
        {"\\p{L", "invalid character class range", -EINVAL},
        {"\\p", "invalid character class range", -EINVAL},
        {"\xff", "invalid UTF-8", -EINVAL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        size_t room = ROOM;

        if (pattern_compile(rows[i].re, &room, &e))
            fail_msg("%s was accepted", rows[i].re);
        if (!strstr(e.msg, rows[i].why) || e.code != rows[i].code)
            fail_msg("%s: %s (%d)", rows[i].re, e.msg, e.code);
        assert_int_equal(room, ROOM);
    }
}

static char *repeated(const char *what, size_t n)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 22);

    while (n--)
        buf_addz(&b, what);
    return xstrdup(buf_z(&b));
}

/* Work is bounded by instructions × (code points + 1), for the shapes that hang others. */
static void test_linear(void **state)
{
    static const char *const shapes[] = {
        "^a{1,1000}$",
        "a{1,1000}b",
        "^(a|a?)+$",
        "^(a+)+$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(a*)*b",
        "^(a?){500}a{500}$",
        "(.*)(.*)(.*)x",
        "(|a|aa|aaa)*b",
        "((((a*)*)*)*)*b",
        "(?i)(k|\\x{212a})*z",
    };
    _cleanup_free_ char *text = repeated("a", 3000);
    struct str s = str_of(text);

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct err e = {0};
        size_t room = ROOM;
        uint64_t left = BUDGET;
        struct pattern *p _cleanup_(pattern_freep) = pattern_compile(shapes[i], &room, &e);

        if (!p)
            fail_msg("%s: %s", shapes[i], e.msg);
        assert_true(pattern_search(p, s, &left) != PATTERN_TOO_COSTLY);
        assert_true(BUDGET - left <= (s.n + 1) * pattern_size(p));
    }
}

static void test_bounds(void **state)
{
    static const struct {
        const char *begin, *middle, *end;
        size_t n;
        int code;
    } rows[] = {
        {"", "(", "", 1001, -EINVAL},           {"", "a", "", ROOM + 1, -E2BIG},
        {"", "\\pL", "", 1000, -E2BIG}, /* small to write, large to hold */
        {"(", "[a-z]{100}", ")", 2000, -E2BIG}, {"(", "()", "){1000}", 20000, -E2BIG},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *middle = repeated(rows[i].middle, rows[i].n);
        _cleanup_free_ char *re = xasprintf("%s%s%s", rows[i].begin, middle, rows[i].end);
        struct err e = {0};
        size_t room = ROOM;

        assert_null(pattern_compile(re, &room, &e));
        assert_int_equal(e.code, rows[i].code);
    }
}

/* What one match may cost has an end, and that is neither yes nor no. */
static void test_too_costly(void **state)
{
    _cleanup_free_ char *text = repeated("a", 1 << 20);
    struct err e = {0};
    size_t room = ROOM;
    struct pattern *p _cleanup_(pattern_freep) = pattern_compile("a{900}b", &room, &e);

    assert_non_null(p);
    uint64_t budget = BUDGET;

    assert_int_equal(pattern_search(p, str_of(text), &budget), PATTERN_TOO_COSTLY);
    assert_int_equal(budget, 0);
}

/* Patterns share the room that they are given. */
static void test_room(void **state)
{
    struct err e = {0};
    size_t room = 1000;
    struct pattern *a = pattern_compile("a{400}", &room, &e);

    assert_non_null(a);
    assert_true(room < 600);
    assert_null(pattern_compile("a{700}", &room, &e));
    assert_int_equal(e.code, -E2BIG);
    pattern_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),  cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_linear),
        cmocka_unit_test(test_bounds),  cmocka_unit_test(test_too_costly),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
