/* Watches: order, resumption, bounds of the history, and being stopped and started in callbacks. */
#include "fixture.h"

#include "base/buf.h"

static void note(void *ctx, enum store_event ev, const struct store_obj *obj,
                 const struct store_obj *prev)
{
    static const char letters[] = "AMD";

    buf_addf(ctx, "%c%llu", letters[ev], (unsigned long long)store_obj_rev(obj));
    if (prev)
        buf_addf(ctx, "<%llu", (unsigned long long)store_obj_rev(prev));
    buf_addz(ctx, " ");
}

static void events_come_in_order_with_what_was_before(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf b = BUF_INIT(10000);
    struct store_watch *w = store_watch_start(f->store, "/pods/a/", 0, note, &b, NULL);

    assert_int_equal(put(f, "/pods/a/x", 0, "1"), 1);
    put(f, "/pods/b/x", 0, "1");
    put(f, "/pods/a/x", 1, "2");
    del(f, "/pods/a/x");
    put(f, "/pods/a/x", 0, "3");
    assert_string_equal(b.p, "A1 M3<1 D4<3 A5 ");
    store_watch_stop(w);
    put(f, "/pods/a/y", 0, "1");
    assert_string_equal(b.p, "A1 M3<1 D4<3 A5 ");
}

static void nothing_is_told_before_its_commit(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf b = BUF_INIT(10000);
    struct store_watch *w = store_watch_start(f->store, "", 0, note, &b, NULL);

    begin_put(f, "/pods/a/x", 0, "1");
    assert_string_equal(buf_z(&b), "");
    wait_all(f);
    assert_string_equal(buf_z(&b), "A1 ");
    store_watch_stop(w);
}

static void a_watch_resumes_where_it_was(void **state)
{
    struct fixture *f = *state;
    char key[40];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "/pods/a/p%d", i % 20);
        const struct store_obj *o = store_get_latest(f->store, key, NULL);
        begin_put(f, key, o ? store_obj_rev(o) : 0, NULL);
    }
    wait_all(f);
    for (uint64_t from = 0; from <= 200; from += 13) {
        _cleanup_buf_ struct buf got = BUF_INIT(100000), want = BUF_INIT(100000);
        struct store_watch *w = store_watch_start(f->store, "/pods/", from, note, &got, NULL);
        for (uint64_t rev = from + 1; rev <= 200; rev++) {
            if (rev <= 20)
                buf_addf(&want, "A%llu ", (unsigned long long)rev);
            else
                buf_addf(&want, "M%llu<%llu ", (unsigned long long)rev,
                         (unsigned long long)rev - 20);
        }
        assert_string_equal(buf_z(&got), buf_z(&want));
        store_watch_stop(w);
    }
}

static void the_history_is_bounded(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf b = BUF_INIT(100000);
    struct err e = {0};
    char key[40];

    reopen(f, 10, 0);
    for (int i = 1; i <= 50; i++) {
        snprintf(key, sizeof(key), "/pods/a/p%d", i);
        put(f, key, 0, "x");
    }
    uint64_t oldest = store_compacted_rev(f->store, "");
    assert_in_range(oldest, 39, 40); /* trimming happens when the next commit is taken in */
    assert_null(store_watch_start(f->store, "", oldest - 1, note, &b, &e));
    assert_int_equal(e.code, -ESTALE);
    assert_non_null(strstr(e.msg, "compacted"));
    struct store_watch *w = store_watch_start(f->store, "", oldest, note, &b, &e);
    assert_non_null(w);
    assert_true(strncmp(b.p, "A40 ", 4) == 0 || strncmp(b.p, "A41 ", 4) == 0);
    store_watch_stop(w);
}

static void the_history_is_bounded_by_bytes(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *large = xmalloc(1 << 20);
    uint64_t rev = 0;

    memset(large, 'x', (1 << 20) - 1);
    large[(1 << 20) - 1] = '\0';
    for (int i = 0; i < 40; i++)
        rev = put(f, "/configmaps/a/c", rev, large);
    assert_true(store_compacted_rev(f->store, "") >= 20);
}

/* A flood of one kind takes nothing from the others, whose events are few. */
static void one_kind_costs_others_no_history(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *large = xmalloc(1 << 18);
    uint64_t rev = put(f, "/services/a/s", 0, "1"), first = rev;

    memset(large, 'x', (1 << 18) - 1);
    large[(1 << 18) - 1] = '\0';
    rev = put(f, "/services/a/s", rev, "2");
    rev = 0;
    for (int i = 0; i < 100; i++)
        rev = put(f, "/events/a/e", rev, large);
    assert_int_equal(store_compacted_rev(f->store, "/services/"), 0);
    assert_true(store_compacted_rev(f->store, "/events/") > 50);
    for (int round = 0; round < 2; round++) {
        _cleanup_buf_ struct buf b = BUF_INIT(1000);
        struct store_watch *w =
            store_watch_start(f->store, "/services/", first, note, &b, &f->last_error);
        if (!w)
            fail_msg("%s", f->last_error.msg);
        assert_string_equal(buf_z(&b), "M2<1 ");
        store_watch_stop(w);
        reopen(f, 0, 0);
    }
}

static void a_watch_goes_on_over_a_restart(void **state)
{
    struct fixture *f = *state;
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    put(f, "/pods/a/x", 0, "1");
    put(f, "/pods/a/x", 1, "2");
    put(f, "/pods/a/y", 0, "3");
    del(f, "/pods/a/x");
    reopen(f, 0, 0);
    struct store_watch *w = store_watch_start(f->store, "", 1, note, &b, &f->last_error);
    assert_non_null(w);
    put(f, "/pods/a/y", 3, "5");
    assert_string_equal(b.p, "M2<1 A3 D4<2 M5<3 ");
    store_watch_stop(w);
}

struct stopper {
    struct store_watch *victims[3];
    int calls;
};

static void stop_all(void *ctx, enum store_event ev, const struct store_obj *obj,
                     const struct store_obj *prev)
{
    struct stopper *s = ctx;

    s->calls++;
    for (int i = 0; i < 3; i++)
        store_watch_stop(steal(&s->victims[i]));
}

static void watches_can_be_stopped_in_a_callback(void **state)
{
    struct fixture *f = *state;
    struct stopper s = {0};

    for (int i = 0; i < 3; i++)
        s.victims[i] = store_watch_start(f->store, "", 0, stop_all, &s, NULL);
    put(f, "/pods/a/x", 0, "1");
    put(f, "/pods/a/y", 0, "1");
    assert_int_equal(s.calls, 1);
}

struct starter {
    struct fixture *f;
    struct store_watch *inner;
    struct buf seen;
};

static void start_inner(void *ctx, enum store_event ev, const struct store_obj *obj,
                        const struct store_obj *prev)
{
    struct starter *s = ctx;

    if (!s->inner)
        s->inner = store_watch_start(s->f->store, "", 0, note, &s->seen, NULL);
}

static void a_watch_started_in_a_callback_sees_each_event_once(void **state)
{
    struct fixture *f = *state;
    struct starter s = {.f = f, .seen = BUF_INIT(1000)};
    struct store_watch *outer = store_watch_start(f->store, "", 0, start_inner, &s, NULL);

    begin_put(f, "/pods/a/x", 0, "1");
    begin_put(f, "/pods/a/y", 0, "1");
    wait_all(f);
    assert_string_equal(s.seen.p, "A1 A2 ");
    store_watch_stop(outer);
    store_watch_stop(s.inner);
    buf_done(&s.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(events_come_in_order_with_what_was_before),
        STORE_TEST(nothing_is_told_before_its_commit),
        STORE_TEST(a_watch_resumes_where_it_was),
        STORE_TEST(the_history_is_bounded),
        STORE_TEST(the_history_is_bounded_by_bytes),
        STORE_TEST(one_kind_costs_others_no_history),
        STORE_TEST(a_watch_goes_on_over_a_restart),
        STORE_TEST(watches_can_be_stopped_in_a_callback),
        STORE_TEST(a_watch_started_in_a_callback_sees_each_event_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
