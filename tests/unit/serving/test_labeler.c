/* The labeler as a table: which lists and routing states follow from a Route. */
#include "table.h"

#include "serving/labeler/labeler.h"

#define FINALIZED ",'finalizers':['routes.serving.knative.dev']"
#define READY     "'conditions':[{'type':'Ready','status':'True'}],"
#define NOW       "2023-11-14T22:13:20Z"

static void route(struct table *t, const char *meta, const char *spec, const char *status)
{
    table_put(t, &KR_ROUTE,
              arena_printf(&t->arena,
                           "{'apiVersion':'serving.knative.dev/v1','metadata':{'name':'hello',"
                           "'namespace':'ns','uid':'r','generation':1%s},'spec':{'traffic':[%s]},"
                           "'status':{'observedGeneration':1,%s}}",
                           meta, spec, status));
}

static void revision(struct table *t, const char *name, const char *routes, const char *state)
{
    table_put(
        t, &KR_REVISION,
        arena_printf(&t->arena,
                     "{'metadata':{'name':'%s','namespace':'ns','ownerReferences':[{'kind':"
                     "'Configuration','name':'hello','controller':true}],'labels':{"
                     "'serving.knative.dev/routingState':'%s'},'annotations':{%s}}}",
                     name, state,
                     *routes ? arena_printf(&t->arena, "'serving.knative.dev/routes':'%s'", routes)
                             : ""));
}

static void configuration(struct table *t, const char *routes, const char *created)
{
    table_put(
        t, &KR_CONFIGURATION,
        arena_printf(&t->arena,
                     "{'metadata':{'name':'hello','namespace':'ns','annotations':{%s}},"
                     "'status':{'latestCreatedRevisionName':'%s'}}",
                     *routes ? arena_printf(&t->arena, "'serving.knative.dev/routes':'%s'", routes)
                             : "",
                     created));
}

static void start(struct table *t)
{
    table_start(t);
    labeler_register(&t->s);
}

static const char *run(struct table *t)
{
    return table_run(t, labeler_reconcile, &KR_ROUTE, "ns", "hello");
}

#define LATEST       "{'configurationName':'hello','latestRevision':true,'percent':100}"
#define SERVED(name) "'traffic':[{'revisionName':'" name "','latestRevision':true,'percent':100}]"

static void test_finalizer_comes_first(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, "hello", "hello-00001");
    revision(&t, "hello-00001", "hello", "active");
    route(&t, ",'finalizers':['other']", LATEST, SERVED("hello-00001"));
    assert_string_equal(run(&t), "patch routes ns/hello\n"
                                 "event Normal FinalizerUpdate: Updated \"hello\" finalizers\n");
    assert_string_equal(table_body(&t, &KR_ROUTE, "hello"),
                        "{'metadata':{'finalizers':['other','routes.serving.knative.dev'],"
                        "'resourceVersion':'3'}}");
    table_end(&t);
}

/* The first status of a Route is on its way then, and would conflict with the finalizer. */
static void test_new_route_is_left_alone(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, "hello", "hello-00001");
    table_put(&t, &KR_ROUTE,
              "{'apiVersion':'serving.knative.dev/v1','metadata':{'name':'hello',"
              "'namespace':'ns','uid':'r','generation':1},'spec':{'traffic':[" LATEST "]}}");
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_settled_is_quiet(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, "hello", "hello-00001");
    revision(&t, "hello-00001", "hello", "active");
    route(&t, FINALIZED, LATEST, READY SERVED("hello-00001"));
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_adds(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, "", "hello-00002");
    revision(&t, "hello-00001", "zebra,a", "active");
    revision(&t, "hello-00002", "", "pending");
    route(&t, FINALIZED, LATEST, SERVED("hello-00001"));
    assert_string_equal(run(&t), "patch revisions ns/hello-00001\n"
                                 "patch revisions ns/hello-00002\n"
                                 "patch configurations ns/hello\n");
    assert_string_equal(
        table_body(&t, &KR_REVISION, "hello-00001"),
        "{'metadata':{'annotations':{'serving.knative.dev/routes':'a,hello,zebra'}}}");
    assert_string_equal(table_body(&t, &KR_REVISION, "hello-00002"),
                        "{'metadata':{'annotations':{'serving.knative.dev/routes':'hello',"
                        "'serving.knative.dev/routingStateModified':'" NOW "'},"
                        "'labels':{'serving.knative.dev/routingState':'active'}}}");
    assert_string_equal(table_body(&t, &KR_CONFIGURATION, "hello"),
                        "{'metadata':{'annotations':{'serving.knative.dev/routes':'hello'}}}");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    table_end(&t);
}

/* Old revisions keep their label until the Route is settled. */
static void test_removes_when_settled(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, "hello", "hello-00002");
    revision(&t, "hello-00001", "hello", "active");
    revision(&t, "hello-00002", "hello", "active");
    revision(&t, "shared-00001", "hello,two", "active");
    revision(&t, "idle-00001", "hello", "reserve");
    route(&t, FINALIZED, LATEST, SERVED("hello-00002"));
    assert_string_equal(run(&t), "");
    route(&t, FINALIZED, LATEST, READY SERVED("hello-00002"));
    assert_string_equal(run(&t), "patch revisions ns/hello-00001\n"
                                 "patch revisions ns/shared-00001\n");
    assert_string_equal(table_body(&t, &KR_REVISION, "hello-00001"),
                        "{'metadata':{'annotations':{'serving.knative.dev/routes':null,"
                        "'serving.knative.dev/routingStateModified':'" NOW "'},"
                        "'labels':{'serving.knative.dev/routingState':'reserve'}}}");
    assert_string_equal(table_body(&t, &KR_REVISION, "shared-00001"),
                        "{'metadata':{'annotations':{'serving.knative.dev/routes':'two'}}}");
    table_end(&t);
}

static void test_names_are_whole(void **state)
{
    struct table t;

    start(&t);
    revision(&t, "x-00001", "hello-2,my-hello", "active");
    route(&t, FINALIZED, "", READY "'traffic':[]");
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_finalize(void **state)
{
    struct table t;

    start(&t);
    configuration(&t, "hello", "hello-00001");
    revision(&t, "hello-00001", "hello", "active");
    route(&t, ",'deletionTimestamp':'" NOW "'" FINALIZED, LATEST, SERVED("hello-00001"));
    assert_string_equal(run(&t), "patch revisions ns/hello-00001\n"
                                 "patch configurations ns/hello\n"
                                 "patch routes ns/hello\n"
                                 "event Normal FinalizerUpdate: Updated \"hello\" finalizers\n");
    assert_string_equal(table_body(&t, &KR_ROUTE, "hello"),
                        "{'metadata':{'finalizers':[],'resourceVersion':'3'}}");
    route(&t, ",'deletionTimestamp':'" NOW "'", LATEST, SERVED("hello-00001"));
    assert_string_equal(run(&t), "");
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finalizer_comes_first),
        cmocka_unit_test(test_new_route_is_left_alone),
        cmocka_unit_test(test_settled_is_quiet),
        cmocka_unit_test(test_adds),
        cmocka_unit_test(test_removes_when_settled),
        cmocka_unit_test(test_names_are_whole),
        cmocka_unit_test(test_finalize),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
