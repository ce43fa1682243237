/* Preconditions, revisions, writes in flight, what survives a restart, compaction. */
#include "fixture.h"

#include <sqlite3.h>

#include "base/buf.h"
#include "base/limits.h"
#include "cluster/store/limits.h"

static void a_write_becomes_visible_when_answered(void **state)
{
    struct fixture *f = *state;
    bool in_flight = false;

    assert_int_equal(begin_put(f, "/pods/a/p", 0, "one"), 0);
    assert_null(store_get(f->store, "/pods/a/p"));
    assert_bytes(store_get_latest(f->store, "/pods/a/p", &in_flight), "one");
    assert_true(in_flight);
    assert_int_equal(store_rev(f->store), 0);
    wait_all(f);
    assert_int_equal(f->failed, 0);
    assert_bytes(store_get(f->store, "/pods/a/p"), "one");
    store_get_latest(f->store, "/pods/a/p", &in_flight);
    assert_false(in_flight);
    assert_int_equal(store_rev(f->store), store_obj_rev(store_get(f->store, "/pods/a/p")));
}

static void preconditions(void **state)
{
    struct fixture *f = *state;
    const char *k = "/pods/a/p";

    assert_int_equal(begin_put(f, k, 5, "x"), -ENOENT);
    assert_int_equal(begin_delete(f, k, 0), -ENOENT);
    assert_int_equal(begin_delete(f, k, 5), -ENOENT);
    uint64_t rev = put(f, k, 0, "one");
    assert_int_equal(begin_put(f, k, 0, "x"), -EEXIST);
    assert_non_null(strstr(f->last_error.msg, k));
    assert_int_equal(begin_put(f, k, rev + 1, "x"), -ESTALE);
    assert_int_equal(begin_delete(f, k, rev + 1), -ESTALE);
    uint64_t next = put(f, k, rev, "two");
    assert_true(next > rev);
    assert_int_equal(begin_put(f, k, rev, "x"), -ESTALE);
    assert_int_equal(begin_delete(f, k, next), 0);
    wait_all(f);
    assert_null(store_get(f->store, k));
    assert_true(store_rev(f->store) > next);
    assert_int_equal(begin_put(f, "pods", 0, "x"), -EINVAL);
}

static void preconditions_see_writes_in_flight(void **state)
{
    struct fixture *f = *state;
    const char *k = "/pods/a/p";
    int answered = 0;

    /* A hundred writers race for each version; one of them wins each time. */
    for (int i = 0; i < 100; i++)
        answered += begin_put(f, k, 0, "first") == 0;
    assert_int_equal(answered, 1);
    uint64_t rev = store_obj_rev(store_get_latest(f->store, k, NULL));
    assert_int_equal(begin_put(f, k, rev, "second"), 0);
    assert_int_equal(begin_put(f, k, rev, "lost"), -ESTALE);
    rev = store_obj_rev(store_get_latest(f->store, k, NULL));
    assert_int_equal(begin_delete(f, k, rev), 0);
    assert_null(store_get_latest(f->store, k, NULL));
    assert_int_equal(begin_delete(f, k, 0), -ENOENT);
    assert_int_equal(begin_put(f, k, 0, "again"), 0);
    wait_all(f);
    assert_int_equal(f->failed, 0);
    assert_bytes(store_get(f->store, k), "again");
}

static char *make_none(void *ctx, uint64_t rev, size_t *ret_n)
{
    *ret_n = LIMIT_OBJECT + 1;
    return xcalloc(1, LIMIT_OBJECT + 1);
}

static void an_object_has_a_largest_size(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        store_put(f->store, "/pods/a/p", 0, make_none, NULL, on_done, f, &f->last_error), -E2BIG);
    assert_null(store_get_latest(f->store, "/pods/a/p", NULL));
    put(f, "/pods/a/p", 0, "small");
}

static char *make_failing(void *ctx, uint64_t rev, size_t *ret_n)
{
    *ret_n = 0;
    return ctx ? xstrdup("") : NULL;
}

static void nothing_is_no_object(void **state)
{
    struct fixture *f = *state;
    void *empty = f, *none = NULL, *kinds[] = {empty, none};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        assert_int_equal(
            store_put(f->store, "/pods/a/p", 0, make_failing, kinds[i], on_done, f, &f->last_error),
            -EINVAL);
        assert_non_null(strstr(f->last_error.msg, "cannot save /pods/a/p"));
        assert_null(store_get_latest(f->store, "/pods/a/p", NULL));
        assert_int_equal(put(f, "/pods/a/p", 0, "whole"), 2 * i + 1); /* and no revision is used */
        assert_int_equal(store_delete(f->store, "/pods/a/p", 0, make_failing, kinds[i], on_done, f,
                                      &f->last_error),
                         -EINVAL);
        assert_bytes(store_get(f->store, "/pods/a/p"), "whole");
        del(f, "/pods/a/p");
    }
}

static void writes_in_flight_are_bounded_by_bytes(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *large = xmalloc(1 << 20);
    int r = 0, n = 0;
    char key[40];

    memset(large, 'x', (1 << 20) - 1);
    large[(1 << 20) - 1] = '\0';
    for (; r == 0 && n < 1000; n++) {
        snprintf(key, sizeof(key), "/pods/a/p%d", n);
        r = begin_put(f, key, 0, large);
    }
    assert_int_equal(r, -EAGAIN);
    assert_in_range(n, 64, 67);
    wait_all(f);
    assert_int_equal(f->failed, 0);
    put(f, "/pods/b/p", 0, large);
}

static void writes_in_flight_are_bounded(void **state)
{
    struct fixture *f = *state;
    int r = 0;
    char key[40];

    for (int i = 0; r == 0 && i <= LIMIT_STORE_WRITES; i++) {
        snprintf(key, sizeof(key), "/pods/a/p%d", i);
        r = begin_put(f, key, 0, "x");
    }
    assert_int_equal(r, -EAGAIN);
    wait_all(f);
    assert_int_equal(store_count(f->store, "/pods/"), LIMIT_STORE_WRITES);
    put(f, "/pods/b/p", 0, "x");
}

static void bytes_are_kept_exactly(void **state)
{
    struct fixture *f = *state;

    put(f, "/pods/a/\xc3\xa9", 0, "h\xc3\xa9\xf0\x9f\x98\x80");
    reopen(f, 0, 0);
    assert_bytes(store_get(f->store, "/pods/a/\xc3\xa9"), "h\xc3\xa9\xf0\x9f\x98\x80");
}

static void a_restart_keeps_state_and_revisions(void **state)
{
    struct fixture *f = *state;
    char key[40];

    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "/pods/ns%d/p%d", i % 7, i);
        assert_int_equal(begin_put(f, key, 0, NULL), 0);
    }
    wait_all(f);
    for (int i = 0; i < 500; i += 2) {
        snprintf(key, sizeof(key), "/pods/ns%d/p%d", i % 7, i);
        assert_int_equal(begin_delete(f, key, 0), 0);
    }
    wait_all(f);
    uint64_t rev = store_rev(f->store);
    reopen(f, 0, 0);
    assert_int_equal(store_rev(f->store), rev);
    assert_int_equal(store_compacted_rev(f->store, ""), 0);
    assert_int_equal(store_count(f->store, ""), 250);
    snprintf(key, sizeof(key), "/pods/ns%d/p%d", 1, 1);
    const struct store_obj *o = store_get(f->store, key);
    assert_non_null(o);
    _cleanup_free_ char *want = xasprintf("rev %llu", (unsigned long long)store_obj_rev(o));
    assert_bytes(o, want);
    /* The newest row is a deletion: even so its revision is not used again. */
    assert_true(put(f, "/pods/new/p", 0, NULL) > rev);
}

static int64_t rows_on_disk(struct fixture *f)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM log", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static void compaction_removes_only_dead_rows(void **state)
{
    struct fixture *f = *state;
    char key[40];

    reopen(f, 100, 300);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(key, sizeof(key), "/pods/a/p%d", i);
            const struct store_obj *o = store_get(f->store, key);
            if (o && (i + round) % 10 == 0)
                assert_int_equal(begin_delete(f, key, store_obj_rev(o)), 0);
            else
                assert_int_equal(begin_put(f, key, o ? store_obj_rev(o) : 0, NULL), 0);
        }
        wait_all(f);
    }
    uint64_t rev = store_rev(f->store);
    size_t live = store_count(f->store, "");
    store_close(f->store);
    int64_t rows = rows_on_disk(f);
    assert_true(rows >= (int64_t)live);
    assert_true(rows < 2000); /* of 4000 written */
    open_with(f, 100, 300);
    assert_int_equal(store_rev(f->store), rev);
    assert_int_equal(store_count(f->store, ""), live);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "/pods/a/p%d", i);
        const struct store_obj *o = store_get(f->store, key);
        _cleanup_free_ char *want =
            xasprintf("rev %llu", o ? (unsigned long long)store_obj_rev(o) : 0);
        if (o)
            assert_bytes(o, want);
    }
}

static void the_newest_row_survives_compaction(void **state)
{
    struct fixture *f = *state;

    reopen(f, 1, 1);
    put(f, "/pods/a/p", 0, "x");
    del(f, "/pods/a/p");
    uint64_t rev = store_rev(f->store);
    for (int i = 0; i < 5; i++) {
        reopen(f, 1, 1);
        assert_int_equal(store_rev(f->store), rev);
    }
    assert_true(put(f, "/pods/a/p", 0, "y") > rev);
}

static int append_key(void *ctx, const struct store_obj *o)
{
    return buf_addf(ctx, "%s ", store_obj_key(o));
}

static void lists_are_in_key_order_and_resumable(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    put(f, "/pods/b/1", 0, "x");
    put(f, "/pods/a/2", 0, "x");
    put(f, "/pods/a/1", 0, "x");
    store_each(f->store, "/pods/", append_key, &b);
    assert_string_equal(b.p, "/pods/a/1 /pods/a/2 /pods/b/1 ");
    buf_clear(&b);
    store_each_after(f->store, "/pods/a/", "/pods/a/1", append_key, &b);
    assert_string_equal(b.p, "/pods/a/2 ");
}

static void on_closed(void *ctx, const struct err *err, const struct store_obj *obj)
{
    ++*(int *)ctx;
    if (err) {
        assert_int_equal(err->code, -ESHUTDOWN);
        assert_null(obj);
    }
}

static void closing_answers_everything(void **state)
{
    struct fixture *f = *state;
    int answered = 0;
    char key[40];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "/pods/a/p%d", i);
        assert_int_equal(store_put(f->store, key, 0, make_text, NULL, on_closed, &answered, NULL),
                         0);
    }
    store_close(f->store);
    assert_int_equal(answered, 200);
    open_with(f, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_write_becomes_visible_when_answered),
        STORE_TEST(preconditions),
        STORE_TEST(preconditions_see_writes_in_flight),
        STORE_TEST(an_object_has_a_largest_size),
        STORE_TEST(nothing_is_no_object),
        STORE_TEST(writes_in_flight_are_bounded),
        STORE_TEST(writes_in_flight_are_bounded_by_bytes),
        STORE_TEST(bytes_are_kept_exactly),
        STORE_TEST(a_restart_keeps_state_and_revisions),
        STORE_TEST(compaction_removes_only_dead_rows),
        STORE_TEST(the_newest_row_survives_compaction),
        STORE_TEST(lists_are_in_key_order_and_resumable),
        STORE_TEST(closing_answers_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
