/* Strings, numbers, growing buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/str.h"

static void comparing(void **state)
{
    assert_true(str_eq(STR("ab"), str_of("ab")));
    assert_true(str_eq(STR_NULL, STR("")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_ieq(STR("Host"), STR("hOST")));
    assert_false(str_ieq(STR("@"), STR("`"))); /* 0x20 apart, but no letters */
    assert_true(streq(NULL, NULL));
    assert_false(streq(NULL, ""));
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR("")));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_false(str_ends(STR("c"), STR("bc")));
    assert_true(z_starts("abc", "ab"));
    assert_false(z_starts(NULL, "ab"));
    assert_true(z_ends("abc", "bc"));
    assert_false(z_ends(NULL, ""));
}

static void trimming_and_finding(void **state)
{
    size_t at;

    assert_true(str_eq(str_trim(STR(" \t x y\t ")), STR("x y")));
    assert_true(str_eq(str_trim(STR("  ")), STR("")));
    assert_true(str_find(STR("a/b/c"), '/', &at));
    assert_int_equal(at, 1);
    assert_false(str_find(STR("abc"), '/', &at));
    assert_false(str_find(STR_NULL, '/', &at));
}

static void splitting(void **state)
{
    static const struct {
        const char *text, *parts;
    } t[] = {{"a,b,c", "a|b|c|"}, {"", "|"}, {",", "||"}, {"a,", "a||"}, {"abc", "abc|"}};

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_buf_ struct buf b = BUF_INIT(100);
        struct str rest = str_of(t[i].text), part;
        while (str_split(&rest, ',', &part))
            buf_addf(&b, STR_FMT "|", STR_ARG(part));
        assert_string_equal(b.p, t[i].parts);
    }
    struct str none = STR_NULL, part;
    assert_false(str_split(&none, ',', &part));
}

static void unsigned_numbers(void **state)
{
    uint64_t v = 7;

    assert_int_equal(str_u64(STR("0"), &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(str_u64(STR("18446744073709551615"), &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(str_u64(STR("18446744073709551616"), &v), -ERANGE);
    assert_true(v == UINT64_MAX); /* written only on success */
    assert_int_equal(str_u64(STR(""), &v), -EINVAL);
    assert_int_equal(str_u64(STR("-1"), &v), -EINVAL);
    assert_int_equal(str_u64(STR("+1"), &v), -EINVAL);
    assert_int_equal(str_u64(STR("1 "), &v), -EINVAL);
    assert_int_equal(str_u64(STR("0x1"), &v), -EINVAL);
}

static void signed_numbers(void **state)
{
    int64_t v = 0;

    assert_int_equal(str_i64(STR("-9223372036854775808"), &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(str_i64(STR("9223372036854775807"), &v), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(str_i64(STR("9223372036854775808"), &v), -ERANGE);
    assert_int_equal(str_i64(STR("-9223372036854775809"), &v), -ERANGE);
    assert_int_equal(str_i64(STR("+5"), &v), 0);
    assert_int_equal(v, 5);
    assert_int_equal(str_i64(STR("-"), &v), -EINVAL);
    assert_int_equal(str_i64(STR("--5"), &v), -EINVAL);
    assert_int_equal(str_i64(STR(""), &v), -EINVAL);
}

/* Names that FNV puts into one bucket of a table, as a stranger can find them: this hash does not,
 * and every bit and the length count. */
static void a_keyed_hash_cannot_be_steered(void **state)
{
    enum { BUCKETS = 1024, NAMES = 64 };
    char name[32], other[32];
    int seen[BUCKETS] = {0}, n = 0, most = 0;

    for (int i = 0; n < NAMES; i++) {
        size_t len = (size_t)snprintf(name, sizeof(name), "name-%d", i);
        if (hash_fnv32(name, len) % BUCKETS != 7)
            continue;
        n++;
        int *bucket = &seen[hash_keyed(name, len) % BUCKETS];
        most = ++*bucket > most ? *bucket : most;
    }
    assert_in_range(most, 1, 8);
    for (size_t len = 0; len < 24; len++) {
        memset(name, 'a', sizeof(name));
        uint64_t h = hash_keyed(name, len);
        assert_true(h == hash_keyed(name, len));
        assert_true(h != hash_keyed(name, len + 1));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            memcpy(other, name, sizeof(name));
            other[bit / 8] ^= (char)(1 << bit % 8);
            assert_true(hash_keyed(other, len) != h);
        }
    }
}

static void hashes_are_fnv1a(void **state)
{
    assert_true(hash_fnv32("", 0) == 0x811c9dc5u);
    assert_true(hash_fnv32("a", 1) == 0xe40c292cu);
    assert_true(hash_fnv32("foobar", 6) == 0xbf9cf968u);
    assert_true(hash_fnv64("", 0) == 0xcbf29ce484222325ull);
    assert_true(hash_fnv64("foobar", 6) == 0x85944171f73967e8ull);
}

static void buffers_grow_to_their_maximum(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(10);

    assert_string_equal(buf_z(&b), "");
    assert_int_equal(buf_add(&b, "12345", 5), 0);
    assert_int_equal(buf_addf(&b, "%d", 67890), 0); /* exactly full */
    assert_string_equal(b.p, "1234567890");
    assert_int_equal(buf_addc(&b, 'x'), -E2BIG);
    assert_int_equal(buf_addf(&b, "%d", 1), -E2BIG);
    assert_int_equal(buf_addz(&b, ""), 0);
    assert_string_equal(b.p, "1234567890");
    assert_int_equal(b.n, 10);
}

static void buffers_lose_their_front(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);

    buf_addz(&b, "abcdef");
    buf_consume(&b, 2);
    assert_string_equal(b.p, "cdef");
    buf_consume(&b, 0);
    assert_string_equal(b.p, "cdef");
    buf_consume(&b, 99);
    assert_int_equal(b.n, 0);
    assert_string_equal(b.p, "");
    buf_addz(&b, "again");
    assert_string_equal(b.p, "again");
}

static void buffers_are_handed_over(void **state)
{
    struct buf b = BUF_INIT(100);
    size_t n = 9;

    _cleanup_free_ char *empty = buf_steal(&b, &n);
    assert_string_equal(empty, "");
    assert_int_equal(n, 0);
    buf_add(&b, "a\0b", 3);
    _cleanup_free_ char *p = buf_steal(&b, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(p, "a\0b", 4);
    assert_null(b.p);
    assert_int_equal(b.max, 100);
}

static void reserved_room_is_the_callers(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    buf_addz(&b, "x");
    assert_int_equal(buf_reserve(&b, 500), 0);
    memset(b.p + b.n, 'y', 500);
    b.n += 500;
    assert_int_equal(buf_reserve(&b, 500), -E2BIG);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -E2BIG);
    assert_int_equal(buf_addc(&b, 'z'), 0);
    assert_int_equal(b.p[501], 'z');
    assert_int_equal(b.p[502], '\0');
}

static void bytes_as_digits(void **state)
{
    char out[16] = "";

    hex_encode("\x00\x7f\xff", 3, out);
    assert_string_equal(out, "007fff");
    hex_encode("", 0, out);
    assert_string_equal(out, "");
}

static void check_base64(const char *plain, size_t n, const char *coded)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);
    size_t got = 99;

    assert_int_equal(base64_add(&b, plain, n), 0);
    assert_string_equal(buf_z(&b), coded);
    assert_true(base64_valid(coded));
    _cleanup_free_ char *back = base64_decode(coded, strlen(coded), &got);
    assert_non_null(back);
    assert_int_equal(got, n);
    assert_memory_equal(back, plain, n + 1);
}

static void base64_goes_both_ways(void **state)
{
    check_base64("", 0, "");
    check_base64("f", 1, "Zg==");
    check_base64("fo", 2, "Zm8=");
    check_base64("foo", 3, "Zm9v");
    check_base64("foob\0r", 6, "Zm9vYgBy");
    check_base64("\xff\xef\xbe", 3, "/+++");
}

static void what_is_not_base64(void **state)
{
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Z=g=", "Zm9v\n", "Zm9*", "Zm-_"};
    _cleanup_buf_ struct buf small = BUF_INIT(3);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(base64_valid(bad[i]));
        assert_null(base64_decode(bad[i], strlen(bad[i]), NULL));
    }
    assert_null(base64_decode("Zm\0v", 4, NULL));
    assert_int_equal(base64_add(&small, "foo", 3), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(trimming_and_finding),
        cmocka_unit_test(splitting),
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(a_keyed_hash_cannot_be_steered),
        cmocka_unit_test(hashes_are_fnv1a),
        cmocka_unit_test(buffers_grow_to_their_maximum),
        cmocka_unit_test(buffers_lose_their_front),
        cmocka_unit_test(buffers_are_handed_over),
        cmocka_unit_test(reserved_room_is_the_callers),
        cmocka_unit_test(bytes_as_digits),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(what_is_not_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
