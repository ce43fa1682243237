/* How the server is divided: the bounds hold whatever is taken and given back, and who floods it
 * leaves room for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "cluster/apiserver/auth/shares.h"
#include "cluster/apiserver/request/limits.h"

#define MOST 64

static const struct shares_limits limits = {.most = {MOST, 10}, .bytes = 1000};

static bool take(struct shares *s, const char *user, enum share_kind kind, int64_t bytes,
                 struct share *ret)
{
    _cleanup_status_ struct api_status st = {0};
    int r = share_take(s, user, kind, bytes, ret, &st);

    assert_int_equal(r < 0, st.code == 429);
    assert_int_equal(r<0, st.retry_after> 0);
    return r == 0;
}

static size_t flood(struct shares *s, const char *user, enum share_kind kind, int64_t bytes,
                    struct share *held)
{
    size_t n = 0;

    while (n < MOST && take(s, user, kind, bytes, &held[n]))
        n++;
    return n;
}

static void test_one_leaves_room(void **state)
{
    struct share a[MOST], b[MOST], c[MOST];
    struct shares *s = shares_new(&limits);
    size_t n = flood(s, "a", SHARE_REQUEST, 0, a), m = flood(s, "b", SHARE_REQUEST, 0, b),
           k = flood(s, "c", SHARE_REQUEST, 0, c);

    assert_int_equal(n, MOST / 2);
    assert_true(m >= MOST / 4 && k >= MOST / 8);
    while (n)
        share_give_back(&a[--n]);
    while (m)
        share_give_back(&b[--m]);
    while (k)
        share_give_back(&c[--k]);
    assert_int_equal(flood(s, "c", SHARE_REQUEST, 0, c), MOST / 2);
    for (k = MOST / 2; k;)
        share_give_back(&c[--k]);
    shares_free(s);
}

static void test_kinds_and_bytes(void **state)
{
    struct share a[MOST], b[MOST], w[MOST];
    struct shares *s = shares_new(&limits);

    assert_int_equal(flood(s, "a", SHARE_WATCH, 0, w), 5);
    assert_int_equal(flood(s, "a", SHARE_REQUEST, 100, a), 5); /* half of the bytes */
    assert_true(take(s, "a", SHARE_REQUEST, 0, &a[5]));        /* what has no body goes on */
    assert_false(take(s, "b", SHARE_REQUEST, 501, &b[0]));
    assert_true(take(s, "b", SHARE_REQUEST, 100, &b[0]));
    share_give_back(&b[0]);
    for (int i = 0; i < 6; i++)
        share_give_back(&a[i]);
    shares_free(s); /* the last ones are given back afterwards */
    for (int i = 0; i < 5; i++)
        share_give_back(&w[i]);
    share_give_back(&w[0]); /* nothing is held by then */
}

/* More users than accounts: those beyond share one, and none is lost. */
static void test_many_users(void **state)
{
    const struct shares_limits wide = {.most = {1 << 20, 1}, .bytes = 0};
    size_t n = LIMIT_API_USERS + 100;
    struct share *held = xcalloc(n, sizeof(*held));
    struct shares *s = shares_new(&wide);

    for (size_t i = 0; i < n; i++) {
        char user[32];

        snprintf(user, sizeof(user), "u%zu", i);
        assert_true(take(s, user, SHARE_REQUEST, 0, &held[i]));
    }
    const struct account *others = held[n - 1].account;

    assert_ptr_equal(others, held[n - 2].account);
    for (size_t i = 0; i < n; i++)
        share_give_back(&held[i]);
    assert_true(take(s, "late", SHARE_REQUEST, 0, &held[0]));
    assert_ptr_not_equal(held[0].account, others);
    share_give_back(&held[0]);
    free(held);
    shares_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_leaves_room),
        cmocka_unit_test(test_kinds_and_bytes),
        cmocka_unit_test(test_many_users),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
