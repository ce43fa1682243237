/* The ServerlessService reconciler as a table, and the choice of activators against known answers.
 */
#include "table.h"

#include "serving/sks/sks.h"
#include "serving/sks/sks_build.h"
#include "serving/sks/subset.h"

#define NAME "hello-00001"

static void sks(struct table *t, const char *mode, const char *protocol, int activators)
{
    const struct kobj *old = table_get(t, &KR_SKS, "ns", NAME);
    yyjson_val *status = jget(kobj_root(old), "status");
    _cleanup_free_ char *text = status ? json_text(status, NULL) : xstrdup("{}");

    table_put(t, &KR_SKS,
              arena_printf(&t->arena,
                           "{'apiVersion':'networking.internal.knative.dev/v1alpha1','metadata':{"
                           "'name':'" NAME "','namespace':'ns','uid':'sks-uid','generation':1,"
                           "'labels':{'app':'x'}},'spec':{'mode':'%s','protocolType':'%s',"
                           "'numActivators':%d,'objectRef':{'apiVersion':'apps/v1','kind':"
                           "'Deployment','name':'" NAME "-deployment'}},'status':%s}",
                           mode, protocol, activators, text));
}

static void deployment(struct table *t)
{
    table_put(t, &KR_DEPLOYMENT,
              "{'metadata':{'name':'" NAME "-deployment','namespace':'ns'},'spec':{'selector':{"
              "'matchLabels':{'serving.knative.dev/revisionUID':'u1'}}}}");
}

static void endpoints(struct table *t, const char *ns, const char *name, const char *addresses,
                      const char *ports)
{
    table_put(t, &KR_ENDPOINTS,
              arena_printf(&t->arena,
                           "{'metadata':{'name':'%s','namespace':'%s'},'subsets':[{%s,'ports':[%s]"
                           "}]}",
                           name, ns, addresses, ports));
}

#define POD_PORTS "{'name':'http','port':8080,'protocol':'TCP'}"
#define POD       "'addresses':[{'ip':'10.0.0.9'}]"
#define ACTIVATOR_PORTS                                                                            \
    "{'name':'http','port':8012},{'name':'http2','port':8013},{'name':'metrics','port':9090}"

static void start(struct table *t, const char *mode, const char *protocol)
{
    table_start(t);
    sks_reconciler_register(&t->s);
    deployment(t);
    sks(t, mode, protocol, 0);
}

static const char *run(struct table *t)
{
    return table_run(t, sks_reconcile, &KR_SKS, "ns", NAME);
}

#define conditions(t) table_conditions(t, &KR_SKS, NAME)
#define subsets(t)    table_value(t, &KR_ENDPOINTS, NAME, JPATH("subsets"))

static void test_first_run(void **state)
{
    struct table t;

    start(&t, "Serve", "http1");
    assert_string_equal(run(&t), "create services ns/" NAME "-private\n"
                                 "create services ns/" NAME "\n"
                                 "create endpoints ns/" NAME "\n"
                                 "status serverlessservices ns/" NAME "\n");
    assert_string_equal(conditions(&t),
                        "ActivatorEndpointsPopulated=True/ActivatorEndpointsPopulated "
                        "EndpointsPopulated=Unknown/NoHealthyBackends "
                        "Ready=Unknown/NoHealthyBackends");
    assert_string_equal(table_value(&t, &KR_SERVICE, NAME "-private", JPATH("spec")),
                        "{'ports':[{'name':'http','protocol':'TCP','port':80,"
                        "'targetPort':'user-port'}],"
                        "'selector':{'serving.knative.dev/revisionUID':'u1'}}");
    assert_string_equal(table_value(&t, &KR_SERVICE, NAME "-private", JPATH("metadata", "labels")),
                        "{'app':'x','networking.internal.knative.dev/serverlessservice':'" NAME
                        "','networking.internal.knative.dev/serviceType':'Private'}");
    assert_string_equal(table_value(&t, &KR_SERVICE, NAME, JPATH("spec")),
                        "{'ports':[{'name':'http','protocol':'TCP','port':80,'targetPort':8012}]}");
    assert_string_equal(table_value(&t, &KR_SKS, NAME, JPATH("status", "serviceName")),
                        "'" NAME "'");
    assert_string_equal(table_value(&t, &KR_SKS, NAME, JPATH("status", "privateServiceName")),
                        "'" NAME "-private'");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_h2c(void **state)
{
    struct table t;

    start(&t, "Serve", "h2c");
    run(&t);
    assert_string_equal(table_value(&t, &KR_SERVICE, NAME, JPATH("spec")),
                        "{'ports':[{'name':'http2','protocol':'TCP','port':81,"
                        "'appProtocol':'kubernetes.io/h2c','targetPort':8013}]}");
    table_end(&t);
}

static void test_no_deployment(void **state)
{
    struct table t;

    table_start(&t);
    sks_reconciler_register(&t.s);
    sks(&t, "Serve", "http1", 0);
    assert_string_equal(run(&t), "status serverlessservices ns/" NAME "\n");
    assert_non_null(strstr(conditions(&t), "EndpointsPopulated=Unknown/CreatingPrivateService"));
    table_end(&t);
}

struct mode_case {
    const char *mode;
    bool pods, activators;
    const char *subsets, *activated, *populated;
};

#define AT_POD "[{'addresses':[{'ip':'10.0.0.9'}],'ports':[" POD_PORTS "]}]"
#define AT_ACT "[{'addresses':[{'ip':'10.9.0.1'}],'ports':[{'name':'http','port':8012}]}]"

static void test_modes(void **state)
{
    static const struct mode_case cases[] = {
        {"Serve", true, true, AT_POD, "False", "EndpointsPopulated=True"},
        {"Serve", true, false, AT_POD, "False", "EndpointsPopulated=True"},
        {"Serve", false, true, AT_ACT, "True", "EndpointsPopulated=Unknown/NoHealthyBackends"},
        {"Proxy", true, true, AT_ACT, "True", "EndpointsPopulated=True"},
        {"Proxy", true, false, AT_POD, "True", "EndpointsPopulated=True"},
        {"Proxy", false, true, AT_ACT, "True", "EndpointsPopulated=Unknown/NoHealthyBackends"},
        {"Proxy", false, false, "", "True", "EndpointsPopulated=Unknown/NoHealthyBackends"},
    };
    struct table t;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct mode_case *c = &cases[i];
        start(&t, c->mode, "http1");
        if (c->pods)
            endpoints(&t, "ns", NAME "-private", POD, POD_PORTS);
        if (c->activators)
            endpoints(&t, SYSTEM_NAMESPACE, ACTIVATOR_SERVICE, "'addresses':[{'ip':'10.9.0.1'}]",
                      ACTIVATOR_PORTS);
        run(&t);
        assert_string_equal(subsets(&t), c->subsets);
        assert_non_null(
            strstr(conditions(&t),
                   arena_printf(&t.arena, "%s=%s/", "ActivatorEndpointsPopulated", c->activated)));
        assert_non_null(strstr(conditions(&t), c->populated));
        table_end(&t);
    }
}

/* Activators that do not speak the revision's protocol are none. */
static void test_activators_of_another_protocol(void **state)
{
    struct table t;

    start(&t, "Proxy", "h2c");
    endpoints(&t, SYSTEM_NAMESPACE, ACTIVATOR_SERVICE, "'addresses':[{'ip':'10.9.0.1'}]",
              "{'name':'http','port':8012}");
    endpoints(&t, "ns", NAME "-private", POD, "{'name':'http2','port':8080}");
    run(&t);
    assert_string_equal(
        subsets(&t), "[{'addresses':[{'ip':'10.0.0.9'}],'ports':[{'name':'http2','port':8080}]}]");
    table_end(&t);
}

/* A pod comes and goes: only the Endpoints and the status follow. */
static void test_pods_come_and_go(void **state)
{
    struct table t;

    start(&t, "Serve", "http1");
    run(&t);
    table_apply(&t);
    endpoints(&t, "ns", NAME "-private", POD, POD_PORTS);
    assert_string_equal(run(&t), "update endpoints ns/" NAME "\n"
                                 "status serverlessservices ns/" NAME "\n");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    endpoints(&t, "ns", NAME "-private", "'notReadyAddresses':[{'ip':'10.0.0.9'}]", POD_PORTS);
    assert_string_equal(run(&t), "update endpoints ns/" NAME "\n"
                                 "status serverlessservices ns/" NAME "\n");
    table_end(&t);
}

static void test_foreign(void **state)
{
    static const struct kube_resource *const res[] = {&KR_SERVICE, &KR_SERVICE, &KR_ENDPOINTS};
    static const char *const names[] = {NAME "-private", NAME, NAME};
    struct table t;

    for (size_t i = 0; i < ARRAY_LEN(res); i++) {
        start(&t, "Serve", "http1");
        table_put(&t, res[i],
                  arena_printf(&t.arena, "{'metadata':{'name':'%s','namespace':'ns'}}", names[i]));
        assert_non_null(strstr(run(&t), "error: "));
        assert_non_null(strstr(conditions(&t), "EndpointsPopulated=False/NotOwned"));
        assert_string_equal(table_message(&t, &KR_SKS, NAME, "Ready"),
                            arena_printf(&t.arena, "Resource %s of type %s is not owned by SKS",
                                         names[i], res[i]->kind));
        table_end(&t);
    }
}

/* ---- the subset of activators ---- */
static const char *chosen(struct table *t, const char *const *items, size_t n, size_t k,
                          const char *target)
{
    bool in[16];
    const char *text = "";

    choose_subset(items, n, k, target, in);
    for (size_t i = 0; i < n; i++) {
        if (in[i])
            text = arena_printf(&t->arena, "%s%s%s", text, *text ? " " : "", items[i]);
    }
    return text;
}

static void test_subsets(void **state)
{
    static const char *const ips[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4",
                                      "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"};
    static const char *const sky[] = {"mars", "mercury", "moon", "sun"};
    static const char *const tasks[] = {"task1", "task2", "task3", "task4", "task5"};
    struct table t;

    table_start(&t);
    assert_string_equal(chosen(&t, ips, 8, 2, "hello-00001"), "10.0.0.4 10.0.0.8");
    assert_string_equal(chosen(&t, ips, 8, 3, "hello-00001"), "10.0.0.4 10.0.0.6 10.0.0.8");
    assert_string_equal(chosen(&t, ips, 8, 3, "hello-00002"), "10.0.0.3 10.0.0.5 10.0.0.6");
    assert_string_equal(chosen(&t, ips, 8, 5, "to-proxy-with-subset"),
                        "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.5 10.0.0.7");
    assert_string_equal(chosen(&t, tasks, 3, 1, "my-key1"), "task3");
    assert_string_equal(chosen(&t, tasks, 3, 1, "something/another-key"), "task2");
    assert_string_equal(chosen(&t, tasks, 5, 2, "my-key1"), "task3 task4");
    assert_string_equal(chosen(&t, sky, 4, 2, "a target!"), "mercury moon");
    assert_string_equal(chosen(&t, sky, 4, 2, "something else entirely"), "mars mercury");
    assert_string_equal(chosen(&t, sky, 4, 3, "something else entirely"), "mars mercury sun");
    assert_string_equal(chosen(&t, sky, 4, 9, "all"), "mars mercury moon sun");
    table_end(&t);
}

static void test_subset_of_activators(void **state)
{
    struct table t;

    start(&t, "Proxy", "http1");
    sks(&t, "Proxy", "http1", 2);
    endpoints(&t, SYSTEM_NAMESPACE, ACTIVATOR_SERVICE,
              "'addresses':[{'ip':'10.0.0.1'},{'ip':'10.0.0.2'},{'ip':'10.0.0.3'},"
              "{'ip':'10.0.0.4'},{'ip':'10.0.0.5'},{'ip':'10.0.0.6'},{'ip':'10.0.0.7'},"
              "{'ip':'10.0.0.8'}]",
              ACTIVATOR_PORTS);
    run(&t);
    assert_string_equal(subsets(&t), "[{'addresses':[{'ip':'10.0.0.4'},{'ip':'10.0.0.8'}],"
                                     "'ports':[{'name':'http','port':8012}]}]");
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run),
        cmocka_unit_test(test_h2c),
        cmocka_unit_test(test_no_deployment),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_pods_come_and_go),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_subsets),
        cmocka_unit_test(test_subset_of_activators),
        cmocka_unit_test(test_activators_of_another_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
