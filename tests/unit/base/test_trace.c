/* Traces: spans that follow one another, told once, the oldest making room. */
#include "base/trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int set_up(void **state)
{
    *state = trace_table_new();
    return 0;
}

static int tear_down(void **state)
{
    trace_table_free(*state);
    return 0;
}

static void spans_follow_one_another(void **state)
{
    const struct trace_sink *s = trace_table_sink(*state);
    struct trace t;

    trace_begin(s, "ns/rev", 100);
    trace_mark(s, "ns/rev", "decide", 110);
    trace_mark(s, "ns/rev", "create", 150);
    assert_int_equal(trace_read(s, "ns/rev", &t), 0);
    assert_int_equal(t.end_ns, 0);
    trace_end(s, "ns/rev", 200);
    assert_int_equal(trace_read(s, "ns/rev", &t), 0);
    assert_int_equal(t.begin_ns, 100);
    assert_int_equal(t.end_ns, 200);
    assert_int_equal(t.n_spans, 2);
    assert_string_equal(t.spans[0].name, "decide");
    assert_int_equal(t.spans[0].begin_ns, 100);
    assert_int_equal(t.spans[0].end_ns, 110);
    assert_string_equal(t.spans[1].name, "create");
    assert_int_equal(t.spans[1].begin_ns, 110);
    assert_int_equal(t.spans[1].end_ns, 150);
}

static void what_comes_twice_counts_once(void **state)
{
    const struct trace_sink *s = trace_table_sink(*state);
    struct trace t;

    trace_begin(s, "ns/rev", 1);
    trace_mark(s, "ns/rev", "decide", 2);
    trace_begin(s, "ns/rev", 3); /* a second request of the same start */
    trace_mark(s, "ns/rev", "decide", 4);
    assert_int_equal(trace_read(s, "ns/rev", &t), 0);
    assert_int_equal(t.begin_ns, 1);
    assert_int_equal(t.n_spans, 1);
    assert_int_equal(t.spans[0].end_ns, 2);
}

static void nothing_is_told_of_what_does_not_run(void **state)
{
    const struct trace_sink *s = trace_table_sink(*state);
    struct trace t;

    trace_mark(s, "ns/none", "create", 1);
    trace_end(s, "ns/none", 2);
    assert_int_equal(trace_read(s, "ns/none", &t), -ENOENT);
    assert_int_equal(trace_read(s, "", &t), -ENOENT);
    trace_begin(s, "ns/rev", 1);
    trace_end(s, "ns/rev", 2);
    trace_mark(s, "ns/rev", "late", 3);
    assert_int_equal(trace_read(s, "ns/rev", &t), 0);
    assert_int_equal(t.n_spans, 0);
    trace_begin(s, "ns/rev", 4); /* the next start */
    assert_int_equal(trace_read(s, "ns/rev", &t), 0);
    assert_int_equal(t.begin_ns, 4);
    assert_int_equal(t.end_ns, 0);
}

static void everything_is_bounded(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    const struct trace_sink *s = trace_table_sink(*state);
    char subject[2 * TRACE_SUBJECT_MAX];
    struct trace t;

    for (int i = 0; i < 4 * TRACE_TABLE_MAX; i++) {
        snprintf(subject, sizeof(subject), "ns/rev-%d", i);
        trace_begin(s, subject, i);
    }
    assert_int_equal(trace_read(s, subject, &t), 0);
    assert_int_equal(trace_read(s, "ns/rev-0", &t), -ENOENT);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        trace_mark(s, subject, names[i], (int64_t)i);
    assert_int_equal(trace_read(s, subject, &t), 0);
    assert_int_equal(t.n_spans, TRACE_SPANS_MAX);
    snprintf(subject, sizeof(subject), "%0*d", TRACE_SUBJECT_MAX, 0);
    trace_begin(s, subject, 1);
    assert_int_equal(trace_read(s, subject, &t), -ENOENT);
}

static void two_sinks_know_nothing_of_each_other(void **state)
{
    struct trace_table *other = trace_table_new();
    struct trace t;

    trace_begin(trace_table_sink(*state), "ns/rev", 1);
    assert_int_equal(trace_read(trace_table_sink(other), "ns/rev", &t), -ENOENT);
    trace_table_free(other);
}

static void no_sink_is_accepted(void **state)
{
    struct trace t;

    trace_begin(NULL, "ns/rev", 1);
    trace_mark(NULL, "ns/rev", "decide", 2);
    trace_end(NULL, "ns/rev", 3);
    assert_int_equal(trace_read(NULL, "ns/rev", &t), -ENOENT);
    trace_table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spans_follow_one_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_twice_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_told_of_what_does_not_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(everything_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_sinks_know_nothing_of_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_sink_is_accepted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
