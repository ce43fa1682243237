/* Windows and the signal hub; cases B1 to B17 of the facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/clock.h"
#include "plugin/autoscaler/signal/signal.h"
#include "plugin/autoscaler/signal/window.h"

/* Upstream's times start at a whole minute; any will do. */
#define BASE  (1700000040 * NS_PER_SEC)
#define AT(s) (BASE + (int64_t)((s)*1e9))
#define W(n)  ((n)*NS_PER_SEC)

static void near(double got, double want)
{
    if (fabs(got - want) > 1e-5)
        fail_msg("%f instead of %f", got, want);
}

static void test_averages(void **state)
{
    struct window w;

    window_init(&w, W(5));
    assert_true(window_empty(&w, AT(0)));
    near(window_average(&w, AT(0)), 0);
    window_record(&w, AT(0), 1);
    near(window_average(&w, AT(0)), 1); /* B1 */
    for (int i = 1; i <= 4; i++)
        window_record(&w, AT(i), i + 1);
    near(window_average(&w, AT(4)), 3); /* B2 */
    near(window_average(&w, AT(4.6)), 3);
    near(window_average(&w, AT(6)), 4);
    near(window_average(&w, AT(10)), 0);
    window_record(&w, AT(6), 91);
    near(window_average(&w, AT(6)), 20.6); /* B3 */
    window_record(&w, AT(66), 1984);
    near(window_average(&w, AT(66)), 1984); /* B4 */
    window_record(&w, AT(63), 4);
    near(window_average(&w, AT(66)), 497); /* B5 */
    window_record(&w, AT(67), 5);
    near(window_average(&w, AT(67)), 398.6); /* B6 */
    window_record(&w, AT(64), 10);
    near(window_average(&w, AT(67)), 400.6); /* B7 */
    window_record(&w, AT(61), 10);
    window_record(&w, AT(62), 10);
    near(window_average(&w, AT(67)), 400.6); /* B8 */
    window_record(&w, AT(72), 10);
    near(window_average(&w, AT(72)), 10); /* B9 */
    assert_false(window_empty(&w, AT(77)));
    assert_true(window_empty(&w, AT(78)));
    window_done(&w);

    window_init(&w, W(5));
    for (int i = 8; i >= 0; i--)
        window_record(&w, AT(i), 5);
    near(window_average(&w, AT(5)), 5); /* B10 */
    window_done(&w);
}

static void test_weighted(void **state)
{
    struct window w;

    window_init(&w, W(5));
    for (int i = 0; i < 6; i++)
        window_record(&w, AT(i), i + 1);
    near(window_weighted(&w, AT(5)), 5.811580); /* B11 */
    window_done(&w);

    window_init(&w, W(5));
    window_record(&w, AT(0), 2);
    near(window_weighted(&w, AT(0)), 1.683021); /* B12 */
    near(window_weighted(&w, AT(1)), 0.266741);
    window_record(&w, AT(1), 2);
    near(window_weighted(&w, AT(1)), 1.949762);
    for (int i = 2; i <= 6; i++)
        window_record(&w, AT(i), i);
    near(window_weighted(&w, AT(6)), 5.811580);
    near(window_weighted(&w, AT(16)), 0);
    window_done(&w);
}

static void test_resize(void **state)
{
    struct window w;

    window_init(&w, W(5));
    for (int i = 0; i < 6; i++)
        window_record(&w, AT(i), i + 1);
    near(window_average(&w, AT(5)), 4); /* B13 */
    window_resize(&w, W(10), AT(5));
    near(window_average(&w, AT(5)), 4); /* B14 */
    window_record(&w, AT(6), 7);
    near(window_average(&w, AT(6)), 4.5);
    window_resize(&w, W(4), AT(6));
    near(window_average(&w, AT(6)), 5.5); /* B15 */
    window_resize(&w, W(7), AT(600));
    near(window_average(&w, AT(600)), 0); /* stale data does not survive */
    window_done(&w);
}

static void test_several_samples_in_a_second(void **state)
{
    struct window w;

    window_init(&w, W(60));
    for (int i = 0; i < 3; i++)
        window_record(&w, AT(0), 10);
    near(window_average(&w, AT(0)), 30); /* B17 */
    window_done(&w);
}

static void report(struct signal_hub *h, const char *revision, int64_t at, double concurrency,
                   double rps)
{
    signal_report(h, "ns", revision,
                  &(struct signal_sample){.at_ns = at, .concurrency = concurrency, .rps = rps});
}

static void test_hub(void **state)
{
    struct signal_hub *h = signal_hub_new();
    struct signal_view v;

    report(h, "a", AT(0), 1, 1); /* nobody asked for it */
    assert_false(signal_get(h, "ns", "a", AT(0), &v));
    signal_open(h, "ns", "a", W(6), W(2), W(1));
    assert_true(signal_get(h, "ns", "a", AT(0), &v));
    assert_false(v.any);
    for (int i = 0; i < 10; i++)
        report(h, "a", AT(i), 5 + i, 50 + i);
    signal_open(h, "ns", "a", W(6), W(2), W(1)); /* again, the same */
    assert_true(signal_get(h, "ns", "a", AT(9), &v));
    assert_true(v.any);
    near(v.stable_concurrency, 11.5); /* B16 */
    near(v.panic_concurrency, 13.5);
    near(v.stable_rps, 56.5);
    assert_int_equal(v.last_arrival_ns, AT(9));
    signal_get(h, "ns", "a", AT(12),
               &v); /* silence: 9 to 14, then zero; two seconds may still be on their way */
    near(v.stable_concurrency, (12 + 13 + 14 + 0) / 4.0);
    near(v.panic_concurrency, 0);
    signal_get(h, "ns", "a", AT(14), &v);
    near(v.stable_concurrency, (14 + 0 + 0 + 0) / 4.0);
    signal_close(h, "ns", "a");
    assert_false(signal_get(h, "ns", "a", AT(9), &v));
    signal_hub_free(h);
}

static void on_arrival(void *ctx, const char *ns, const char *revision)
{
    assert_string_equal(ns, "ns");
    assert_string_equal(revision, "a");
    (*(int *)ctx)++;
}

static void test_arrival_counts_at_once(void **state)
{
    struct signal_hub *h = signal_hub_new();
    struct signal_view v;
    int calls = 0;

    signal_on_arrival(h, on_arrival, &calls);
    signal_arrival(h, "ns", "a", W(1)); /* not open */
    assert_int_equal(calls, 0);
    signal_open(h, "ns", "a", W(60), W(6), W(1));
    int64_t now = W(100);
    signal_arrival(h, "ns", "a", now);
    signal_arrival(h, "ns", "a", now);
    assert_int_equal(calls, 2);
    assert_true(signal_get(h, "ns", "a", now, &v));
    assert_true(v.stable_concurrency > 0 && v.stable_concurrency <= 1);
    assert_int_equal(v.waiting, 1);
    /* The next sample has the same request in it. */
    report(h, "a", now + 5 * NS_PER_SEC, 3, 3);
    signal_get(h, "ns", "a", now + 5 * NS_PER_SEC, &v);
    near(v.stable_concurrency, 0.5); /* (1 + 2) / 6 s */
    signal_hub_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_averages), cmocka_unit_test(test_weighted),
        cmocka_unit_test(test_resize),   cmocka_unit_test(test_several_samples_in_a_second),
        cmocka_unit_test(test_hub),      cmocka_unit_test(test_arrival_counts_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
