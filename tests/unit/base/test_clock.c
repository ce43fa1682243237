/* Time stamps and durations, in the forms of Kubernetes and Go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"

static void stamps_are_written(void **state)
{
    char s[RFC3339_LEN];

    clock_rfc3339(0, s);
    assert_string_equal(s, "1970-01-01T00:00:00Z");
    clock_rfc3339(1767323045 * NS_PER_SEC + 999999999, s);
    assert_string_equal(s, "2026-01-02T03:04:05Z");
    clock_rfc3339_micro(1767323045 * NS_PER_SEC + 1234567, s);
    assert_string_equal(s, "2026-01-02T03:04:05.001234Z");
}

static void stamps_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } t[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-02T03:04:05Z", 1767323045 * NS_PER_SEC},
        {"2026-01-02t03:04:05z", 1767323045 * NS_PER_SEC},
        {"2026-01-02T03:04:05.5Z", 1767323045 * NS_PER_SEC + 500000000},
        {"2026-01-02T03:04:05.123456789Z", 1767323045 * NS_PER_SEC + 123456789},
        {"2026-01-02T03:04:05.1234567891234Z", 1767323045 * NS_PER_SEC + 123456789},
        {"2026-01-02T05:04:05+02:00", 1767323045 * NS_PER_SEC},
        {"2026-01-01T21:34:05-05:30", 1767323045 * NS_PER_SEC},
        {"1969-12-31T23:59:59Z", -NS_PER_SEC},
        {"9999-12-31T23:59:59Z", INT64_MAX},
        {"0001-01-01T00:00:00Z", INT64_MIN},
    };
    static const char *const bad[] = {"",
                                      "2026-01-02",
                                      "2026-01-02T03:04:05",
                                      "2026-13-02T03:04:05Z",
                                      "2026-00-02T03:04:05Z",
                                      "2026-01-32T03:04:05Z",
                                      "2026-01-02T24:04:05Z",
                                      "2026-01-02T03:60:05Z",
                                      "2026-01-02T03:04:05.Z",
                                      "2026-01-02T03:04:05Zx",
                                      "2026-01-02T03:04:05+0200",
                                      "2026-1-2T03:04:05Z",
                                      " 2026-01-02T03:04:05Z"};
    int64_t ns;

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        ns = 1;
        if (clock_rfc3339_parse(t[i].text, &ns) != 0 || ns != t[i].ns)
            fail_msg("%s: %lld", t[i].text, (long long)ns);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (clock_rfc3339_parse(bad[i], &ns) != -EINVAL)
            fail_msg("%s was accepted", bad[i]);
    }
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } t[] = {
        {"0", 0},
        {"0s", 0},
        {"1s", NS_PER_SEC},
        {"1m30s", 90 * NS_PER_SEC},
        {"300ms", 300000000},
        {"-1.5h", -5400 * NS_PER_SEC},
        {"+5s", 5 * NS_PER_SEC},
        {"1.5us", 1500},
        {"2\xc2\xb5s", 2000},
        {"2\xce\xbcs", 2000},
        {"7ns", 7},
        {".5s", 500000000},
        {"1h1m1s1ms1us1ns", 3661001001001},
        {"10m", 600 * NS_PER_SEC},
    };
    static const char *const bad[] = {"",    "5",   "s", ".s",    "1x",    "1s5",
                                      "1 s", " 1s", "-", "1..5s", "1h-3m", "300000000h"};
    int64_t ns;

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct err e = {0};
        ns = 1;
        if (duration_parse(t[i].text, &ns, &e) != 0 || ns != t[i].ns)
            fail_msg("%s: %lld %s", t[i].text, (long long)ns, e.msg);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        if (duration_parse(bad[i], &ns, &e) != -EINVAL || !e.msg[0])
            fail_msg("\"%s\" was accepted", bad[i]);
    }
}

static void durations_are_written_as_go_does(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } t[] = {
        {0, "0s"},
        {1, "1ns"},
        {1100, "1.1\xc2\xb5s"},
        {2200000, "2.2ms"},
        {3300000000, "3.3s"},
        {90 * NS_PER_SEC, "1m30s"},
        {3600 * NS_PER_SEC, "1h0m0s"},
        {-3661 * NS_PER_SEC, "-1h1m1s"},
        {245 * NS_PER_SEC + 1000000, "4m5.001s"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        char s[32];
        int64_t back;
        duration_format(t[i].ns, s);
        assert_string_equal(s, t[i].text);
        assert_int_equal(duration_parse(s, &back, NULL), 0);
        assert_int_equal(back, t[i].ns);
    }
    char s[32];
    duration_format(INT64_MIN, s);
    assert_memory_equal(s, "-2562047h47m16.85", 17);
}

static void the_clocks_go_forward(void **state)
{
    int64_t a = clock_mono_ns(), b = clock_mono_ns();

    assert_true(b >= a);
    assert_true(clock_wall_ns() > 1700000000 * NS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_are_written),    cmocka_unit_test(stamps_are_read),
        cmocka_unit_test(durations_are_read),    cmocka_unit_test(durations_are_written_as_go_does),
        cmocka_unit_test(the_clocks_go_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
