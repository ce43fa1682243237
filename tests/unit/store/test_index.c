/* The ordered index against a plain model, and its prefix scans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/map.h"
#include "cluster/store/index.h"
#include "cluster/store/obj.h"

static void put(struct index *x, const char *key, uint64_t rev)
{
    const struct store_obj *o = store_obj_new(key, strlen(key), rev, "v", 1);

    store_obj_unref(index_put(x, o));
    store_obj_unref(o);
}

static int append_key(void *ctx, const struct store_obj *o)
{
    buf_addf(ctx, "%s ", store_obj_key(o));
    return 0;
}

static void assert_scan(const struct index *x, const char *prefix, const char *after,
                        const char *want)
{
    _cleanup_buf_ struct buf b = BUF_INIT(10000);

    assert_int_equal(index_each(x, prefix, after, append_key, &b), 0);
    assert_string_equal(buf_z(&b), want);
}

static void scans_are_in_key_order(void **state)
{
    static const char *const keys[] = {
        "apps/deployments/a/x", "/pods/b/1",   "/pods/a/2", "/pods/a/10",
        "/podsets/a/1",         "/pods/a-b/1", "a/b/c/d",   "/namespaces//default"};
    struct index *x = index_new();

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        put(x, keys[i], i + 1);
    assert_scan(
        x, "", NULL,
        "/namespaces//default /pods/a-b/1 /pods/a/10 /pods/a/2 /pods/b/1 /podsets/a/1 a/b/c/d "
        "apps/deployments/a/x ");
    assert_scan(x, "/pods/", NULL, "/pods/a-b/1 /pods/a/10 /pods/a/2 /pods/b/1 ");
    assert_scan(x, "/pods", NULL, "/pods/a-b/1 /pods/a/10 /pods/a/2 /pods/b/1 /podsets/a/1 ");
    assert_scan(x, "/pods/a/", NULL, "/pods/a/10 /pods/a/2 ");
    assert_scan(x, "/pods/a/2", NULL, "/pods/a/2 ");
    assert_scan(x, "/pods/zz/", NULL, "");
    assert_scan(x, "/nothing/", NULL, "");
    assert_scan(x, "zzz", NULL, "");
    assert_scan(x, "/pods/", "/pods/a/10", "/pods/a/2 /pods/b/1 ");
    assert_scan(x, "/pods/", "/pods/a/1", "/pods/a/10 /pods/a/2 /pods/b/1 ");
    assert_scan(x, "/pods/", "/pods/z", "");
    assert_scan(x, "/pods/", "/aaa", "/pods/a-b/1 /pods/a/10 /pods/a/2 /pods/b/1 ");
    assert_scan(x, "", "/pods/b/1", "/podsets/a/1 a/b/c/d apps/deployments/a/x ");
    assert_int_equal(index_count(x, "/pods/"), 4);
    assert_int_equal(index_count(x, "/pods/a/"), 2);
    assert_int_equal(index_count(x, ""), 8);
    assert_int_equal(index_count(x, "/none/"), 0);
    index_free(x);
}

static int stop_at_second(void *ctx, const struct store_obj *o)
{
    return ++*(int *)ctx == 2 ? 42 : 0;
}

static void a_walk_can_stop(void **state)
{
    struct index *x = index_new();
    int n = 0;

    put(x, "/pods/a/1", 1);
    put(x, "/pods/a/2", 2);
    put(x, "/pods/a/3", 3);
    assert_int_equal(index_each(x, "/pods/", NULL, stop_at_second, &n), 42);
    assert_int_equal(n, 2);
    index_free(x);
}

static void keys_are_checked(void **state)
{
    assert_true(index_key_ok("/pods/ns/name"));
    assert_true(index_key_ok("apps/deployments/ns/name"));
    assert_true(index_key_ok("/nodes//n"));
    assert_false(index_key_ok(""));
    assert_false(index_key_ok("/pods"));
    assert_false(index_key_ok("/pods/ns"));
}

static void random_operations_match_a_model(void **state)
{
    struct index *x = index_new();
    struct map *model = map_new(NULL);
    uint64_t seed = 7;
    char key[64];

    for (uint64_t rev = 1; rev < 20000; rev++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        snprintf(key, sizeof(key), "/k%d/ns%d/o%d", (int)(seed >> 33) % 3, (int)(seed >> 40) % 5,
                 (int)(seed >> 50) % 300);
        if ((seed >> 60) % 4 == 0) {
            const struct store_obj *old = index_remove(x, key);
            assert_int_equal(old ? store_obj_rev(old) : 0, (uintptr_t)map_get(model, key));
            store_obj_unref(old);
            map_del(model, key);
        } else {
            put(x, key, rev);
            map_set(model, key, (void *)(uintptr_t)rev);
        }
    }
    const char *k;
    void *rev;
    for (size_t it = 0; map_next(model, &it, &k, &rev);)
        assert_int_equal(store_obj_rev(index_get(x, k)), (uintptr_t)rev);
    assert_int_equal(index_count(x, ""), map_len(model));
    map_free(model);
    index_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans_are_in_key_order),
        cmocka_unit_test(a_walk_can_stop),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(random_operations_match_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
