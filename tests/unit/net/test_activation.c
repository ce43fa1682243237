/* What systemd says about sockets: taken, for somebody else, or contradictory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/mem.h"
#include "net/activation.h"

static void test_rows(void **state)
{
    static const struct {
        const char *pid, *fds, *names;
        int code;
        size_t n;
    } rows[] = {
        {NULL, NULL, NULL, 0, 0},
        {"10", NULL, NULL, 0, 0},
        {"11", "2", "a:b", 0, 0},
        {"11", "many", NULL, 0, 0},
        {"10", "0", "", 0, 0},
        {"10", "2", NULL, 0, 2},
        {"10", "2", "a:b", 0, 2},
        {"10", "3", "a:a:", 0, 3},
        {"10", "2", "a", -EINVAL, 0},
        {"10", "1", "a:b", -EINVAL, 0},
        {"10", "-1", NULL, -EINVAL, 0},
        {"10", "65", NULL, -EINVAL, 0},
        {"10", "2x", NULL, -EINVAL, 0},
        {"ten", "2", NULL, -EINVAL, 0},
        {"10", "1", "a-name-that-is-longer-than-any-that-systemd-would-ever-let-anybody-give-it",
         -EINVAL, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct activation a;
        struct err e;
        print_message("row %zu\n", i);
        assert_int_equal(activation_parse(rows[i].pid, rows[i].fds, rows[i].names, 10, &a, &e),
                         rows[i].code);
        assert_int_equal(a.n, rows[i].n);
    }
}

static void test_names_lead_to_descriptors(void **state)
{
    struct activation a;

    assert_int_equal(activation_parse("10", "4", "http:api:http:", 10, &a, NULL), 0);
    assert_int_equal(activation_fd(&a, "http", 0), 3);
    assert_int_equal(activation_fd(&a, "http", 1), 5);
    assert_int_equal(activation_fd(&a, "http", 2), -1);
    assert_int_equal(activation_fd(&a, "api", 0), 4);
    assert_int_equal(activation_fd(&a, "", 0), 6);
    assert_int_equal(activation_fd(&a, "dns", 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_names_lead_to_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
