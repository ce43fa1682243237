/* Conditions' arithmetic and the plan of a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kube/conditions.h"

static const struct condition_set set = {"Ready", (const char *const[]){"A", "B", NULL}};
static const struct kube_resource KR_THING = {"x.dev", "v1", "things", "Thing", true};
#define T1 (1700000000 * NS_PER_SEC)
#define T2 (T1 + 60 * NS_PER_SEC)

static const struct kobj *object(const char *status, int generation)
{
    struct err e;
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"x.dev/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"t\","
        "\"namespace\":\"ns\",\"generation\":%d,\"resourceVersion\":\"5\",\"uid\":\"u\"}%s%s}",
        generation, *status ? ",\"status\":" : "", status);
    const struct kobj *o = kobj_parse(text, strlen(text), &e);

    if (!o)
        fail_msg("%s", e.msg);
    return o;
}

static const char *ready_is(struct cond *c)
{
    return cs_status(c, "Ready");
}

/* Ends the reconcile and gives the status text that would be written, NULL for none; malloc'ed. */
static char *written(struct cond *c)
{
    struct plan *p = plan_new();
    char *text = NULL;

    if (cs_end(c, p, &KR_THING)) {
        assert_int_equal(plan_len(p), 1);
        assert_int_equal(plan_at(p, 0)->op, PLAN_UPDATE_STATUS);
        text = json_mut_text(jm_get(plan_at(p, 0)->obj->root, "status"), NULL);
    }
    plan_free(p);
    return text;
}

static void test_first_reconcile(void **state)
{
    _cleanup_kobj_ const struct kobj *o = object("", 1);
    struct cond c;

    cs_begin(&c, &set, o, T1);
    assert_string_equal(ready_is(&c), "Unknown");
    assert_string_equal(cs_reason(&c, "Ready"), "NewObservedGenFailure");
    cs_true(&c, "A");
    assert_string_equal(ready_is(&c), "Unknown");
    cs_true(&c, "B");
    assert_string_equal(ready_is(&c), "True");
    _cleanup_free_ char *text = written(&c);
    assert_string_equal(
        text,
        "{\"conditions\":["
        "{\"type\":\"A\",\"status\":\"True\",\"lastTransitionTime\":\"2023-11-14T22:13:20Z\"},"
        "{\"type\":\"B\",\"status\":\"True\",\"lastTransitionTime\":\"2023-11-14T22:13:20Z\"},"
        "{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":"
        "\"2023-11-14T22:13:20Z\"}],\"observedGeneration\":1}");
}

#define C(type, status, time, more)                                                                \
    "{\"type\":\"" type "\",\"status\":\"" status "\",\"lastTransitionTime\":\"" time "\"" more "}"
#define OLD "2020-01-01T00:00:00Z"
#define NEW "2020-01-02T00:00:00Z"
#define HAPPY                                                                                      \
    "{\"observedGeneration\":1,\"conditions\":[" C("A", "True", OLD, "") "," C(                    \
        "B", "True", NEW, "") "," C("Ready", "True", NEW, "") "]}"

static void test_nothing_changed(void **state)
{
    _cleanup_kobj_ const struct kobj *o = object(HAPPY, 1);
    struct cond c;

    cs_begin(&c, &set, o, T2);
    cs_true(&c, "A");
    cs_false(&c, "B", "Flicker", "for a moment"); /* back again before the end */
    cs_true(&c, "B");
    assert_null(written(&c));
}

static void test_false_beats_unknown(void **state)
{
    _cleanup_kobj_ const struct kobj *o = object(HAPPY, 1);
    struct cond c;

    cs_begin(&c, &set, o, T2);
    cs_false(&c, "A", "Broken", "%s is broken", "it");
    assert_string_equal(ready_is(&c), "False");
    cs_unknown(&c, "B", "Wait", "a bit");
    assert_string_equal(ready_is(&c), "False");
    assert_string_equal(cs_reason(&c, "Ready"), "Broken");
    cs_true(&c, "A");
    assert_string_equal(ready_is(&c), "Unknown");
    assert_string_equal(cs_reason(&c, "Ready"), "Wait");
    _cleanup_free_ char *text = written(&c);
    assert_non_null(
        strstr(text, "{\"type\":\"A\",\"status\":\"True\",\"lastTransitionTime\":\"" OLD "\"}"));
    assert_non_null(strstr(text, "\"message\":\"a bit\""));
}

static void test_latest_transition_explains(void **state)
{
    _cleanup_kobj_ const struct kobj *o =
        object("{\"observedGeneration\":1,\"conditions\":[" C(
                   "A", "False", NEW,
                   ",\"reason\":\"Late\"") "," C("B", "False", OLD,
                                                 ",\"reason\":\"Early\"") "," C("Ready", "False",
                                                                                OLD, "") "]}",
               1);
    struct cond c;

    cs_begin(&c, &set, o, T2);
    cs_true_reason(&c, "Other", "Fine", "not a dependent");
    assert_string_equal(cs_reason(&c, "Ready"), "Late");
    cs_false(&c, "B", "Later", "later");
    cs_true_reason(&c, "Other", "Fine", "still not");
    assert_string_equal(cs_reason(&c, "Ready"), "Later");
    _cleanup_free_ char *text = written(&c);
    assert_non_null(strstr(text, "\"type\":\"Other\",\"status\":\"True\",\"severity\":\"Info\""));
}

static void test_new_generation(void **state)
{
    _cleanup_kobj_ const struct kobj *o = object(HAPPY, 2);
    struct cond c;

    cs_begin(&c, &set, o, T2);
    assert_string_equal(ready_is(&c), "Unknown");
    cs_true(&c, "A");
    assert_string_equal(ready_is(&c), "True");
    _cleanup_free_ char *text = written(&c);
    assert_non_null(strstr(text, "\"observedGeneration\":2"));
    assert_non_null(
        strstr(text, "\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"" NEW "\""));
}

static void test_mirror_and_clear(void **state)
{
    _cleanup_kobj_ const struct kobj *o = object(HAPPY, 1);
    _cleanup_kobj_ const struct kobj *other = object(
        "{\"conditions\":[" C("Ready", "False", OLD, ",\"reason\":\"R\",\"message\":\"M\"") "]}",
        1);
    struct cond c;

    cs_begin(&c, &set, o, T2);
    cs_mirror(&c, "A", NULL);
    assert_string_equal(cs_status(&c, "A"), "True");
    cs_mirror(&c, "A", kobj_condition(other, "Ready"));
    assert_string_equal(cs_status(&c, "A"), "False");
    assert_string_equal(cs_reason(&c, "Ready"), "R");
    cs_clear(&c, "A");
    assert_string_equal(cs_status(&c, "A"), "False");
    cs_unknown(&c, "Extra", "E", "e");
    cs_clear(&c, "Extra");
    assert_null(cs_status(&c, "Extra"));
    free(written(&c));
}

/* ---- children ---- */
static const char live_text[] =
    "{\"apiVersion\":\"x.dev/"
    "v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"t\",\"namespace\":\"ns\","
    "\"resourceVersion\":\"7\",\"uid\":\"c\",\"labels\":{\"a\":\"1\",\"foreign\":\"x\"},"
    "\"ownerReferences\":[{\"kind\":\"Thing\",\"uid\":\"u\",\"controller\":true}]},\"spec\":{"
    "\"defaulted\":true,\"list\":[{\"n\":\"x\",\"protocol\":\"TCP\"}],\"requests\":{\"cpu\":\"1\"}}"
    "}";

static struct kmut *wanted(const char *label)
{
    struct kmut *m = kmut_new(&KR_THING, "ns", "t");
    yyjson_mut_val *el = jm_add_obj(m->d, jm_arr(KM(m), "spec", "list"));

    kmut_label(m, "a", label);
    jm_set_str(m->d, el, "x", "n");
    jm_set_str(KM(m), "1000m", "spec", "requests", "cpu");
    jm_obj(KM(m), "spec", "empty");
    return m;
}

static void test_apply_child(void **state)
{
    _cleanup_kobj_ const struct kobj *owner = object("", 1);
    _cleanup_kobj_ const struct kobj *live = kobj_parse(live_text, sizeof(live_text) - 1, NULL);
    _cleanup_kobj_ const struct kobj *stranger = object("{}", 3);
    struct plan *p = plan_new();

    assert_true(plan_apply_child(p, &KR_THING, owner, live, wanted("1")));
    assert_int_equal(plan_len(p), 0);
    assert_true(plan_apply_child(p, &KR_THING, owner, live, wanted("2")));
    assert_int_equal(plan_at(p, 0)->op, PLAN_UPDATE);
    const struct kmut *m = plan_at(p, 0)->obj;
    assert_string_equal(jm_get_str(m->root, "metadata", "labels", "a"), "2");
    assert_string_equal(jm_get_str(m->root, "metadata", "labels", "foreign"), "x");
    assert_string_equal(jm_get_str(m->root, "metadata", "resourceVersion"), "7");
    assert_true(jm_get_bool(m->root, false, "spec", "defaulted"));
    assert_true(plan_apply_child(p, &KR_THING, owner, NULL, wanted("2")));
    assert_int_equal(plan_at(p, 1)->op, PLAN_CREATE);
    assert_non_null(jm_get(plan_at(p, 1)->obj->root, "metadata", "ownerReferences"));
    assert_false(plan_apply_child(p, &KR_THING, owner, stranger, wanted("2")));
    assert_int_equal(plan_len(p), 2);
    plan_free(p);
}

static void test_plan_remembers(void **state)
{
    struct plan *p = plan_new();

    assert_int_equal(plan_requeue(p), -1);
    plan_requeue_after(p, 50);
    plan_requeue_after(p, 20);
    plan_requeue_after(p, 30);
    assert_int_equal(plan_requeue(p), 20);
    assert_null(plan_error(p));
    plan_fail(p, "cannot %s", "do");
    plan_fail(p, "second");
    assert_string_equal(plan_error(p), "cannot do");
    plan_patch(p, &KR_THING, "ns", "t", "scale", KUBE_PATCH_JSON, "[]");
    plan_delete(p, &KR_THING, "ns", "t", "u");
    assert_string_equal(plan_at(p, 0)->subresource, "scale");
    assert_string_equal(plan_at(p, 1)->uid, "u");
    assert_null(plan_at(p, 2));
    plan_free(p);
}

/* How old a condition is, over steps of the wall clock: stamp T1, first seen at wall T1 + `seen`.
 */
static void test_condition_age_over_steps(void **state)
{
    static const struct {
        int64_t seen_s, step_s, later_s, want_s;
    } rows[] = {
        {0, 0, 0, 0},      {0, 0, 30, 30},      {5, 0, 30, 35},
        {0, -600, 30, 30}, {0, 600, 30, 30},    {5, -600, 1000, 1005},
        {-600, 0, 0, 0},   {-600, 600, 30, 30}, /* a stamp from the future is of just now */
    };
    static const char text[] = "{\"lastTransitionTime\":\"2023-11-14T22:13:20Z\"}";
    _cleanup_jdoc_ yyjson_doc *d = json_parse(text, sizeof(text) - 1, NULL);
    yyjson_val *condition = yyjson_doc_get_root(d);
    int64_t mono = 77 * NS_PER_SEC;

    assert_non_null(condition);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cond_age a = {0};
        int64_t wall = T1 + rows[i].seen_s * NS_PER_SEC;
        cond_age_ns(&a, condition, wall, mono);
        int64_t have =
            cond_age_ns(&a, condition, wall + (rows[i].step_s + rows[i].later_s) * NS_PER_SEC,
                        mono + rows[i].later_s * NS_PER_SEC);
        assert_int_equal(have, rows[i].want_s * NS_PER_SEC);
    }
    assert_int_equal(cond_age_ns(&(struct cond_age){0}, NULL, T1, mono), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_reconcile),
        cmocka_unit_test(test_nothing_changed),
        cmocka_unit_test(test_false_beats_unknown),
        cmocka_unit_test(test_latest_transition_explains),
        cmocka_unit_test(test_new_generation),
        cmocka_unit_test(test_mirror_and_clear),
        cmocka_unit_test(test_apply_child),
        cmocka_unit_test(test_condition_age_over_steps),
        cmocka_unit_test(test_plan_remembers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
