/* The Service reconciler as a table: objects before, writes and conditions after. */
#include "table.h"

#include "serving/service/service.h"

#define SERVICE                                                                                    \
    "{'apiVersion':'serving.knative.dev/v1','kind':'Service','metadata':{'name':'hello',"          \
    "'namespace':'ns','uid':'svc-uid','generation':%d,'labels':{'team':'a'},'annotations':{"       \
    "'serving.knative.dev/creator':'ann','serving.knative.dev/lastModifier':'bob',"                \
    "'serving.knative.dev/rollout-duration':'10s','example.com/x':'y',"                            \
    "'kubectl.kubernetes.io/last-applied-configuration':'{}'}},'spec':{'template':{%s"             \
    "'spec':{'containers':[{'image':'foo'}]}}%s}}"

static void service(struct table *t, int generation, const char *meta, const char *traffic)
{
    _cleanup_kobj_ const struct kobj *old = kobj_ref(table_get(t, &KR_KSERVICE, "ns", "hello"));
    const struct kobj *now =
        table_put(t, &KR_KSERVICE, arena_printf(&t->arena, SERVICE, generation, meta, traffic));

    if (!old)
        return;
    struct kmut *m = kmut_from(now);
    jm_set_copy(KM(m), jget(kobj_root(old), "status"), "status");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    kmut_free(m);
    table_put(t, &KR_KSERVICE, text);
}

/* Gives a child a status, as its own reconciler would. */
static void child_status(struct table *t, const struct kube_resource *r, const char *status)
{
    const struct kobj *o = table_get(t, r, "ns", "hello");
    struct kmut *m = kmut_from(o);
    const char *json = table_json(t, status);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(json, strlen(json), NULL);

    assert_non_null(d);
    jm_set_copy(KM(m), yyjson_doc_get_root(d), "status");
    jm_set_int(KM(m), kobj_generation(o), "status", "observedGeneration");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    kmut_free(m);
    table_put(t, r, text);
}

static const char *run(struct table *t)
{
    return table_run(t, service_reconcile, &KR_KSERVICE, "ns", "hello");
}

#define conditions(t)      table_conditions(t, &KR_KSERVICE, "hello")
#define written(t, r, ...) table_value(t, r, "hello", JPATH(__VA_ARGS__))
#define READY              "'conditions':[{'type':'Ready','status':'True'}]"
#define TRAFFIC            "'traffic':[{'revisionName':'hello-00001','latestRevision':true,'percent':100}]"

static void start(struct table *t)
{
    table_start(t);
    service(t, 1, "", "");
}

static void test_first_run(void **state)
{
    struct table t;

    start(&t);
    assert_string_equal(run(&t), "create configurations ns/hello\n"
                                 "event Normal Created: Created Configuration \"hello\"\n"
                                 "create routes ns/hello\n"
                                 "event Normal Created: Created Route \"hello\"\n"
                                 "status services ns/hello\n");
    assert_string_equal(conditions(&t),
                        "ConfigurationsReady=Unknown/OutOfDate Ready=Unknown/OutOfDate "
                        "RoutesReady=Unknown/OutOfDate");
    assert_string_equal(written(&t, &KR_CONFIGURATION, "metadata", "labels"),
                        "{'team':'a','serving.knative.dev/service':'hello',"
                        "'serving.knative.dev/serviceUID':'svc-uid'}");
    assert_string_equal(
        written(&t, &KR_CONFIGURATION, "metadata", "annotations"),
        "{'serving.knative.dev/creator':'ann','serving.knative.dev/lastModifier':'bob',"
        "'example.com/x':'y','serving.knative.dev/routes':'hello'}");
    assert_string_equal(written(&t, &KR_ROUTE, "metadata", "labels"),
                        "{'team':'a','serving.knative.dev/service':'hello'}");
    assert_string_equal(
        written(&t, &KR_ROUTE, "metadata", "annotations"),
        "{'serving.knative.dev/creator':'ann','serving.knative.dev/lastModifier':'bob',"
        "'serving.knative.dev/rollout-duration':'10s','example.com/x':'y'}");
    assert_string_equal(written(&t, &KR_ROUTE, "spec", "traffic"),
                        "[{'latestRevision':true,'percent':100,'configurationName':'hello'}]");
    assert_string_equal(
        written(&t, &KR_ROUTE, "metadata", "ownerReferences"),
        "[{'apiVersion':'serving.knative.dev/v1','kind':'Service','name':'hello','uid':'svc-uid',"
        "'controller':true,'blockOwnerDeletion':true}]");
    table_end(&t);
}

static void test_becomes_ready(void **state)
{
    struct table t;

    start(&t);
    run(&t);
    table_apply(&t);
    assert_string_equal(run(&t), "");
    child_status(
        &t, &KR_CONFIGURATION,
        "{" READY
        ",'latestCreatedRevisionName':'hello-00001','latestReadyRevisionName':'hello-00001'}");
    assert_string_equal(run(&t), "status services ns/hello\n");
    assert_string_equal(
        conditions(&t),
        "ConfigurationsReady=True Ready=Unknown/OutOfDate RoutesReady=Unknown/OutOfDate");
    table_apply(&t);
    child_status(&t, &KR_ROUTE,
                 "{" READY ",'url':'http://hello','address':{'url':'http://in'}," TRAFFIC "}");
    run(&t);
    assert_string_equal(conditions(&t), "ConfigurationsReady=True Ready=True RoutesReady=True");
    assert_string_equal(written(&t, &KR_KSERVICE, "status", "url"), "'http://hello'");
    assert_string_equal(written(&t, &KR_KSERVICE, "status", "address", "url"), "'http://in'");
    assert_string_equal(written(&t, &KR_KSERVICE, "status", "latestReadyRevisionName"),
                        "'hello-00001'");
    assert_string_equal(written(&t, &KR_KSERVICE, "status", "observedGeneration"), "1");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_traffic_not_migrated(void **state)
{
    struct table t;

    start(&t);
    run(&t);
    table_apply(&t);
    child_status(&t, &KR_CONFIGURATION, "{" READY ",'latestReadyRevisionName':'hello-00002'}");
    child_status(&t, &KR_ROUTE, "{" READY "," TRAFFIC "}");
    run(&t);
    assert_string_equal(conditions(&t), "ConfigurationsReady=True Ready=Unknown/TrafficNotMigrated "
                                        "RoutesReady=Unknown/TrafficNotMigrated");
    table_end(&t);
}

static void test_failure_is_mirrored(void **state)
{
    struct table t;

    start(&t);
    run(&t);
    table_apply(&t);
    child_status(&t, &KR_CONFIGURATION,
                 "{'conditions':[{'type':'Ready','status':'False','reason':'RevisionFailed','"
                 "message':'why.'}]}");
    child_status(&t, &KR_ROUTE,
                 "{'conditions':[{'type':'Ready','status':'False','reason':'RevisionMissing','"
                 "message':'no'}]}");
    run(&t);
    assert_string_equal(conditions(&t),
                        "ConfigurationsReady=False/RevisionFailed Ready=False/RevisionMissing "
                        "RoutesReady=False/RevisionMissing");
    assert_string_equal(table_message(&t, &KR_KSERVICE, "hello", "ConfigurationsReady"), "why.");
    table_end(&t);
}

static void test_only_traffic_changes(void **state)
{
    struct table t;

    start(&t);
    run(&t);
    table_apply(&t);
    service(&t, 2, "",
            ",'traffic':[{'percent':80,'latestRevision':true},{'revisionName':'hello-00001','"
            "percent':20,'tag':'old',"
            "'latestRevision':false}]");
    assert_string_equal(run(&t), "update routes ns/hello\nstatus services ns/hello\n");
    assert_string_equal(
        written(&t, &KR_ROUTE, "spec", "traffic"),
        "[{'percent':80,'latestRevision':true,'configurationName':'hello'},{'revisionName':"
        "'hello-00001','percent':20,'tag':'old','latestRevision':false}]");
    table_end(&t);
}

static void test_foreign_configuration(void **state)
{
    struct table t;

    start(&t);
    table_put(&t, &KR_CONFIGURATION, "{'metadata':{'name':'hello','namespace':'ns','uid':'x'}}");
    assert_string_equal(run(&t),
                        "status services ns/hello\n"
                        "error: service: \"hello\" does not own Configuration: \"hello\"\n");
    assert_string_equal(
        conditions(&t),
        "ConfigurationsReady=False/NotOwned Ready=False/NotOwned RoutesReady=Unknown");
    assert_string_equal(table_message(&t, &KR_KSERVICE, "hello", "Ready"),
                        "There is an existing Configuration \"hello\" that we do not own.");
    table_end(&t);
}

static void test_foreign_route(void **state)
{
    struct table t;

    start(&t);
    table_put(&t, &KR_ROUTE, "{'metadata':{'name':'hello','namespace':'ns','uid':'x'}}");
    run(&t);
    assert_string_equal(
        conditions(&t),
        "ConfigurationsReady=Unknown/OutOfDate Ready=False/NotOwned RoutesReady=False/NotOwned");
    table_end(&t);
}

static void test_own_revision_name_waits(void **state)
{
    struct table t;

    table_start(&t);
    service(&t, 1, "'metadata':{'name':'hello-a'},", "");
    assert_string_equal(run(&t), "create configurations ns/hello\n"
                                 "event Normal Created: Created Configuration \"hello\"\n"
                                 "status services ns/hello\n");
    table_apply(&t);
    child_status(&t, &KR_CONFIGURATION, "{" READY ",'latestReadyRevisionName':'hello-a'}");
    assert_string_equal(run(&t), "create routes ns/hello\n"
                                 "event Normal Created: Created Route \"hello\"\n"
                                 "status services ns/hello\n");
    table_end(&t);
}

static void test_revision_name_taken(void **state)
{
    struct table t;

    table_start(&t);
    service(&t, 1, "'metadata':{'name':'hello-a'},", "");
    run(&t);
    table_apply(&t);
    table_put(&t, &KR_REVISION, "{'metadata':{'name':'hello-a','namespace':'ns'},'spec':{}}");
    child_status(&t, &KR_CONFIGURATION, "{" READY "}");
    assert_string_equal(run(&t), "status services ns/hello\n");
    assert_string_equal(conditions(&t), "ConfigurationsReady=True Ready=False/RevisionNameTaken "
                                        "RoutesReady=False/RevisionNameTaken");
    table_end(&t);
}

static void test_refused_child(void **state)
{
    struct kube_status st = {
        .code = 403, .reason = "Forbidden", .err = {.code = -1, .msg = "not allowed"}};
    struct plan_entry entry = {
        .op = PLAN_CREATE, .res = &KR_CONFIGURATION, .name = (char *)"hello"};
    struct table t;

    start(&t);
    t.failure = &st;
    t.failed = &entry;
    assert_string_equal(
        run(&t),
        "event Warning CreationFailed: Failed to create Configuration \"hello\": not allowed\n"
        "create routes ns/hello\n"
        "event Normal Created: Created Route \"hello\"\n"
        "status services ns/hello\n"
        "error: failed to create Configuration: not allowed\n");
    table_end(&t);
}

static void test_going(void **state)
{
    struct table t;

    table_start(&t);
    assert_string_equal(run(&t), "");
    table_put(&t, &KR_KSERVICE,
              "{'metadata':{'name':'hello','namespace':'ns','deletionTimestamp':'2023-01-01T00:00:"
              "00Z'}}");
    assert_string_equal(run(&t), "");
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run),
        cmocka_unit_test(test_becomes_ready),
        cmocka_unit_test(test_traffic_not_migrated),
        cmocka_unit_test(test_failure_is_mirrored),
        cmocka_unit_test(test_only_traffic_changes),
        cmocka_unit_test(test_foreign_configuration),
        cmocka_unit_test(test_foreign_route),
        cmocka_unit_test(test_own_revision_name_waits),
        cmocka_unit_test(test_revision_name_taken),
        cmocka_unit_test(test_refused_child),
        cmocka_unit_test(test_going),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
