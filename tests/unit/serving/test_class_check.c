/* Contracts whose class nobody runs, as a table over time. */
#include "table.h"

#include "base/clock.h"
#include "serving/class_check.h"

static char *known_words[] = {(char *)"kpa.autoscaling.knative.dev", (char *)"other", NULL};

#define PA                                                                                         \
    "{'metadata':{'name':'pa','namespace':'ns','generation':1,'annotations':{"                     \
    "'autoscaling.knative.dev/class':'%s'}},'spec':{}%s}"
#define SETTLED ",'status':{'observedGeneration':1,'conditions':[{'type':'Ready','status':'True'}]}"

struct fixture {
    struct table t;
    struct class_seam *seam;
};

static void start(struct fixture *f)
{
    table_start(&f->t);
    f->t.s.autoscaler_classes = f->t.s.ingress_classes = f->t.s.image_classes = known_words;
    f->t.s.class_check = class_check_new(&f->t.s);
    f->seam = class_check_seam(f->t.s.class_check, &KR_PODAUTOSCALER);
}

static void end(struct fixture *f)
{
    class_check_free(f->t.s.class_check);
    table_end(&f->t);
}

static void put(struct fixture *f, const char *class, const char *tail)
{
    table_put(&f->t, &KR_PODAUTOSCALER, arena_printf(&f->t.arena, PA, class, tail));
}

static struct class_seam *running; /* table_run gives the core as context */

static void reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    class_check_reconcile(running, rc, p);
}

static const char *run(struct fixture *f)
{
    running = f->seam;
    return table_run(&f->t, reconcile, &KR_PODAUTOSCALER, "ns", "pa");
}

static void wait_s(struct fixture *f, int s)
{
    f->t.now_ns += s * NS_PER_SEC;
}

static void test_known_class_is_left_alone(void **state)
{
    struct fixture f;

    start(&f);
    put(&f, "kpa.autoscaling.knative.dev", "");
    assert_string_equal(run(&f), "");
    end(&f);
}

static void test_nobody_answers(void **state)
{
    struct fixture f;

    start(&f);
    put(&f, "nobody", "");
    assert_string_equal(run(&f), "requeue 5000 ms\n");
    wait_s(&f, 5);
    assert_string_equal(run(&f), "status podautoscalers ns/pa\n");
    assert_string_equal(
        table_conditions(&f.t, &KR_PODAUTOSCALER, "pa"),
        "Active=False/NoPluginForClass Ready=False/NoPluginForClass SKSReady=Unknown "
        "ScaleTargetInitialized=Unknown");
    assert_string_equal(
        table_message(&f.t, &KR_PODAUTOSCALER, "pa", "Ready"),
        "No plugin runs for the class \"nobody\" (annotation autoscaling.knative.dev/class); "
        "running: kpa.autoscaling.knative.dev, other");
    table_apply(&f.t);
    assert_string_equal(run(&f), "");
    end(&f);
}

static void test_a_stranger_answers(void **state)
{
    struct fixture f;

    start(&f);
    put(&f, "stranger", "");
    run(&f);
    put(&f, "stranger", SETTLED);
    wait_s(&f, 6);
    assert_string_equal(run(&f), "");
    end(&f);
}

static void test_settled_before_a_restart(void **state)
{
    struct fixture f;

    start(&f);
    put(&f, "stranger", SETTLED);
    assert_string_equal(run(&f), "");
    wait_s(&f, 60);
    assert_string_equal(run(&f), "");
    end(&f);
}

static void test_class_changes_live(void **state)
{
    struct fixture f;

    start(&f);
    put(&f, "other", SETTLED);
    run(&f);
    put(&f, "nobody", SETTLED);
    assert_string_equal(run(&f), "requeue 5000 ms\n");
    wait_s(&f, 5);
    assert_string_equal(run(&f), "status podautoscalers ns/pa\n");
    end(&f);
}

static void test_image_without_class_has_the_default(void **state)
{
    static char *nothing[] = {(char *)CLASS_NOTHING, NULL};
    struct fixture f;

    start(&f);
    class_check_free(f.t.s.class_check);
    f.t.s.image_classes = nothing;
    f.t.s.class_check = class_check_new(&f.t.s);
    running = class_check_seam(f.t.s.class_check, &KR_IMAGE);
    table_put(&f.t, &KR_IMAGE, "{'metadata':{'name':'i','namespace':'ns'},'spec':{'image':''}}");
    assert_string_equal(table_run(&f.t, reconcile, &KR_IMAGE, "ns", "i"), "");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_class_is_left_alone),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_a_stranger_answers),
        cmocka_unit_test(test_settled_before_a_restart),
        cmocka_unit_test(test_class_changes_live),
        cmocka_unit_test(test_image_without_class_has_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
