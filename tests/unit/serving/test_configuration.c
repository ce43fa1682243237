/* The Configuration reconciler as a table: objects before, writes and conditions after. */
#include "table.h"

#include "serving/configuration/configuration.h"

#define CONFIGURATION                                                                              \
    "{'apiVersion':'serving.knative.dev/v1','kind':'Configuration','metadata':{'name':'hello',"    \
    "'namespace':'ns','uid':'cfg-uid','generation':%d,'labels':{'serving.knative.dev/service':"    \
    "'hello','serving.knative.dev/serviceUID':'svc-uid'},'annotations':{"                          \
    "'serving.knative.dev/lastModifier':'bob'%s}},'spec':{'template':{'metadata':{%s},"            \
    "'spec':{'containers':[{'image':'%s'}]}}}%s}"
#define ROUTED ",'serving.knative.dev/routes':'hello'"
#define REVISION                                                                                   \
    "{'metadata':{'name':'%s','namespace':'ns','generation':1,'labels':{"                          \
    "'serving.knative.dev/configuration':'hello','serving.knative.dev/configurationGeneration':"   \
    "'%d'},'ownerReferences':[{'kind':'Configuration','uid':'cfg-uid','controller':true}]},"       \
    "'spec':{'containers':[{'image':'%s'}]},'status':{'observedGeneration':1,"                     \
    "'conditions':[{'type':'Ready','status':'%s','message':'it broke'}]}}"

static void configuration(struct table *t, int generation, const char *meta, const char *image)
{
    const struct kobj *old = table_get(t, &KR_CONFIGURATION, "ns", "hello");
    yyjson_val *status = jget(kobj_root(old), "status");
    _cleanup_free_ char *text = status ? json_text(status, NULL) : xstrdup("{}");
    const char *tail = arena_printf(&t->arena, ",'status':%s", text);

    table_put(t, &KR_CONFIGURATION,
              arena_printf(&t->arena, CONFIGURATION, generation, ROUTED, meta, image, tail));
}

static void revision(struct table *t, const char *name, int generation, const char *image,
                     const char *ready)
{
    table_put(t, &KR_REVISION, arena_printf(&t->arena, REVISION, name, generation, image, ready));
}

static const char *run(struct table *t)
{
    return table_run(t, configuration_reconcile, &KR_CONFIGURATION, "ns", "hello");
}

#define conditions(t) table_conditions(t, &KR_CONFIGURATION, "hello")
#define status(t, f)  table_value(t, &KR_CONFIGURATION, "hello", JPATH("status", f))

static void start(struct table *t)
{
    table_start(t);
    configuration_add_index(t->s.m);
    configuration(t, 1, "", "foo");
}

static void test_makes_a_revision(void **state)
{
    struct table t;

    start(&t);
    assert_string_equal(run(&t), "create revisions ns/hello-00001\n"
                                 "event Normal Created: Created Revision \"hello-00001\"\n"
                                 "status configurations ns/hello\n");
    assert_string_equal(conditions(&t), "Ready=Unknown");
    assert_string_equal(status(&t, "latestCreatedRevisionName"), "'hello-00001'");
    assert_string_equal(
        table_value(&t, &KR_REVISION, "hello-00001", JPATH("metadata")),
        "{'name':'hello-00001','namespace':'ns','labels':{'serving.knative.dev/"
        "configuration':'hello',"
        "'serving.knative.dev/configurationGeneration':'1','serving.knative.dev/"
        "configurationUID':'cfg-uid',"
        "'serving.knative.dev/service':'hello','serving.knative.dev/serviceUID':'svc-uid',"
        "'serving.knative.dev/routingState':'active'},'annotations':{'serving.knative.dev/"
        "creator':'bob',"
        "'serving.knative.dev/routes':'hello','serving.knative.dev/"
        "routingStateModified':'2023-11-14T22:13:20Z'},"
        "'ownerReferences':[{'apiVersion':'serving.knative.dev/"
        "v1','kind':'Configuration','name':'hello',"
        "'uid':'cfg-uid','controller':true,'blockOwnerDeletion':true}]}");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_pending_without_routes(void **state)
{
    struct table t;

    table_start(&t);
    configuration_add_index(t.s.m);
    table_put(&t, &KR_CONFIGURATION,
              arena_printf(&t.arena, CONFIGURATION, 100000, "", "", "foo", ""));
    run(&t);
    assert_string_equal(
        table_value(&t, &KR_REVISION, "hello-100000",
                    JPATH("metadata", "labels", "serving.knative.dev/routingState")),
        "'pending'");
    table_end(&t);
}

static void test_ready(void **state)
{
    struct table t;

    start(&t);
    revision(&t, "hello-00001", 1, "foo", "True");
    assert_string_equal(
        run(&t),
        "event Normal ConfigurationReady: Configuration becomes ready\n"
        "event Normal LatestReadyUpdate: LatestReadyRevisionName updated to \"hello-00001\"\n"
        "status configurations ns/hello\n");
    assert_string_equal(conditions(&t), "Ready=True");
    assert_string_equal(status(&t, "latestReadyRevisionName"), "'hello-00001'");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_failed(void **state)
{
    struct table t;

    start(&t);
    revision(&t, "hello-00001", 1, "foo", "False");
    assert_string_equal(
        run(&t),
        "event Warning LatestCreatedFailed: Latest created revision \"hello-00001\" has failed\n"
        "status configurations ns/hello\n");
    assert_string_equal(conditions(&t), "Ready=False/RevisionFailed");
    assert_string_equal(table_message(&t, &KR_CONFIGURATION, "hello", "Ready"),
                        "Revision \"hello-00001\" failed with message: it broke.");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_old_stays_ready_while_new_fails(void **state)
{
    struct table t;

    start(&t);
    revision(&t, "hello-00001", 1, "foo", "True");
    run(&t);
    table_apply(&t);
    configuration(&t, 2, "", "bar");
    assert_string_equal(run(&t), "create revisions ns/hello-00002\n"
                                 "event Normal Created: Created Revision \"hello-00002\"\n"
                                 "status configurations ns/hello\n");
    assert_string_equal(conditions(&t), "Ready=Unknown");
    table_apply(&t);
    revision(&t, "hello-00002", 2, "bar", "False");
    run(&t);
    assert_string_equal(conditions(&t), "Ready=False/RevisionFailed");
    assert_string_equal(status(&t, "latestReadyRevisionName"), "'hello-00001'");
    assert_string_equal(status(&t, "latestCreatedRevisionName"), "'hello-00002'");
    table_apply(&t);
    revision(&t, "hello-00002", 2, "bar", "True");
    run(&t);
    assert_string_equal(conditions(&t), "Ready=True");
    table_end(&t);
}

static void test_ready_never_goes_back(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, 2, "", "foo");
    revision(&t, "hello-00002", 2, "foo", "True");
    run(&t);
    table_apply(&t);
    revision(&t, "hello-00001", 1, "foo", "True");
    revision(&t, "hello-00002", 2, "foo", "False");
    run(&t);
    assert_string_equal(status(&t, "latestReadyRevisionName"), "'hello-00002'");
    table_end(&t);
}

static void test_own_name(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, 1, "'name':'hello-a'", "foo");
    assert_string_equal(run(&t), "create revisions ns/hello-a\n"
                                 "event Normal Created: Created Revision \"hello-a\"\n"
                                 "status configurations ns/hello\n");
    /* an older generation's Revision with the same spec serves again */
    configuration(&t, 3, "'name':'hello-a'", "foo");
    revision(&t, "hello-a", 1, "foo", "True");
    run(&t);
    assert_string_equal(conditions(&t), "Ready=True");
    /* and one with another spec is in the way */
    table_apply(&t);
    configuration(&t, 4, "'name':'hello-a'", "bar");
    run(&t);
    assert_string_equal(conditions(&t), "Ready=False/RevisionFailed");
    assert_string_equal(
        table_message(&t, &KR_CONFIGURATION, "hello", "Ready"),
        "Revision creation failed with message: revisions.serving.knative.dev \"hello-a\" already "
        "exists.");
    table_end(&t);
}

static void test_refused(void **state)
{
    struct kube_status st = {
        .code = 403, .reason = "Forbidden", .err = {.code = -1, .msg = "exceeded quota"}};
    struct plan_entry entry = {
        .op = PLAN_CREATE, .res = &KR_REVISION, .name = (char *)"hello-00001"};
    struct table t;

    start(&t);
    t.failure = &st;
    t.failed = &entry;
    assert_string_equal(run(&t),
                        "event Warning CreationFailed: Failed to create Revision: exceeded quota\n"
                        "status configurations ns/hello\n"
                        "error: failed to create Revision: exceeded quota\n");
    assert_string_equal(conditions(&t), "Ready=False/RevisionFailed");
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_makes_a_revision),
        cmocka_unit_test(test_pending_without_routes),
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_old_stays_ready_while_new_fails),
        cmocka_unit_test(test_ready_never_goes_back),
        cmocka_unit_test(test_own_name),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
