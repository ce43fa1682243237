/* config-autoscaler (C), the way to replicas (Z), activators, and the status of a PodAutoscaler
 * (§2.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/clock.h"
#include "contract/conditions.h"
#include "contract/names.h"
#include "plugin/autoscaler/kpa/scale.h"
#include "plugin/autoscaler/kpa/status.h"

/* ---- configuration ---- */
static int read_config(struct kpa_config *c, const char *data)
{
    struct err e;
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"config-autoscaler\"},\"data\":{%s}}", data);
    _cleanup_kobj_ const struct kobj *map = kobj_parse(text, strlen(text), &e);

    assert_non_null(map);
    return kpa_config_autoscaler(c, map, &e);
}

#define K(key, value) "\"" key "\":\"" value "\""
#define PERCENT       "container-concurrency-target-percentage"
#define PER_POD       "container-concurrency-target-default"

static void test_config_accepted(void **state)
{
    static const char *const good[] = {
        "",
        K("max-scale-up-rate", "1.001") "," K(PERCENT, "0.5") "," K(PER_POD, "10.0") "," K(
            "target-burst-capacity", "0") "," K("activator-capacity", "1"),
        K("target-burst-capacity", "-1"),
        K("enable-scale-to-zero", "false") "," K("min-scale", "1") "," K("max-scale", "2"),
        K("allow-zero-initial-scale", "true") "," K("initial-scale", "0"),
        K("max-scale", "10"),
        K("max-scale", "10") "," K("max-scale-limit", "11"),
        K("min-scale", "4"),
        K("tick-interval", "nonsense") "," K("_example", "max-scale: x"),
    };
    struct kpa_config c;

    kpa_config_default(&c);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(read_config(&c, good[i]), 0);
    assert_int_equal(
        read_config(
            &c,
            K(PERCENT, "0.71") "," K(PER_POD, "10.5") "," K("requests-per-second-target-default", "10.11") "," K(
                "target-burst-capacity",
                "12345") "," K("max-scale-up-rate",
                               "1.01") "," K("max-scale-down-rate",
                                             "3") "," K("stable-window",
                                                        "5m") "," K("scale-down-delay",
                                                                    "15m") "," K("activator-"
                                                                                 "capacity",
                                                                                 "905") "," K("pod-"
                                                                                              "auto"
                                                                                              "scal"
                                                                                              "er-"
                                                                                              "clas"
                                                                                              "s",
                                                                                              "some"
                                                                                              ".cla"
                                                                                              "ss") "," K("scale-to-zero-pod-retention-period",
                                                                                                          "2m3s")),
        0);
    assert_true(fabs(c.target_fraction - .71) < 1e-9 && fabs(c.concurrency_default - 10.5) < 1e-9);
    assert_true(fabs(c.rps_default - 10.11) < 1e-9 && fabs(c.burst - 12345) < 1e-9);
    assert_true(c.stable_ns == 300 * NS_PER_SEC && c.delay_ns == 900 * NS_PER_SEC);
    assert_true(c.retention_ns == 123 * NS_PER_SEC);
    assert_int_equal(read_config(&c, K(PERCENT, "55")), 0);
    assert_true(fabs(c.target_fraction - .55) < 1e-9);
    assert_true(fabs(c.burst - 211) < 1e-9); /* what a map does not say is at its default again */
    assert_int_equal(read_config(&c, K("enable-scale-to-zero", "TRUE")), 0);
    assert_true(c.scale_to_zero);
    assert_int_equal(read_config(&c, K("scale-to-zero-grace-period", "33s")), 0);
    assert_int_equal(c.grace_ns, 33 * NS_PER_SEC);
}

static void test_config_refused(void **state)
{
    static const char *const bad[] = {
        K("max-scale-up-rate", "not a float"),
        K("stable-window", "not a duration"),
        K("allow-zero-initial-scale", "invalid"),
        K("initial-scale", "invalid"),
        K("scale-down-delay", "-1m23s"),
        K("scale-down-delay", "61984ms"),
        K("scale-to-zero-pod-retention-period", "-4m11s"),
        K("target-burst-capacity", "-11"),
        K(PERCENT, "-42"),
        K(PERCENT, "142.4"),
        K("requests-per-second-target-default", "-5.25"),
        K("max-scale-up-rate", "1"),
        K("max-scale-down-rate", "1"),
        K("max-scale-down-rate", "-55"),
        K("stable-window", "1h1s"),
        K("stable-window", "1s"),
        K("stable-window", "61984ms"),
        K("activator-capacity", "0.95"),
        K("panic-window-percentage", "0.1"),
        K("panic-window-percentage", "110"),
        K(PERCENT, "1") "," K(PER_POD, "0.001"),
        K("scale-to-zero-grace-period", "0s"),
        K("allow-zero-initial-scale", "false") "," K("initial-scale", "0"),
        K("initial-scale", "-1"),
        K("max-scale", "-1"),
        K("max-scale-limit", "-9"),
        K("max-scale", "10") "," K("max-scale-limit", "9"),
        K("max-scale", "0") "," K("max-scale-limit", "11"),
        K("min-scale", "4") "," K("max-scale", "3"),
    };
    struct kpa_config c;

    kpa_config_default(&c);
    c.burst = 77;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (read_config(&c, bad[i]) == 0)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_true(fabs(c.burst - 77) < 1e-9); /* the last good one stays */
}

/* ---- scale ---- */
#define SEC(n) ((int64_t)((n)*1e9))
#define W      300.0
#define G      60.0

static void test_scale(void **state)
{
    static const struct row {
        const char *name;
        enum kpa_active active;
        double since;
        int start, desired, want, patched; /* patched -1 = no write */
        bool again;
        /* what differs from the fixture */
        double window, retention, proxied, deadline;
        bool proxy, unreachable, initialized, no_zero;
        int min, max, initial;
    } rows[] = {
        {"Z1", KPA_ACTIVE, W - 1, 1, 0, 1, -1, true},
        {"Z2", KPA_ACTIVE, 44, 1, 0, 1, -1, true, .window = 45},
        {"Z3", KPA_ACTIVE, 300, 1, 0, 0, -1, false, .window = 45},
        {"Z4", KPA_ACTIVE, W - 1, 10, 0, 1, 1, true},
        {"Z5", KPA_ACTIVE, W, 1, 0, 0, -1, false},
        {"Z6", KPA_ACTIVE, W, 1, 0, 0, -1, true, .proxy = true},
        {"Z7", KPA_INACTIVE, G, 1, 0, 0, 0, false},
        {"Z8", KPA_INACTIVE, G, 1, 0, 0, -1, true, .retention = 2 * G},
        {"Z10", KPA_INACTIVE, G, 1, 0, 0, 0, false, .retention = G},
        {"Z11", KPA_INACTIVE, G, 1, 0, 0, 0, false},
        {"Z12", KPA_INACTIVE, G - 1, 1, 0, 0, -1, true},
        {"Z13", KPA_INACTIVE, G - 1, 1, 0, 0, -1, true, .proxied = G - 1},
        {"Z14", KPA_INACTIVE, G - 1, 1, 0, 0, 0, false, .proxied = G, .retention = 42},
        {"Z15", KPA_INACTIVE, G - 1, 1, 0, 0, 0, false, .proxied = G},
        {"Z18", KPA_ACTIVATING, 75.5, 1, 0, -1, -1, true},
        {"Z19", KPA_ACTIVATING, 152, 1, 0, 0, 0, false},
        {"Z20", KPA_ACTIVATING, 36, 1, 0, 0, 0, false, .deadline = 5},
        {"Z21", KPA_INACTIVE, G, 10, 0, 2, 2, false, .min = 2},
        {"Z21b", KPA_INACTIVE, G - 1, 10, 0, 2, 2, false, .min = 2},
        {"Z22", KPA_INACTIVE, G, 10, 0, 0, 0, false, .unreachable = true},
        {"Z24", KPA_INACTIVE, G - 1, 1, 0, 0, -1, true, .unreachable = true},
        {"Z25", KPA_ACTIVE, 5, 1, 10, 10, 10, false},
        {"Z26", KPA_INACTIVE, 5, 1, 10, 8, 8, false, .max = 8},
        {"Z27", KPA_INACTIVE, G / 2, 1, 10, 10, 10, false},
        {"Z28", KPA_INACTIVE, 5, 0, -1, -1, -1, false},
        {"Z29", KPA_ACTIVE, 5, 0, 1, 1, 1, false},
        {"Z29b", KPA_INACTIVE, 5, 0, 10, 10, 10, false},
        {"Z30", KPA_ACTIVE, 5, 12, -1, -1, -1, false},
        {"Z31", KPA_ACTIVE, 120, 2, 0, 1, 1, true, .initialized = true, .initial = 2},
        {"Z32", KPA_ACTIVATING, 5, 0, 1, 2, 2, false, .initial = 2},
        {"Z33", KPA_ACTIVATING, 5, 5, 1, 5, -1, false, .initial = 5},
        {"Z34", KPA_INACTIVE, 0, 0, 0, 0, -1, true},
        {"Z35", KPA_ACTIVE, 120, 2, 0, 1, 1, true, .initial = 2, .unreachable = true},
        {"Z36", KPA_ACTIVE, 5, 10, 0, 1, 1, false, .no_zero = true},
        {"Z37", KPA_ACTIVE, 5, 10, 0, 2, 2, false, .no_zero = true, .min = 2},
        {"Z38", KPA_ACTIVE, 5, 10, -1, -1, -1, false, .no_zero = true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct scale_in in = {
            .desired = r->desired,
            .bounds = {.min = r->min,
                       .max = r->max,
                       .initial = r->initial ? r->initial : 1,
                       .retention_ns = SEC(r->retention),
                       .progress_deadline_ns = SEC(r->deadline > 0 ? r->deadline : 121),
                       .unreachable = r->unreachable},
            .initialized = r->initialized,
            .scale_to_zero = !r->no_zero,
            .active = r->active,
            .active_for_ns = SEC(r->since),
            .window_ns = SEC(r->window > 0 ? r->window : W),
            .grace_ns = SEC(G),
            .proxy = r->proxy,
            .proxy_for_ns = r->proxied > 0 ? SEC(r->proxied) : -1,
        };
        struct scale_out out = kpa_scale(&in);
        int patched = out.apply && out.want != r->start ? out.want : -1;
        if (out.want != r->want || patched != r->patched || (out.requeue_ns >= 0) != r->again)
            fail_msg("%s: want %d patched %d again %d", r->name, out.want, patched,
                     out.requeue_ns >= 0);
    }
}

static void test_activators(void **state)
{
    struct decide_spec s = {.total = 100, .activator_capacity = 100, .burst = 200};

    assert_int_equal(kpa_activators(&s, 0), 2);
    assert_int_equal(kpa_activators(&s, 1), 3);
    assert_int_equal(kpa_activators(&s, 15), 17);
    s.burst = 0;
    assert_int_equal(kpa_activators(&s, 100), 2);
    s.burst = -1;
    assert_int_equal(kpa_activators(&s, 5), 5);
}

/* ---- status ---- */
#define NOW (1700000000 * NS_PER_SEC)

static struct plan *mark(const char *active, bool initialized, bool service, const char *scales,
                         int ready, int want, int min, int initial)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"r\",\"generation\":1},\"status\":{"
                  "\"observedGeneration\":1,%s%s\"conditions\":["
                  "{\"type\":\"Active\",\"status\":\"%s\"},{\"type\":\"ScaleTargetInitialized\","
                  "\"status\":\"%s\"}]}}",
                  scales, *scales ? "," : "", active, initialized ? "True" : "Unknown");
    const char *sks_text =
        "{\"metadata\":{\"name\":\"r\",\"generation\":1},\"status\":{\"observedGeneration\":1,"
        "\"serviceName\":\"r\",\"privateServiceName\":\"r-private\",\"conditions\":[{\"type\":"
        "\"Ready\",\"status\":\"True\"}]}}";
    _cleanup_kobj_ const struct kobj *pa = kobj_parse(text, strlen(text), NULL);
    _cleanup_kobj_ const struct kobj *sks =
        service ? kobj_parse(sks_text, strlen(sks_text), NULL) : NULL;
    struct kpa_bounds b = {.min = min, .initial = initial};
    struct plan *p = plan_new();
    struct cond c;

    assert_non_null(pa);
    cs_begin(&c, &CS_PODAUTOSCALER, pa, NOW);
    kpa_mark(&c, &(struct kpa_result){.want = want, .ready = ready, .bounds = &b, .sks = sks});
    assert_true(cs_end(&c, p, &KR_PODAUTOSCALER));
    return p;
}

static void test_status(void **state)
{
    static const struct row {
        const char *was;
        bool initialized, service;
        int ready, want, min, initial;
        const char *active, *reason; /* afterwards */
        bool initialized_after;
    } rows[] = {
        {"Unknown", false, true, 0, 1, 0, 1, "Unknown", "Queued", false},
        {"Unknown", false, true, 1, 1, 0, 1, "True", NULL, true},
        {"True", true, true, 1, 0, 0, 1, "False", "NoTraffic", true},
        {"Unknown", false, true, 0, 0, 0, 1, "False", "TimedOut", false},
        {"Unknown", true, true, 1, 0, 0, 1, "False", "TimedOut", true},
        {"False", true, true, 0, 1, 0, 1, "Unknown", "Queued", true},
        {"False", true, true, 0, -1, 0, 1, "False", "NoTraffic", true},
        {"False", true, true, 12, 11, 11, 1, "True", NULL, true},
        {"True", true, true, 10, 11, 11, 1, "Unknown", "Queued", true},
        {"Unknown", false, true, 1, 2, 2, 1, "Unknown", "Queued", false},
        {"Unknown", false, true, 0, -1, 0, 0, "False", "NoTraffic", true},    /* K30 */
        {"Unknown", false, false, 0, -1, 0, 0, "False", "NoTraffic", false},  /* K31 */
        {"Unknown", false, true, 11, 20, 11, 20, "Unknown", "Queued", false}, /* K28 */
        {"Unknown", false, true, 20, 20, 11, 20, "True", NULL, true},         /* K29 */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct plan *p =
            mark(r->was, r->initialized, r->service, "", r->ready, r->want, r->min, r->initial);
        _cleanup_kobj_ const struct kobj *o = kmut_freeze(plan_at(p, 0)->obj);
        if (!kobj_condition_is(o, COND_ACTIVE, r->active) ||
            !streq(jget_str(kobj_condition(o, COND_ACTIVE), "reason"), r->reason) ||
            kobj_condition_is(o, COND_SCALE_INITIALIZED, "True") != r->initialized_after)
            fail_msg("row %zu: %s", i, jget_str(kobj_condition(o, COND_ACTIVE), "reason"));
        assert_string_equal(jget_str(kobj_root(o), "status", "serviceName"), r->service ? "r" : "");
        assert_int_equal(kobj_condition_is(o, COND_READY, "True"),
                         streq(r->active, "True") && r->service && r->initialized_after);
        plan_free(p);
    }
}

static void test_status_scales(void **state)
{
    static const struct {
        const char *before;
        int ready, want;
        const char *after;
    } rows[] = {{"", 0, 1, "0/1"},
                {"\"actualScale\":0,\"desiredScale\":1", 1, 1, "1/1"},
                {"\"actualScale\":1,\"desiredScale\":2", 2, -1, "2/2"},
                {"", 0, -1, "0/-1"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan *p =
            mark("True", true, true, rows[i].before, rows[i].ready, rows[i].want, 0, 1);
        yyjson_mut_val *root = plan_at(p, 0)->obj->root;
        _cleanup_free_ char *got =
            xasprintf("%d/%d", (int)jm_get_int(root, -9, "status", "actualScale"),
                      (int)jm_get_int(root, -9, "status", "desiredScale"));
        assert_string_equal(got, rows[i].after);
        plan_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_accepted), cmocka_unit_test(test_config_refused),
        cmocka_unit_test(test_scale),           cmocka_unit_test(test_activators),
        cmocka_unit_test(test_status),          cmocka_unit_test(test_status_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
