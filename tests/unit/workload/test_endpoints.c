/* Service -> Endpoints, the default account of a namespace, and the age of Events. */
#include "bench.h"

#include "cluster/workload/event_expiry.h"

static const struct kobj *put_service(struct bench *b, const char *spec)
{
    return bench_put(
        b, &KR_SERVICE,
        "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s','namespace':'ns','uid':'u-s',"
        "'labels':{'l':'1'}},'spec':{%s}}",
        spec);
}

static void put_pod(struct bench *b, const char *name, const char *ip, const char *ready,
                    const char *more)
{
    bench_put(
        b, &KR_POD,
        "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'ns','uid':'u-%s',%s"
        "'labels':{'app':'a','tier':'front'}},'spec':{'nodeName':'n1','containers':[{'name':'c','"
        "ports':"
        "[{'name':'http','containerPort':%d},{'name':'dns','containerPort':53,'protocol':'UDP'}]}]}"
        ","
        "'status':{'podIP':'%s','phase':'Running','conditions':[{'type':'Ready','status':'%s'}]}}",
        name, name, more, name[0] == 'q' ? 9090 : 8080, ip, ready);
}

static char *subsets(struct bench *b, const struct kobj *service)
{
    struct plan *p = bench_run(b, endpoints_reconcile, service);
    char *text = xstrdup("nothing planned");

    if (plan_len(p) == 1) {
        free(text);
        text = bench_json(jm_get(plan_at(p, 0)->obj->root, "subsets"));
    }
    plan_free(p);
    return text;
}

static void assert_subsets(struct bench *b, const struct kobj *service, const char *want)
{
    _cleanup_free_ char *got = subsets(b, service);

    assert_string_equal(got, want);
}

#define ADDRESS(ip, pod)                                                                           \
    "{'ip':'" ip "','nodeName':'n1','targetRef':{'kind':'Pod','namespace':'ns','name':'" pod       \
    "','uid':'u-" pod "'}}"

static void ready_and_not_ready_pods(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'ports':[{'name':'http','port':"
                                          "80,'targetPort':8012,'appProtocol':'h2c'}]");

    assert_subsets(b, s, "[]");
    put_pod(b, "p2", "10.0.0.2", "True", "");
    put_pod(b, "p1", "10.0.0.1", "True", "");
    put_pod(b, "p3", "10.0.0.3", "False", "");
    put_pod(b, "p4", "10.0.0.4", "True", "'deletionTimestamp':'" NOW_TEXT "',");
    put_pod(b, "p5", "", "True", "");
    assert_subsets(b, s,
                   "[{'ports':[{'name':'http','port':8012,'protocol':'TCP','appProtocol':'h2c'}],"
                   "'addresses':[" ADDRESS("10.0.0.1", "p1") "," ADDRESS(
                       "10.0.0.2", "p2") "],"
                                         "'notReadyAddresses':[" ADDRESS("10.0.0.3", "p3") "]}]");
}

static void not_ready_pods_can_be_published(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(
        b, "'selector':{'app':'a'},'publishNotReadyAddresses':true,'ports':[{'port':80}]");

    put_pod(b, "p", "10.0.0.3", "False", "");
    assert_subsets(
        b, s,
        "[{'ports':[{'port':80,'protocol':'TCP'}],'addresses':[" ADDRESS("10.0.0.3", "p") "]}]");
}

static void named_ports_are_looked_up_in_each_pod(void **state)
{
    struct bench *b = *state;
    const struct kobj *s =
        put_service(b, "'selector':{'app':'a'},'ports':[{'port':80,'targetPort':'http'}]");

    put_pod(b, "p", "10.0.0.1", "True", "");
    put_pod(b, "q", "10.0.0.2", "True", "");
    assert_subsets(
        b, s,
        "[{'ports':[{'port':8080,'protocol':'TCP'}],'addresses':[" ADDRESS(
            "10.0.0.1", "p") "]},"
                             "{'ports':[{'port':9090,'protocol':'TCP'}],'addresses':[" ADDRESS(
                                 "10.0.0.2", "q") "]}]");
    s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80,'targetPort':'nope'}]");
    assert_subsets(b, s, "[]");
    s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':53,'targetPort':'dns'}]");
    assert_subsets(b, s, "[]"); /* that one is UDP */
}

static void all_of_the_selector_counts(void **state)
{
    struct bench *b = *state;
    const struct kobj *s =
        put_service(b, "'selector':{'app':'a','tier':'back'},'ports':[{'port':80}]");

    put_pod(b, "p", "10.0.0.1", "True", "");
    assert_subsets(b, s, "[]");
    s = put_service(b, "'selector':{'app':'a','tier':'front'},'clusterIP':'None'");
    assert_subsets(b, s,
                   "[{'addresses':[" ADDRESS("10.0.0.1", "p") "]}]"); /* headless, without ports */
}

static void services_without_selector_are_left_alone(void **state)
{
    struct bench *b = *state;

    put_pod(b, "p", "10.0.0.1", "True", "");
    assert_subsets(b, put_service(b, "'ports':[{'port':80}]"), "nothing planned");
    assert_subsets(b, put_service(b, "'selector':{},'ports':[{'port':80}]"), "nothing planned");
    assert_subsets(b, put_service(b, "'type':'ExternalName','selector':{'app':'a'}"),
                   "nothing planned");
}

static void endpoints_of_others_are_left_alone(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80}]");

    bench_put(b, &KR_ENDPOINTS,
              "{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':'s','namespace':'ns'}}");
    assert_subsets(b, s, "nothing planned");
    bench_put(b, &KR_ENDPOINTS,
              "{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':'s','namespace':'ns','"
              "ownerReferences':"
              "[{'apiVersion':'x/v1','kind':'X','name':'x','uid':'u-x','controller':true}]}}");
    assert_subsets(b, s, "nothing planned");
}

static void what_is_there_is_not_written_again(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80}]");

    put_pod(b, "p", "10.0.0.1", "True", "");
    struct plan *p = bench_run(b, endpoints_reconcile, s);
    const struct plan_entry *en = plan_at(p, 0);
    assert_int_equal(en->op, PLAN_CREATE);
    assert_string_equal(jm_get_str(en->obj->root, "metadata", "labels", "l"), "1");
    _cleanup_free_ char *text = bench_json(en->obj->root);
    plan_free(p);
    bench_put(b, &KR_ENDPOINTS, "%s", text);
    assert_subsets(b, s, "nothing planned");
    put_pod(b, "p", "10.0.0.1", "False", "");
    p = bench_run(b, endpoints_reconcile, s);
    assert_int_equal(plan_len(p), 1);
    assert_int_equal(plan_at(p, 0)->op, PLAN_UPDATE);
    plan_free(p);
}

static void a_namespace_gets_an_account(void **state)
{
    struct bench *b = *state;
    const struct kobj *ns = bench_put(
        b, &KR_NAMESPACE, "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'team'}}");
    struct plan *p = bench_run(b, namespace_reconcile, ns);

    assert_int_equal(plan_len(p), 1);
    assert_ptr_equal(plan_at(p, 0)->res, &KR_SERVICEACCOUNT);
    assert_string_equal(plan_at(p, 0)->ns, "team");
    assert_string_equal(plan_at(p, 0)->name, "default");
    assert_true(plan_at(p, 0)->keep);
    plan_free(p);
    bench_put(b, &KR_SERVICEACCOUNT,
              "{'apiVersion':'v1','kind':'ServiceAccount','metadata':{'name':'default','namespace':"
              "'team'}}");
    p = bench_run(b, namespace_reconcile, ns);
    assert_int_equal(plan_len(p), 0);
    plan_free(p);
}

static void events_say_when_they_were_last_seen(void **state)
{
    static const struct {
        const char *event;
        int64_t seconds;
    } t[] = {
        {"{}", 0},
        {"{\"lastTimestamp\":null,\"eventTime\":\"1970-01-01T00:00:05.5Z\"}", 5},
        {"{\"lastTimestamp\":\"1970-01-01T00:01:00Z\",\"metadata\":{\"creationTimestamp\":\"1970-"
         "01-01T00:00:10Z\"}}",
         60},
        {"{\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:00:10Z\"}}", 10},
        {"{\"eventTime\":\"1970-01-01T00:00:05Z\",\"series\":{\"lastObservedTime\":\"1970-01-01T00:"
         "00:09Z\"}}",
         9},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *d = json_parse(t[i].event, strlen(t[i].event), NULL);
        assert_int_equal(event_last_seen(d->root) / NS_PER_SEC, t[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(ready_and_not_ready_pods),
        BENCH_TEST(not_ready_pods_can_be_published),
        BENCH_TEST(named_ports_are_looked_up_in_each_pod),
        BENCH_TEST(all_of_the_selector_counts),
        BENCH_TEST(services_without_selector_are_left_alone),
        BENCH_TEST(endpoints_of_others_are_left_alone),
        BENCH_TEST(what_is_there_is_not_written_again),
        BENCH_TEST(a_namespace_gets_an_account),
        cmocka_unit_test(events_say_when_they_were_last_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
