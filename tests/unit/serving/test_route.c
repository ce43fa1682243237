/* The Route reconciler as a table: objects before, writes and conditions after. */
#include "table.h"

#include "serving/route/route.h"

#define CONFIGURATION                                                                              \
    "{'metadata':{'name':'hello','namespace':'ns','generation':1},'status':{"                      \
    "'observedGeneration':1,'latestReadyRevisionName':'%s'}}"
#define REVISION                                                                                   \
    "{'metadata':{'name':'%s','namespace':'ns','generation':1,'labels':{"                          \
    "'serving.knative.dev/"                                                                        \
    "configuration':'hello'}},'spec':{'containers':[{'ports':[{'name':'%s'}]}"                     \
    "]},'status':{'observedGeneration':1,'conditions':[{'type':'Ready','status':'True'}]}}"
#define LATEST "{'configurationName':'hello','latestRevision':true,'percent':100}"
#define READY_LB                                                                                   \
    "'conditions':[{'type':'Ready','status':'True'}],"                                             \
    "'privateLoadBalancer':{'ingress':[{'ip':'10.222.0.1','domainInternal':'gw.local'}]}"

static void configuration(struct table *t, const char *latest)
{
    table_put(t, &KR_CONFIGURATION, arena_printf(&t->arena, CONFIGURATION, latest));
}

static void revision(struct table *t, const char *name, const char *port)
{
    table_put(t, &KR_REVISION, arena_printf(&t->arena, REVISION, name, port));
}

static void route(struct table *t, int generation, const char *meta, const char *traffic)
{
    const struct kobj *old = table_get(t, &KR_ROUTE, "ns", "hello");
    yyjson_val *status = jget(kobj_root(old), "status");
    _cleanup_free_ char *text = status ? json_text(status, NULL) : xstrdup("{}");

    table_put(t, &KR_ROUTE,
              arena_printf(&t->arena,
                           "{'apiVersion':'serving.knative.dev/v1','metadata':{'name':'hello',"
                           "'namespace':'ns','uid':'route-uid','generation':%d%s},"
                           "'spec':{'traffic':[%s]},'status':%s}",
                           generation, meta, traffic, text));
}

static void config(struct table *t, enum config_section section, const char *data)
{
    struct err e = {0};
    const struct kobj *map =
        table_put(t, &KR_CONFIGMAP,
                  arena_printf(&t->arena,
                               "{'metadata':{'name':'%s','namespace':'knative-serving'},'data':%s}",
                               config_section_name(section), data));

    if (contract_config_read(t->s.config, section, map, &e) < 0)
        fail_msg("%s", e.msg);
}

static void ingress_status(struct table *t, const char *status)
{
    const struct kobj *o = table_get(t, &KR_INGRESS, "ns", "hello");
    struct kmut *m = kmut_from(o);
    _cleanup_free_ char *all =
        xasprintf("{'observedGeneration':%d,%s}", (int)kobj_generation(o), status);
    const char *json = table_json(t, all);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(json, strlen(json), NULL);

    assert_non_null(o);
    jm_set_copy(KM(m), yyjson_doc_get_root(d), "status");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    kmut_free(m);
    table_put(t, &KR_INGRESS, text);
}

static const char *run(struct table *t)
{
    return table_run(t, route_reconcile, &KR_ROUTE, "ns", "hello");
}

static const char *conditions(struct table *t)
{
    return table_conditions(t, &KR_ROUTE, "hello");
}

#define status(t, ...)     table_value(t, &KR_ROUTE, "hello", JPATH("status", __VA_ARGS__))
#define ingress(t, ...)    table_value(t, &KR_INGRESS, "hello", JPATH(__VA_ARGS__))
#define service(t, n, ...) table_value(t, &KR_SERVICE, n, JPATH(__VA_ARGS__))

static void start(struct table *t)
{
    table_start(t);
    route_reconciler_register(&t->s);
    config(t, CONFIG_DOMAIN, "{'localhost':''}");
    configuration(t, "hello-00001");
    revision(t, "hello-00001", "http1");
    route(t, 1, "", LATEST);
}

/* A Route that is ready, with all children. */
static void settle(struct table *t)
{
    run(t);
    table_apply(t);
    ingress_status(t, READY_LB);
    run(t);
    table_apply(t);
}

static void test_first_run(void **state)
{
    struct table t;

    start(&t);
    assert_string_equal(run(&t), "create services ns/hello\n"
                                 "event Normal Created: Created placeholder service \"hello\"\n"
                                 "create ingresses ns/hello\n"
                                 "event Normal Created: Created Ingress \"hello\"\n"
                                 "status routes ns/hello\n");
    assert_string_equal(conditions(&t),
                        "AllTrafficAssigned=True CertificateProvisioned=True/TLSNotEnabled "
                        "IngressReady=Unknown/IngressNotConfigured "
                        "Ready=Unknown/IngressNotConfigured");
    assert_string_equal(status(&t, "url"), "'http://hello.ns.localhost'");
    assert_string_equal(status(&t, "address"), "{'url':'http://hello.ns.svc.cluster.local'}");
    assert_string_equal(status(&t, "traffic"),
                        "[{'revisionName':'hello-00001','latestRevision':true,'percent':100}]");
    assert_string_equal(status(&t, "observedGeneration"), "1");
    assert_string_equal(service(&t, "hello", "spec"),
                        "{'type':'ExternalName','externalName':'hello.ns.localhost',"
                        "'sessionAffinity':'None','ports':[{'name':'http2','appProtocol':"
                        "'kubernetes.io/h2c','port':80,'protocol':'TCP','targetPort':80}]}");
    table_end(&t);
}

#define SPLIT(name, port, percent)                                                                 \
    "{'serviceNamespace':'ns','serviceName':'" name "','servicePort':" port ",'percent':" percent  \
    ",'appendHeaders':{'Knative-Serving-Namespace':'ns','Knative-Serving-Revision':'" name "'}}"

static void test_ingress(void **state)
{
    struct table t;

    start(&t);
    run(&t);
    assert_string_equal(
        ingress(&t, "spec"),
        "{'rules':[{'hosts':['hello.ns','hello.ns.svc',"
        "'hello.ns.svc.cluster.local'],'http':{'paths':[{'splits':[" SPLIT(
            "hello-00001", "80",
            "100") "]}]},'visibility':'ClusterLocal'},"
                   "{'hosts':['hello.ns.localhost'],'http':{'paths':[{'splits':[" SPLIT(
                       "hello-00001", "80", "100") "]}]},'visibility':'ExternalIP'}],"
                                                   "'httpOption':'Enabled'}");
    assert_string_equal(ingress(&t, "metadata", "annotations", A_INGRESS_CLASS),
                        "'gateway.ingress.networking.nonagon.dev'");
    assert_string_equal(
        ingress(&t, "metadata", "labels"),
        "{'serving.knative.dev/route':'hello','serving.knative.dev/routeNamespace':'ns'}");
    table_end(&t);
}

static void test_becomes_ready(void **state)
{
    struct table t;

    start(&t);
    run(&t);
    table_apply(&t);
    ingress_status(&t, READY_LB);
    assert_string_equal(run(&t), "update services ns/hello\n"
                                 "create endpoints ns/hello\n"
                                 "status routes ns/hello\n");
    assert_string_equal(conditions(&t),
                        "AllTrafficAssigned=True CertificateProvisioned=True/TLSNotEnabled "
                        "IngressReady=True Ready=True");
    assert_string_equal(service(&t, "hello", "spec"),
                        "{'type':'ClusterIP','clusterIP':'None','ports':[{'name':'http2',"
                        "'appProtocol':'kubernetes.io/h2c','port':80,'protocol':'TCP',"
                        "'targetPort':80}]}");
    assert_string_equal(table_value(&t, &KR_ENDPOINTS, "hello", JPATH("subsets")),
                        "[{'addresses':[{'ip':'10.222.0.1'}],'ports':[{'name':'http2',"
                        "'appProtocol':'kubernetes.io/h2c','port':80,'protocol':'TCP'}]}]");
    table_apply(&t);
    assert_string_equal(run(&t), "");
    table_end(&t);
}

static void test_load_balancers(void **state)
{
    static const struct {
        const char *status, *plan, *spec;
    } cases[] = {
        {"'conditions':[{'type':'Ready','status':'Unknown','reason':'Uninitialized'}]",
         "status routes ns/hello\n", ""},
        {"'publicLoadBalancer':{'ingress':[{'domain':'lb.example.com'}]}",
         "update services ns/hello\n", "'lb.example.com'"},
        {"'privateLoadBalancer':{'ingress':[{'domainInternal':'gw.svc'}]}",
         "update services ns/hello\n", "'gw.svc'"},
        {"'privateLoadBalancer':{'ingress':[{'domainInternal':'gw.svc','domain':'x'}]},"
         "'publicLoadBalancer':{'ingress':[{'ip':'1.2.3.4'}]}",
         "update services ns/hello\n", "'gw.svc'"},
        {"'privateLoadBalancer':{'ingress':[{'meshOnly':true}]}", "update services ns/hello\n", ""},
        {"'privateLoadBalancer':{'ingress':[{'ip':'1.1.1.1'},{'ip':'2.2.2.2'}]}",
         "error: Ingress hello has several load balancers; a Route can point to one only\n", ""},
        {"'privateLoadBalancer':{'ingress':[{}]}",
         "error: Ingress hello has a load balancer without an address\n", ""},
    };
    struct table t;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        start(&t);
        run(&t);
        table_apply(&t);
        ingress_status(&t, cases[i].status);
        assert_string_equal(run(&t), cases[i].plan);
        assert_string_equal(service(&t, "hello", "spec", "externalName"), cases[i].spec);
        table_end(&t);
    }
}

/* From an address back to a name: the API allows that only for a new Service. */
static void test_load_balancer_moves(void **state)
{
    struct table t;

    start(&t);
    settle(&t);
    ingress_status(&t, "'conditions':[{'type':'Ready','status':'True'}],"
                       "'privateLoadBalancer':{'ingress':[{'domainInternal':'gw.svc'}]}");
    assert_string_equal(run(&t), "delete services ns/hello\n"
                                 "create services ns/hello\n");
    table_end(&t);
}

static void test_url(void **state)
{
    static const struct {
        const char *domain, *network, *meta, *url, *local_rules_only;
    } cases[] = {
        {"{'localhost':''}", "{}", "", "'http://hello.ns.localhost'", NULL},
        {"{'localhost':''}", "{'external-url-port':'8080'}", "", "'http://hello.ns.localhost:8080'",
         NULL},
        {"{'localhost':''}", "{'external-url-port':'80x'}", "", "'http://hello.ns.localhost'",
         NULL},
        {"{'localhost':''}", "{'external-url-port':'70000'}", "", "'http://hello.ns.localhost'",
         NULL},
        {"{'localhost':''}", "{'default-external-scheme':'https','external-url-port':'8443'}", "",
         "'https://hello.ns.localhost:8443'", NULL},
        {"{'example.com':'','prod.com':'selector:\\n  app: prod\\n'}", "{}",
         ",'labels':{'app':'prod'}", "'http://hello.ns.prod.com'", NULL},
        {"{'example.com':'','prod.com':'selector:\\n  app: prod\\n'}", "{}", "",
         "'http://hello.ns.example.com'", NULL},
        {"{'localhost':''}", "{'domain-template':'{{.Name}}-{{.Namespace}}.{{.Domain}}'}", "",
         "'http://hello-ns.localhost'", NULL},
        {"{'localhost':''}",
         "{'domain-template':'{{.Name}}.{{index .Labels \\\"team\\\"}}.{{.Domain}}'}",
         ",'labels':{'team':'a'}", "'http://hello.a.localhost'", NULL},
        {"{'localhost':''}", "{'external-url-port':'8080'}",
         ",'labels':{'networking.knative.dev/visibility':'cluster-local'}",
         "'http://hello.ns.svc.cluster.local'", "1"},
        {"{}", "{}", "", "'http://hello.ns.svc.cluster.local'", "1"},
    };
    struct table t;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        start(&t);
        config(&t, CONFIG_DOMAIN, cases[i].domain);
        config(&t, CONFIG_NETWORK, cases[i].network);
        route(&t, 1, cases[i].meta, LATEST);
        run(&t);
        assert_string_equal(status(&t, "url"), cases[i].url);
        assert_int_equal(strstr(ingress(&t, "spec"), "ExternalIP") == NULL,
                         cases[i].local_rules_only != NULL);
        table_end(&t);
    }
}

static void test_not_assigned(void **state)
{
    struct table t;

    start(&t);
    settle(&t);
    route(&t, 2, "", "{'revisionName':'nope','percent':100}");
    assert_string_equal(run(&t), "status routes ns/hello\n");
    assert_string_equal(conditions(&t),
                        "AllTrafficAssigned=False/RevisionMissing "
                        "CertificateProvisioned=True/TLSNotEnabled "
                        "IngressReady=Unknown/IngressNotConfigured Ready=False/RevisionMissing");
    assert_string_equal(table_message(&t, &KR_ROUTE, "hello", "Ready"),
                        "Revision \"nope\" referenced in traffic not found.");
    /* What served goes on serving. */
    assert_string_equal(status(&t, "traffic"),
                        "[{'revisionName':'hello-00001','latestRevision':true,'percent':100}]");
    table_end(&t);
}

static void test_new_revision(void **state)
{
    struct table t;

    start(&t);
    settle(&t);
    revision(&t, "hello-00002", "h2c");
    configuration(&t, "hello-00002");
    assert_string_equal(run(&t), "update ingresses ns/hello\nstatus routes ns/hello\n");
    assert_string_equal(conditions(&t),
                        "AllTrafficAssigned=True CertificateProvisioned=True/TLSNotEnabled "
                        "IngressReady=Unknown/IngressNotConfigured "
                        "Ready=Unknown/IngressNotConfigured");
    assert_non_null(strstr(ingress(&t, "spec"), SPLIT("hello-00002", "81", "100")));
    table_apply(&t);
    assert_string_equal(run(&t), ""); /* the ingress has not seen its new generation */
    ingress_status(&t, READY_LB);
    assert_string_equal(run(&t), "status routes ns/hello\n");
    assert_non_null(strstr(conditions(&t), "Ready=True"));
    table_end(&t);
}

static void test_tags(void **state)
{
    struct table t;

    start(&t);
    settle(&t);
    revision(&t, "hello-00002", "");
    configuration(&t, "hello-00002");
    route(&t, 2, "", LATEST ",{'revisionName':'hello-00001','percent':0,'tag':'old'}");
    assert_string_equal(run(&t), "create services ns/old-hello\n"
                                 "event Normal Created: Created placeholder service \"old-hello\"\n"
                                 "create endpoints ns/old-hello\n"
                                 "update ingresses ns/hello\n"
                                 "status routes ns/hello\n");
    assert_string_equal(status(&t, "traffic"),
                        "[{'revisionName':'hello-00002','latestRevision':true,'percent':100},"
                        "{'tag':'old','revisionName':'hello-00001','latestRevision':false,"
                        "'percent':0,'url':'http://old-hello.ns.localhost'}]");
    assert_string_equal(
        ingress(&t, "metadata", "annotations", "networking.internal.knative.dev/tag-to-host"),
        "'{\\'old\\':[\\'old-hello.ns.svc.cluster.local\\',\\'old-hello.ns.localhost\\']}'");
    table_apply(&t);
    route(&t, 3, "", LATEST);
    assert_string_equal(run(&t), "delete services ns/old-hello\n"
                                 "delete endpoints ns/old-hello\n"
                                 "update ingresses ns/hello\n"
                                 "status routes ns/hello\n");
    table_end(&t);
}

/* One host alone is hidden by labelling its placeholder. */
static void test_tag_visibility(void **state)
{
    struct table t;

    start(&t);
    config(&t, CONFIG_NETWORK, "{'external-url-port':'8080'}");
    route(&t, 1, "", LATEST ",{'revisionName':'hello-00001','percent':0,'tag':'in'}");
    run(&t);
    table_apply(&t);
    table_put(&t, &KR_SERVICE,
              "{'metadata':{'name':'in-hello','namespace':'ns','uid':'u','labels':{"
              "'serving.knative.dev/route':'hello','networking.knative.dev/visibility':'yes'},"
              "'ownerReferences':[{'uid':'route-uid','controller':true}]},'spec':{}}");
    run(&t);
    assert_non_null(strstr(status(&t, "traffic"), "'http://in-hello.ns.svc.cluster.local'"));
    assert_null(strstr(ingress(&t, "spec"), "in-hello.ns.localhost"));
    assert_non_null(strstr(ingress(&t, "spec"), "'hello.ns.localhost'"));
    table_end(&t);
}

static void test_tag_template(void **state)
{
    struct table t;

    start(&t);
    route(&t, 1, "", LATEST ",{'revisionName':'hello-00001','percent':0,'tag':'v1'}");
    config(&t, CONFIG_NETWORK, "{'tag-template':'{{.Name}}-{{.Tag}}'}");
    run(&t);
    assert_non_null(strstr(status(&t, "traffic"), "'http://hello-v1.ns.localhost'"));
    config(&t, CONFIG_NETWORK, "{'tag-template':'{{.Name}}_{{.Tag}}'}");
    assert_string_equal(run(&t), "status routes ns/hello\n");
    assert_non_null(strstr(conditions(&t), "AllTrafficAssigned=False/ErrorConfig"));
    table_end(&t);
}

static void test_tag_headers(void **state)
{
    struct table t;

    start(&t);
    config(&t, CONFIG_FEATURES, "{'tag-header-based-routing':'enabled'}");
    route(&t, 1, "", LATEST ",{'revisionName':'hello-00001','percent':0,'tag':'v1'}");
    run(&t);
    const char *spec = ingress(&t, "spec");
    const char *by_header = strstr(spec, "'headers':{'Knative-Serving-Tag':{'exact':'v1'}}");
    const char *base = strstr(spec, "'appendHeaders':{'Knative-Serving-Default-Route':'true'}");
    assert_true(by_header && base && by_header < base);
    assert_non_null(strstr(spec, "'appendHeaders':{'Knative-Serving-Tag':'v1'}"));
    table_end(&t);
}

static void test_metadata_flows(void **state)
{
    struct table t;

    start(&t);
    route(&t, 1,
          ",'labels':{'app':'x','networking.knative.dev/visibility':'cluster-local'},"
          "'annotations':{'my/hint':'1','kubectl.kubernetes.io/last-applied-configuration':'{}',"
          "'networking.knative.dev/ingress-class':'mine','networking.knative.dev/http-protocol':"
          "'Redirected'}",
          LATEST);
    run(&t);
    assert_string_equal(ingress(&t, "metadata", "annotations", A_INGRESS_CLASS), "'mine'");
    assert_string_equal(ingress(&t, "metadata", "annotations", "my/hint"), "'1'");
    assert_string_equal(
        ingress(&t, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
        "");
    assert_string_equal(
        ingress(&t, "metadata", "annotations", "networking.knative.dev/ingress-class"), "");
    assert_string_equal(ingress(&t, "metadata", "labels", "app"), "'x'");
    assert_string_equal(ingress(&t, "spec", "httpOption"), "'Redirected'");
    assert_string_equal(service(&t, "hello", "metadata", "labels"),
                        "{'app':'x','serving.knative.dev/route':'hello'}");
    table_end(&t);
}

static void test_http_option(void **state)
{
    static const struct {
        const char *network, *annotation, *want;
    } cases[] = {
        {"{}", NULL, "'Enabled'"},
        {"{'http-protocol':'redirected'}", NULL, "'Redirected'"},
        {"{'http-protocol':'disabled'}", NULL, ""},
        {"{'http-protocol':'disabled'}", "enabled", "'Enabled'"},
        {"{}", "nonsense", ""},
    };
    struct table t;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        start(&t);
        config(&t, CONFIG_NETWORK, cases[i].network);
        if (cases[i].annotation)
            route(&t, 1,
                  arena_printf(&t.arena,
                               ",'annotations':{'networking.knative.dev/httpOption':'%s'}",
                               cases[i].annotation),
                  LATEST);
        const char *plan = run(&t);
        assert_string_equal(ingress(&t, "spec", "httpOption"), cases[i].want);
        assert_int_equal(
            strstr(plan, "error: incorrect http-protocol annotation: nonsense") != NULL, i == 4);
        table_end(&t);
    }
}

static void test_foreign_children(void **state)
{
    struct table t;

    start(&t);
    table_put(&t, &KR_SERVICE, "{'metadata':{'name':'hello','namespace':'ns','uid':'x'}}");
    assert_string_equal(run(&t),
                        "status routes ns/hello\nerror: placeholder Service ns/hello belongs to "
                        "somebody else; delete or rename it\n");
    assert_non_null(strstr(conditions(&t), "IngressReady=False/NotOwned Ready=False/NotOwned"));
    assert_string_equal(table_message(&t, &KR_ROUTE, "hello", "IngressReady"),
                        "There is an existing placeholder Service \"hello\" that we do not own.");
    table_end(&t);

    start(&t);
    table_put(&t, &KR_INGRESS, "{'metadata':{'name':'hello','namespace':'ns','uid':'x'}}");
    run(&t);
    assert_non_null(strstr(conditions(&t), "IngressReady=False/NotOwned"));
    table_end(&t);
}

static void test_certificates(void **state)
{
    struct table t;

    start(&t);
    config(&t, CONFIG_NETWORK, "{'external-domain-tls':'enabled'}");
    run(&t);
    assert_non_null(
        strstr(conditions(&t), "CertificateProvisioned=False/CertificateProvisionFailed"));
    route(&t, 1, ",'labels':{'networking.knative.dev/visibility':'cluster-local'}", LATEST);
    run(&t);
    assert_string_equal(table_message(&t, &KR_ROUTE, "hello", "CertificateProvisioned"),
                        "TLS is not enabled for cluster-local");
    route(&t, 1, ",'annotations':{'networking.knative.dev/disable-auto-tls':'true'}", LATEST);
    run(&t);
    assert_non_null(strstr(conditions(&t), "CertificateProvisioned=True/TLSNotEnabled"));
    table_end(&t);
}

/* Somebody edits the Ingress: spec, labels and annotations are put back. */
static void test_drift(void **state)
{
    struct table t;

    start(&t);
    settle(&t);
    struct kmut *m = kmut_from(table_get(&t, &KR_INGRESS, "ns", "hello"));
    kmut_label(m, "foreign", "1");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    kmut_free(m);
    table_put(&t, &KR_INGRESS, text);
    assert_string_equal(run(&t), "update ingresses ns/hello\n");
    assert_string_equal(ingress(&t, "metadata", "labels", "foreign"), "");
    table_end(&t);
}

static void test_deleting(void **state)
{
    struct table t;

    start(&t);
    route(&t, 1, ",'deletionTimestamp':'2023-01-01T00:00:00Z'", LATEST);
    assert_string_equal(run(&t), "");
    assert_string_equal(table_run(&t, route_reconcile, &KR_ROUTE, "ns", "gone"), "");
    table_end(&t);
}

/* Over 10 s in steps of the second that the first percent took to be served. */
static void test_rollout(void **state)
{
    struct table t;
    int steps = 0;

    start(&t);
    route(&t, 1, ",'annotations':{'serving.knative.dev/rollout-duration':'10s'}", LATEST);
    settle(&t);
    revision(&t, "hello-00002", "");
    configuration(&t, "hello-00002");
    run(&t);
    assert_non_null(strstr(ingress(&t, "spec"),
                           SPLIT("hello-00001", "80", "99") "," SPLIT("hello-00002", "80", "1")));
    table_apply(&t);
    t.now_ns += 900000000LL;
    ingress_status(&t, READY_LB);
    assert_string_equal(run(&t),
                        "update ingresses ns/hello\nstatus routes ns/hello\nrequeue 1000 ms\n");
    assert_non_null(strstr(conditions(&t), "IngressReady=Unknown/RolloutInProgress"));
    assert_string_equal(status(&t, "traffic"),
                        "[{'revisionName':'hello-00001','latestRevision':false,'percent':99},"
                        "{'revisionName':'hello-00002','latestRevision':true,'percent':1}]");
    table_apply(&t);
    ingress_status(&t, READY_LB);
    while (!strstr(table_conditions(&t, &KR_ROUTE, "hello"), "Ready=True") && steps < 20) {
        t.now_ns += 1000000000LL;
        run(&t);
        table_apply(&t);
        ingress_status(&t, READY_LB);
        run(&t);
        table_apply(&t);
        steps++;
    }
    assert_int_equal(steps, 9);
    const struct kobj *o = table_get(&t, &KR_INGRESS, "ns", "hello");
    assert_non_null(
        strstr(table_quotes(&t, kobj_annotation(o, "networking.internal.knative.dev/rollout")),
               "'revisions':[{'revisionName':'hello-00002','percent':100}],"
               "'stepParams':{}"));
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run),
        cmocka_unit_test(test_ingress),
        cmocka_unit_test(test_becomes_ready),
        cmocka_unit_test(test_load_balancers),
        cmocka_unit_test(test_load_balancer_moves),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_not_assigned),
        cmocka_unit_test(test_new_revision),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_tag_visibility),
        cmocka_unit_test(test_tag_template),
        cmocka_unit_test(test_tag_headers),
        cmocka_unit_test(test_metadata_flows),
        cmocka_unit_test(test_http_option),
        cmocka_unit_test(test_foreign_children),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_deleting),
        cmocka_unit_test(test_rollout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
