/* When memory is given back, and that it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/trimmer.h"

#define MB (1024 * 1024)

/* A start, a flood, its end, a trim that leaves 12, and growth that is in use. */
static void test_decision(void **state)
{
    static const struct {
        int64_t resident, in_use;
        bool trim;
        int64_t after;
    } rows[] = {
        {20 * MB, 10 * MB, false, 0},         {160 * MB, 150 * MB, false, 0},
        {160 * MB, 40 * MB, true, 52 * MB},   {52 * MB, 40 * MB, false, 0},
        {500 * MB, 488 * MB, false, 0},       {500 * MB, 480 * MB, false, 0},
        {500 * MB, 460 * MB, true, 480 * MB}, /* 20 are in fragments: once is enough */
        {500 * MB, 470 * MB, false, 0},       {490 * MB, 440 * MB, true, 450 * MB},
    };
    struct trim_state s = {.idle = 10 * MB};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("row %zu\n", i);
        assert_int_equal(trim_wanted(&s, rows[i].resident, rows[i].in_use), rows[i].trim);
        if (rows[i].trim)
            trim_done(&s, rows[i].after, rows[i].in_use);
    }
}

static void test_freed_while_it_works(void **state)
{
    struct loop *l = loop_new(NULL);

    trimmer_free(trimmer_new(l));
    trimmer_free(NULL);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decision),
        cmocka_unit_test(test_freed_while_it_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
