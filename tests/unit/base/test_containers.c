/* Map, list, heap, vector, arena: each against a plain model where it has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"

static int freed;

static void count_free(void *p)
{
    freed++;
    free(p);
}

static void maps_own_keys_and_free_values(void **state)
{
    struct map *m = map_new(count_free);
    char key[] = "k";

    freed = 0;
    assert_null(map_get(m, "k"));
    assert_null(map_get(NULL, "k"));
    assert_int_equal(map_len(NULL), 0);
    map_set(m, key, xstrdup("1"));
    key[0] = 'z';
    assert_string_equal(map_get(m, "k"), "1");
    map_set(m, "k", xstrdup("2"));
    assert_int_equal(freed, 1);
    void *same = map_get(m, "k");
    map_set(m, "k", same);
    assert_int_equal(freed, 1);
    char *taken = map_take(m, "k");
    assert_string_equal(taken, "2");
    free(taken);
    assert_int_equal(freed, 1);
    assert_false(map_del(m, "k"));
    map_set(m, "null", NULL);
    assert_true(map_has(m, "null"));
    assert_null(map_get(m, "null"));
    map_setn(m, "a\0b", 3, xstrdup("nul inside"));
    assert_string_equal(map_getn(m, "a\0b", 3), "nul inside");
    assert_null(map_get(m, "a"));
    map_clear(m);
    assert_int_equal(freed, 2);
    assert_int_equal(map_len(m), 0);
    map_set(m, "again", xstrdup("x"));
    map_free(m);
    assert_int_equal(freed, 3);
}

static void maps_iterate_in_order_of_insertion(void **state)
{
    struct map *m = map_new(NULL);
    const char *key;
    char name[16], *value;
    int expect = 0;

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "k%d", i);
        map_set(m, name, (void *)(uintptr_t)(i + 1));
    }
    for (int i = 0; i < 1000; i += 2) {
        snprintf(name, sizeof(name), "k%d", i);
        assert_true(map_del(m, name));
    }
    for (size_t it = 0; map_next(m, &it, &key, &value);) {
        snprintf(name, sizeof(name), "k%d", expect * 2 + 1);
        assert_string_equal(key, name);
        assert_int_equal((uintptr_t)value, expect * 2 + 2);
        expect++;
        map_del(m, key); /* the one just returned may go */
    }
    assert_int_equal(expect, 500);
    assert_int_equal(map_len(m), 0);
    map_free(m);
}

static void maps_survive_churn(void **state)
{
    struct map *m = map_new(NULL);
    bool model[200] = {0};
    uint32_t seed = 1;
    char name[16];

    for (int i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        int k = (int)(seed >> 16) % 200;
        snprintf(name, sizeof(name), "key-%d", k);
        assert_int_equal(map_has(m, name), model[k]);
        if (seed >> 31)
            map_set(m, name, m);
        else
            map_del(m, name);
        model[k] = seed >> 31;
    }
    size_t live = 0;
    for (int k = 0; k < 200; k++)
        live += model[k];
    assert_int_equal(map_len(m), live);
    map_free(m);
}

struct item {
    int n;
    struct list node;
    struct heap_node at;
};

static void lists_link_and_unlink(void **state)
{
    struct list head;
    struct item items[5] = {0};
    int sum = 0;

    list_init(&head);
    assert_true(list_empty(&head));
    for (int i = 0; i < 5; i++) {
        items[i].n = i;
        if (i % 2)
            list_push_front(&head, &items[i].node);
        else
            list_push_back(&head, &items[i].node);
    }
    /* 3 1 0 2 4 */
    assert_int_equal(list_entry(head.next, struct item, node)->n, 3);
    assert_int_equal(list_entry(head.prev, struct item, node)->n, 4);
    list_for_each_safe(it, &head)
    {
        struct item *x = list_entry(it, struct item, node);
        sum = sum * 10 + x->n;
        if (x->n % 2 == 0)
            list_del(it);
    }
    assert_int_equal(sum, 31024);
    list_del(&items[0].node); /* once more does no harm */
    sum = 0;
    list_for_each(it, &head) sum = sum * 10 + list_entry(it, struct item, node)->n;
    assert_int_equal(sum, 31);
}

static void heaps_give_the_smallest(void **state)
{
    struct heap h = {0};
    struct item items[500];
    uint32_t seed = 3;
    int64_t last = INT64_MIN;
    int n = 0;

    assert_null(heap_peek(&h));
    assert_null(heap_pop(&h));
    for (int i = 0; i < 500; i++) {
        seed = seed * 1664525 + 1013904223;
        items[i].at.key = (int64_t)(seed >> 8) % 1000 - 500;
        heap_push(&h, &items[i].at);
    }
    for (int i = 0; i < 500; i += 3)
        heap_remove(&h, &items[i].at);
    heap_remove(&h, &items[0].at); /* not in it any more */
    assert_int_equal(items[0].at.at, HEAP_NONE);
    for (struct heap_node *x; (x = heap_pop(&h)); n++) {
        assert_true(x->key >= last);
        last = x->key;
        assert_int_not_equal((container_of(x, struct item, at) - items) % 3, 0);
    }
    assert_int_equal(n, 333);
    heap_done(&h);
}

static void vectors_grow_and_close_gaps(void **state)
{
    VEC(int) v = {0};

    for (int i = 0; i < 100; i++)
        vec_push(&v, i);
    vec_remove(&v, 0);
    vec_remove(&v, v.n - 1);
    vec_remove(&v, 49);
    assert_int_equal(v.n, 97);
    assert_int_equal(v.p[0], 1);
    assert_int_equal(v.p[48], 49);
    assert_int_equal(v.p[49], 51);
    vec_done(&v);
    assert_null(v.p);
    assert_int_equal(v.n, 0);
}

static void arenas_align_and_zero(void **state)
{
    struct arena a;

    arena_init(&a);
    for (size_t n = 1; n < 10000; n = n * 3 + 1) {
        char *p = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 'x', n);
    }
    assert_string_equal(arena_printf(&a, "%s-%d", "abc", 7), "abc-7");
    assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
    struct str s = arena_str(&a, STR("copy"));
    assert_true(str_eq(s, STR("copy")));
    arena_reset(&a);
    char *again = arena_alloc(&a, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(again[i], 0); /* zeroed although used before */
    arena_done(&a);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_own_keys_and_free_values),
        cmocka_unit_test(maps_iterate_in_order_of_insertion),
        cmocka_unit_test(maps_survive_churn),
        cmocka_unit_test(lists_link_and_unlink),
        cmocka_unit_test(heaps_give_the_smallest),
        cmocka_unit_test(vectors_grow_and_close_gaps),
        cmocka_unit_test(arenas_align_and_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
