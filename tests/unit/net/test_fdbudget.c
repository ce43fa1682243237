/* The shares of descriptors: whatever the limit, nobody gets what is another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "base/mem.h"
#include "net/fdbudget.h"

static void test_split(void **state)
{
    static const struct {
        size_t n, own, control, client;
    } rows[] = {
        {64, 32, 8, 12},       {256, 128, 32, 48},        {1024, 256, 128, 320},
        {1500, 256, 187, 528}, {20000, 2500, 2048, 7726}, {1048576, 131072, 2048, 457728},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t s[FD_CLASSES];
        fdbudget_split(rows[i].n, s);
        assert_int_equal(s[FD_CONTROL], rows[i].control);
        assert_int_equal(s[FD_CLIENT], rows[i].client);
        assert_int_equal(s[FD_UPSTREAM], rows[i].client);
        assert_int_equal(s[FD_UNCOUNTED] + s[FD_CONTROL] + 2 * s[FD_CLIENT], rows[i].n);
        assert_true(s[FD_UNCOUNTED] >= rows[i].own);
    }
}

static void test_split_of_anything_adds_up(void **state)
{
    for (size_t n = 0; n < 3000; n++) {
        size_t s[FD_CLASSES], sum = 0;
        fdbudget_split(n, s);
        for (int k = 0; k < FD_CLASSES; k++)
            sum += s[k];
        assert_int_equal(sum, n);
    }
}

/* Nobody has set anything yet: the first question finds the limit of the process. */
static void test_the_limit_counts_unasked(void **state)
{
    size_t s[FD_CLASSES];
    struct rlimit r;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
    fdbudget_split(r.rlim_cur, s);
    assert_int_equal(fdbudget_share(FD_CLIENT), s[FD_CLIENT]);
}

static void test_a_class_ends_at_its_share(void **state)
{
    fdbudget_set(64);
    for (int k = FD_CONTROL; k < FD_CLASSES; k++) {
        size_t got = 0;
        while (fdbudget_take((enum fd_class)k))
            got++;
        assert_int_equal(got, fdbudget_share((enum fd_class)k));
        assert_int_equal(got, fdbudget_used((enum fd_class)k));
    }
    fdbudget_give(FD_CLIENT);
    assert_true(fdbudget_take(FD_CLIENT));
    assert_false(fdbudget_take(FD_CLIENT));
    assert_true(fdbudget_take(FD_UNCOUNTED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_of_anything_adds_up),
        cmocka_unit_test(test_the_limit_counts_unasked),
        cmocka_unit_test(test_a_class_ends_at_its_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
