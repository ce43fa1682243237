/* The decision: targets (R), scale-down delay, decisions (S) and the shipped defaults, by the
 * facts' golden numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "plugin/autoscaler/kpa/spec.h"

#define T0 (1700000000 * NS_PER_SEC)

/* ---- targets ---- */
static void test_targets(void **state)
{
    static const struct {
        const char *annotations;
        int limit;
        double fraction, by_default, target, total;
    } cases[] = {
#define A(key, value) "\"autoscaling.knative.dev/" key "\":\"" value "\""
        {"", 0, 1, 100, 100, 100},
        {"", 0, .8, 100, 80, 100},
        {"", 0, .3, 2, .6, 2},
        {A("target-utilization-percentage", "75"), 12, .8, 100, 9, 12},
        {"", 10, .8, 100, 8, 10},
        {"", 1, .8, 100, .8, 1},
        {"", 1, 1, 100, 1, 1},
        {"", 10, 1, 100, 10, 10},
        {A("target", "1"), 0, 1, 100, 1, 1},
        {A("target", "1"), 0, .001, 100, .01, 1},
        {A("target", "1") "," A("target-utilization-percentage", "75"), 0, 1, 100, .75, 1},
        {A("target", "10") "," A("targetUtilizationPercentage", "75"), 0, 1, 100, 7.5, 10},
        {A("target", "1"), 10, 1, 100, 1, 1},
        {A("target", "500"), 0, 1, 100, 500, 500},
        {A("target", "10"), 1, 1, 100, 1, 1},
        {A("metric", "rps"), 1, 1, 100, 140, 200},
        {A("metric", "rps") "," A("target", "1"), 0, 1, 100, .7, 1},
        {A("metric", "rps") "," A("target-utilization-percentage", "75"), 0, 1, 100, 150, 200},
        {A("metric", "rps") "," A("target", "300"), 0, 1, 100, 210, 300},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"name\":\"r\",\"annotations\":{%s}},"
                                              "\"spec\":{\"containerConcurrency\":%d}}",
                                              cases[i].annotations, cases[i].limit);
        _cleanup_kobj_ const struct kobj *pa = kobj_parse(text, strlen(text), NULL);
        struct kpa_config c;
        struct decide_spec s;

        kpa_config_default(&c);
        c.target_fraction = cases[i].fraction;
        c.concurrency_default = cases[i].by_default;
        kpa_spec(pa, &c, &s);
        if (fabs(s.target - cases[i].target) > 1e-9 || fabs(s.total - cases[i].total) > 1e-9)
            fail_msg("R%zu: %f / %f", i + 1, s.target, s.total);
    }
}

static void test_spec(void **state)
{
    static const struct {
        const char *window, *percent;
        int seconds;
    } panic[] = {{"60s", "10", 6},
                 {"10s", "10", 1},
                 {"10m", "10", 60},
                 {"60s", "50", 30},
                 {"60s", "51", 31}};
    static const struct {
        const char *annotation;
        bool zero;
        int initial;
    } initial[] = {{"", false, 1}, {"2", false, 2}, {"0", true, 0}, {"0", false, 1}};
    struct kpa_config c;
    struct decide_spec s;
    struct kpa_bounds b;

    kpa_config_default(&c);
    for (size_t i = 0; i < ARRAY_LEN(panic); i++) {
        _cleanup_free_ char *text =
            xasprintf("{\"metadata\":{\"name\":\"r\",\"annotations\":{" A("window", "%s") "," A(
                          "panicWindowPercentage", "%s") "}}}",
                      panic[i].window, panic[i].percent);
        _cleanup_kobj_ const struct kobj *pa = kobj_parse(text, strlen(text), NULL);
        kpa_spec(pa, &c, &s);
        assert_int_equal(s.panic_ns / NS_PER_SEC, panic[i].seconds);
    }
    for (size_t i = 0; i < ARRAY_LEN(initial); i++) {
        _cleanup_free_ char *text =
            xasprintf("{\"metadata\":{\"name\":\"r\",\"annotations\":{%s%s%s}}}",
                      *initial[i].annotation ? "\"autoscaling.knative.dev/initial-scale\":\"" : "",
                      initial[i].annotation, *initial[i].annotation ? "\"" : "");
        _cleanup_kobj_ const struct kobj *pa = kobj_parse(text, strlen(text), NULL);
        c.allow_zero_initial = initial[i].zero;
        kpa_bounds(pa, &c, &b);
        assert_int_equal(b.initial, initial[i].initial);
    }
    const char *unreachable = "{\"metadata\":{\"name\":\"r\",\"annotations\":{" A(
        "min-scale", "3") "," A("max-scale", "5") "," A("scale-to-zero-pod-retention-period",
                                                        "1m") "}},\"spec\":{\"reachability\":"
                                                              "\"Unreachable\"}}";
    _cleanup_kobj_ const struct kobj *pa = kobj_parse(unreachable, strlen(unreachable), NULL);
    kpa_bounds(pa, &c, &b);
    assert_true(b.unreachable);
    assert_int_equal(b.min, 0);
    assert_int_equal(b.max, 5);
    assert_int_equal(b.retention_ns, 0);
    s = (struct decide_spec){.burst = 42, .initial = 2, .total = 25};
    assert_int_equal(decide_unknown(&s).excess, 8);
    assert_int_equal(decide_unknown(&s).desired, -1);
    s.burst = -1;
    assert_int_equal(decide_unknown(&s).excess, -1);
}

/* ---- delay ---- */
static void check_delay(const int *index, const int *in, const int *out, size_t n)
{
    struct delay d;

    delay_init(&d, 5 * DECIDE_EVERY_NS, DECIDE_EVERY_NS);
    for (size_t i = 0; i < n; i++) {
        int at = index ? index[i] : (int)i;
        assert_int_equal(delay_max(&d, T0 + at * DECIDE_EVERY_NS, in[i]), out[i]);
    }
    delay_done(&d);
}

static void test_delay_window(void **state)
{
#define INTS(...) ((const int[]){__VA_ARGS__})
    check_delay(NULL, INTS(5, 6, 5, 5, 5, 5, 5), INTS(5, 6, 6, 6, 6, 6, 5), 7);
    check_delay(NULL, INTS(5, 6, 5, 7, 5, 5, 1), INTS(5, 6, 6, 7, 7, 7, 7), 7);
    check_delay(NULL, INTS(5, 8, 5, 7, 5, 5), INTS(5, 8, 8, 8, 8, 8), 6);
    check_delay(NULL, INTS(5, 8, 5, 7, 5, 5, 1, 4, 4, 4, 4, 9, 3, 4, 2, 1, 0),
                INTS(5, 8, 8, 8, 8, 8, 7, 7, 5, 5, 4, 9, 9, 9, 9, 9, 4), 17);
    check_delay(INTS(0, 1, 2, 6), INTS(6, 5, 2, 1), INTS(6, 6, 6, 2), 4);
    check_delay(INTS(0, 0, 0, 0, 0, 0, 0), INTS(1, 2, 3, 4, 5, 6, 7), INTS(1, 2, 3, 4, 5, 6, 7), 7);
    check_delay(INTS(0, 0, 0, 0, 0, 0, 0), INTS(7, 6, 5, 4, 3, 2, 1), INTS(7, 7, 7, 7, 7, 7, 7), 7);

    struct delay d;
    delay_init(&d, 5 * NS_PER_SEC, NS_PER_SEC);
    assert_int_equal(delay_max(&d, T0, 6), 6);
    assert_int_equal(delay_max(&d, T0 + NS_PER_SEC / 2, 5), 6);
    delay_done(&d);
    delay_init(&d, 5 * NS_PER_SEC, NS_PER_SEC);
    assert_int_equal(delay_max(&d, T0, 5), 5);
    assert_int_equal(delay_max(&d, T0 + NS_PER_SEC, 8), 8);
    delay_done(&d);
    delay_init(&d, 5 * NS_PER_SEC, NS_PER_SEC);
    assert_int_equal(delay_max(&d, T0, 5), 5);
    assert_int_equal(delay_max(&d, T0 + 6 * NS_PER_SEC, 4), 4);
    delay_done(&d);
}

static struct decide_spec fixture(double target, double burst)
{
    return (struct decide_spec){.target = target,
                                .total = target / 0.75,
                                .burst = burst,
                                .activator_capacity = 100,
                                .up_rate = 10,
                                .down_rate = 10,
                                .panic_threshold = 2,
                                .stable_ns = 60 * NS_PER_SEC,
                                .panic_ns = 6 * NS_PER_SEC,
                                .initial = 1,
                                .reachable = true};
}

static struct decide_out ask(const struct decide_spec *s, struct decide_state *st, double t,
                             int ready, double stable, double panic)
{
    return decide(s, st,
                  &(struct decide_in){.now_ns = T0 + (int64_t)(t * 1e9),
                                      .valid = true,
                                      .ready = ready,
                                      .stable = stable,
                                      .panic = panic});
}

static void test_scale_down_delay(void **state)
{
    struct decide_spec s = fixture(10, 0);
    struct decide_state st;
    static const struct {
        double t, value;
        int want;
    } steps[] = {{2, 40, 4},   {300, 0, 4}, {302, 0, 0}, {540, 40, 4},
                 {600, 30, 4}, {660, 0, 4}, {840, 0, 3}, {900, 0, 0}};

    s.panic_threshold = 100;
    s.delay_ns = 300 * NS_PER_SEC;
    decide_begin(&st, &s, 1, T0);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        assert_int_equal(ask(&s, &st, steps[i].t, 1, steps[i].value, steps[i].value).desired,
                         steps[i].want);
    assert_int_equal(ask(&s, &st, 910, 1, 40, 40).desired, 4);
    s.reachable = false;
    assert_int_equal(ask(&s, &st, 912, 1, 0, 0).desired, 0);
    decide_end(&st);

    s = fixture(10, 0);
    s.panic_threshold = 100;
    decide_begin(&st, &s, 1, T0);
    assert_int_equal(ask(&s, &st, 0, 1, 40, 40).desired, 4);
    assert_int_equal(ask(&s, &st, 0.5, 1, 20, 20).desired, 2);
    decide_end(&st);
}

/* ---- decisions ---- */
enum variation {
    NONE = 0,
    GO_ON = 1,
    UNREACHABLE = 2,
    IN_PANIC = 4,
    ACTIVATION = 8,
    NEW_SPEC = 16
};

static void test_decisions(void **state)
{
    static const struct row {
        const char *name;
        double target, burst;
        int ready;
        double stable, panic;
        int how;
        double t, up, down; /* 0 = the fixture's */
        int desired, excess;
    } rows[] = {
        {"S1", 10, 100, 1, 0, 0, NONE, 0, 0, 0, 0, -87},
        {"S2", 181, -1, 1, 21, 26, NONE, 0, 0, 0, 1, -1},
        {"S3", 10, 0, 1, 50, 49, NONE, 0, 0, 0, 5, 0},
        {"S4", 10, 100, 1, 50, 50, NONE, 0, 0, 0, 5, -137},
        {"S5", 10, 100, 5, 50, 50, NONE, 0, 0, 0, 5, -84},
        {"S6", 1, 1982, 2, 3, 3.1, NONE, 0, 1.1, 0, 3, -1983},
        {"S7", 10, 1982, 100, 1, 1, NONE, 0, 0, 1.1, 90, -650},
        {"S8", 10, 1982, 100, 1, 1, UNREACHABLE, 0, 0, 1.1, 1, -650},
        {"S9", 10, 84, 1, 50, 100, NONE, 0, 0, 0, 10, -171},
        {"S10", 1, 100, 5, 50, 30, IN_PANIC, 0, 0, 0, 50, -124},
        {"S11", 1, 100, 5, 20, 30, IN_PANIC, 0, 0, 0, 30, -124},
        {"S12", 10, 101, 1, 50, 10, NONE, 0, 0, 0, 5, -98},
        {"S12b", 10, 101, 1, 100, 10, GO_ON, 0, 0, 0, 10, -98},
        {"S13", 10, 101, 1, 50, 50, NONE, 0, 0, 0, 5, -138},
        {"S13b", 10, 101, 1, 100, 99, GO_ON, 0, 0, 0, 10, -187},
        {"S14", 10, 100, 1, 100, 99, NONE, 0, 0, 0, 10, -186},
        {"S15", 1, 98, 10, 11, 25, NONE, 0, 0, 0, 25, -110},
        {"S15b", 1, 98, 40, 30, 41, GO_ON, 30, 0, 0, 41, -86},
        {"S15c", 1, 98, 55, 50, 56, GO_ON, 62, 0, 0, 50, -81},
        {"S16", 1, 98, 10, 11, 25, NONE, 0, 0, 0, 25, -110},
        {"S16b", 1, 98, 40, 30, 80, GO_ON, 30, 0, 0, 80, -125},
        {"S17", 10, 98, 8, 100, 100, NONE, 0, 0, 0, 10, -92},
        {"S17b", 10, 98, 8, 50, 50, GO_ON, 0, 0, 0, 5, -42},
        {"S18", 10, 75, 1, 1, 0, NONE, 0, 0, 0, 1, -62},
        {"S18b", 10, 75, 1, 0, 0, GO_ON, 0, 0, 0, 0, -62},
        {"S19", 10, 75, 1, 0, 0, ACTIVATION, 0, 0, 0, 0, -62},
        {"S19b", 10, 75, 1, 1, 0, GO_ON | ACTIVATION, 0, 0, 0, 2, -62},
        {"S20", 1, 101, 1, 6, 6, NONE, 0, 0, 0, 6, -106},
        {"S20b", 1, 101, 6, 36, 36, GO_ON, 0, 0, 0, 36, -129},
        {"S20c", 1, 101, 36, 216, 216, GO_ON, 1, 0, 0, 216, -269},
        {"S20d", 1, 101, 216, 1296, 1296, GO_ON, 1, 0, 0, 1296, -1109},
        {"S20e", 1, 101, 1296, 1296, 1296, GO_ON, 2, 0, 0, 1296, 331},
        {"S21", 10, 93, 1, 100, 100, NONE, 0, 0, 0, 10, -180},
        {"S21b", 10, 93, 10, 100, 1000, GO_ON, 0, 0, 0, 100, -960},
        {"S21c", 10, 93, 10, 1, 1, GO_ON, 30, 0, 0, 100, 39},
        {"S21d", 10, 93, 10, 1, 1, GO_ON, 61, 0, 0, 1, 39},
        {"S22", 10, 61, 1, 1000, 1001, NONE, 0, 0, 0, 10, -1049},
        {"S22b", 10, 61, 10, 1000, 1001, GO_ON, 0, 0, 0, 100, -929},
        {"S23", 10, 61, 100, 1, 1, NONE, 0, 0, 0, 10, 1271},
        {"S23b", 10, 61, 10, 1, 1, GO_ON, 0, 0, 0, 1, 71},
        {"S24", 10, 81, 0, 1000, 888, NONE, 0, 0, 0, 10, -969},
        {"S25", 10, 77, 1, 100, 101, NONE, 0, 0, 0, 10, -165},
        {"S25b", 1, 71, 10, 100, 101, GO_ON | NEW_SPEC | UNREACHABLE, 0, 0, 0, 100, -159},
    };
    struct decide_state st = {0};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct decide_spec s = fixture(r->target, r->burst);
        s.up_rate = r->up > 0 ? r->up : s.up_rate;
        s.down_rate = r->down > 0 ? r->down : s.down_rate;
        s.reachable = !(r->how & UNREACHABLE);
        s.activation = r->how & ACTIVATION ? 2 : 0;
        if (!(r->how & GO_ON)) {
            decide_end(&st);
            decide_begin(&st, &s, 1, T0);
        }
        if (r->how & IN_PANIC) {
            st.panicking = true;
            st.panic_ns = T0 - 5 * NS_PER_SEC;
            st.max_panic = 5;
        }
        struct decide_out out = ask(&s, &st, r->t, r->ready, r->stable, r->panic);
        if (!out.valid || out.desired != r->desired || abs(out.excess - r->excess) > 1)
            fail_msg("%s: %d and %d instead of %d and %d", r->name, out.desired, out.excess,
                     r->desired, r->excess);
        if (streq(r->name, "S15b"))
            assert_int_equal(st.panic_ns, T0);
        if (streq(r->name, "S16b"))
            assert_int_equal(st.panic_ns, T0 + 30 * NS_PER_SEC);
        if (streq(r->name, "S14"))
            assert_true(st.panicking);
    }
    /* S26: without data nothing moves. */
    struct decide_spec s = fixture(10, 0);
    struct decide_state before = st;
    assert_false(
        decide(&s, &st, &(struct decide_in){.now_ns = T0, .ready = 5, .panic = 1e6}).valid);
    assert_int_equal(st.panic_ns, before.panic_ns);
    decide_end(&st);
}

static void test_defaults(void **state)
{
    static const struct {
        int ready;
        double value;
        int desired, excess;
        bool panic;
    } rows[] = {{1, 0, 0, -111, false}, {1, 10, 1, -121, false}, {2, 100, 2, -111, false},
                {3, 70, 1, 19, false},  {3, 89, 2, 0, false},    {3, 90, 2, -1, false},
                {5, 200, 3, 89, false}, {1, 140, 2, -251, true}, {1, 141, 3, -252, true},
                {1, 300, 5, -411, true}};
    _cleanup_kobj_ const struct kobj *pa = kobj_parse("{\"metadata\":{\"name\":\"r\"}}", 25, NULL);
    struct kpa_config c;
    struct decide_spec s;

    kpa_config_default(&c);
    kpa_spec(pa, &c, &s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct decide_state st;
        decide_begin(&st, &s, 1, T0);
        struct decide_out out = ask(&s, &st, 0, rows[i].ready, rows[i].value, rows[i].value);
        assert_int_equal(out.desired, rows[i].desired);
        assert_int_equal(out.excess, rows[i].excess);
        assert_int_equal(st.panicking, rows[i].panic);
        decide_end(&st);
    }
}

static void test_restart_beside_pods(void **state)
{
    struct decide_spec s = fixture(10, 0);
    struct decide_state st;

    decide_begin(&st, &s, 4, T0); /* starts in panic: the four stay for a window */
    assert_int_equal(ask(&s, &st, 2, 4, 0, 0).desired, 4);
    assert_int_equal(ask(&s, &st, 61, 4, 0, 0).desired, 0);
    decide_end(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_spec),
        cmocka_unit_test(test_delay_window),
        cmocka_unit_test(test_scale_down_delay),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_restart_beside_pods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
