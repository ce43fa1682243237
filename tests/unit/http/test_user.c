/* Identities: copies stand alone, comparisons see every part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "http/user.h"

static const struct user_info alice = {
    .name = "alice",
    .uid = "42",
    .groups = (const char *const[]){"system:authenticated", "dev", ""},
    .n_groups = 3,
    .extra =
        (const struct user_extra[]){
            {"scopes", (const char *const[]){"read", "write"}, 2},
            {"empty", NULL, 0},
            {"node", (const char *const[]){"n1"}, 1},
        },
    .n_extra = 3,
};

static void test_copy_stands_alone(void **state)
{
    char name[] = "bob", group[] = "g", value[] = "v";
    const char *groups[] = {group}, *values[] = {value};
    const struct user_extra extra[] = {{name, values, 1}};
    const struct user_info u = {name, NULL, groups, 1, extra, 1};
    struct user_info *c = user_copy(&u);

    assert_true(user_equal(c, &u));
    memset(name, 'x', 3);
    *group = *value = 'x';
    groups[0] = values[0] = NULL;
    assert_string_equal(c->name, "bob");
    assert_string_equal(c->uid, "");
    assert_string_equal(c->groups[0], "g");
    assert_string_equal(c->extra[0].key, "bob");
    assert_string_equal(c->extra[0].values[0], "v");
    assert_false(user_equal(c, &u));
    user_free(c);
}

static void test_copy_of_all_and_of_nothing(void **state)
{
    struct user_info *c = user_copy(&alice), *cc = user_copy(c), *none = user_copy(NULL);

    user_free(c);
    assert_true(user_equal(cc, &alice));
    assert_true(user_in_group(cc, "dev"));
    assert_false(user_in_group(cc, "de"));
    assert_true(user_equal(none, &user_nobody));
    assert_string_equal(none->name, "");
    assert_false(user_in_group(none, ""));
    user_free(cc);
    user_free(none);
    user_free(NULL);
}

static void test_each_part_counts(void **state)
{
    static const char *const others[] = {"system:authenticated", "ops", ""};

    for (int part = 0; part < 7; part++) {
        struct user_info u = alice;
        struct user_extra extra[3];
        memcpy(extra, alice.extra, sizeof(extra));
        u.extra = extra;
        assert_true(user_equal(&u, &alice));
        if (part == 0)
            u.name = "Alice";
        else if (part == 1)
            u.uid = "";
        else if (part == 2)
            u.n_groups--;
        else if (part == 3)
            u.groups = others;
        else if (part == 4)
            u.n_extra--;
        else if (part == 5)
            extra[2].key = "pod";
        else
            extra[0].n--;
        assert_false(user_equal(&u, &alice));
        assert_false(user_equal(&alice, &u));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_stands_alone),
        cmocka_unit_test(test_copy_of_all_and_of_nothing),
        cmocka_unit_test(test_each_part_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
