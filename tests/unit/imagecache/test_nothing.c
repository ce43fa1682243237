/* The nothing class: Ready once per generation, and silent otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/names.h"
#include "plugin/imagecache/nothing/nothing.h"

static struct kobj *image(const char *text)
{
    struct err e = {0};
    struct kobj *o = kobj_parse(text, strlen(text), &e);

    if (!o)
        fail_msg("%s", e.msg);
    return o;
}

static struct plan *run(const struct kobj *o)
{
    struct reconcile_ctx rc = {.key = "ns/i", .ns = "ns", .name = "i", .obj = o, .now_ns = 1};
    struct plan *p = plan_new();

    nothing_reconcile(NULL, &rc, p);
    return p;
}

static void test_ready_at_once(void **state)
{
    _cleanup_kobj_ const struct kobj *o =
        image("{\"metadata\":{\"name\":\"i\",\"namespace\":\"ns\","
              "\"generation\":1},\"spec\":{\"image\":\"\"}}");
    struct plan *p = run(o);

    assert_int_equal(plan_len(p), 1);
    assert_int_equal(plan_at(p, 0)->op, PLAN_UPDATE_STATUS);
    _cleanup_kobj_ const struct kobj *written = kmut_freeze(plan_at(p, 0)->obj);
    assert_true(kobj_is_ready(written));
    assert_string_equal(jget_str(kobj_condition(written, "Ready"), "reason"), "NothingToDo");
    plan_free(p);
    p = run(written);
    assert_int_equal(plan_len(p), 0);
    plan_free(p);
}

static void test_gone_or_going(void **state)
{
    _cleanup_kobj_ const struct kobj *o =
        image("{\"metadata\":{\"name\":\"i\",\"deletionTimestamp\":\"2023-01-01T00:00:00Z\"}}");
    struct plan *p = run(o);

    assert_int_equal(plan_len(p), 0);
    plan_free(p);
    p = run(NULL);
    assert_int_equal(plan_len(p), 0);
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_at_once),
        cmocka_unit_test(test_gone_or_going),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
