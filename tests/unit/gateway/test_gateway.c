/* The gateway class: hash, translation, status only after acknowledgement, hosts, and backends that
 * follow pods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "contract/names.h"
#include "plugin/ingress/gateway/gateway.h"
#include "plugin/ingress/gateway/ingress_hash.h"
#include "plugin/ingress/gateway/revisions.h"
#include "recorder.h"

struct world {
    struct loop *loop;
    struct kube_client *client;
    struct manager *m;
    struct gateway *g;
    struct plan *plan;
    struct arena arena;
    int64_t mono_ns;
    int rv;
};

static void no_server(void *ctx, struct http_exchange *x)
{
    fail_msg("a table test sent a request");
}

static void start(struct world *w)
{
    struct err e = {0};

    *w = (struct world){0};
    arena_init(&w->arena);
    recorder_reset();
    w->loop = loop_new(&e);
    w->client =
        kube_client_new(w->loop, kube_transport_inproc(w->loop, w->loop, no_server, NULL, "test"));
    w->m = manager_new(w->loop, w->client, "test");
    w->g = gateway_new(&(struct gateway_opts){
        .manager = w->m, .listeners = {.local_ip = "10.222.0.1", .public_port = 8080}});
}

static void end(struct world *w)
{
    gateway_free(w->g);
    while (recorder_apply())
        ;
    plan_free(w->plan);
    manager_free(w->m);
    kube_client_free(w->client);
    loop_free(w->loop);
    arena_done(&w->arena);
    recorder_reset();
}

static char *json(struct world *w, const char *text)
{
    char *s = arena_strndup(&w->arena, text, strlen(text));

    for (char *p = s; *p; p++) {
        if (*p == '\'')
            *p = '"';
    }
    return s;
}

/* New and referenced: the caller unrefs. */
static struct kobj *object(struct world *w, const char *text)
{
    char *s = json(w, text);
    struct err e = {0};
    struct kobj *o = kobj_parse(s, strlen(s), &e);

    if (!o)
        fail_msg("%s: %s", e.msg, s);
    return o;
}

#define RULE(host)                                                                                 \
    "{'hosts':['" host "'],'http':{'paths':[{'splits':[{'serviceName':'r','serviceNamespace':'ns'" \
    ",'servicePort':80}]}]}}"

static const struct kobj *put_ingress(struct world *w, const char *name, const char *class,
                                      const char *spec, const char *status)
{
    struct cache *c = manager_cache(w->m, &KR_INGRESS);
    _cleanup_kobj_ const struct kobj *o = object(
        w, arena_printf(&w->arena,
                        "{'apiVersion':'networking.internal.knative.dev/v1alpha1','kind':'Ingress',"
                        "'metadata':{'name':'%s','namespace':'ns','generation':1,'resourceVersion':"
                        "'%d','annotations':{%s}},'spec':%s,'status':%s}",
                        name, ++w->rv,
                        *class ? arena_printf(&w->arena, "'" A_INGRESS_CLASS "':'%s'", class) : "",
                        spec, status));
    cache_put(c, o);
    return cache_get(c, "ns", name);
}

static void put(struct world *w, const struct kube_resource *r, const char *text)
{
    _cleanup_kobj_ const struct kobj *o =
        object(w, arena_printf(&w->arena, "{'metadata':{'namespace':'ns','resourceVersion':'%d',%s",
                               ++w->rv, text));

    cache_put(manager_cache(w->m, r), o);
}

/* A Service with one endpoint, which the splits of RULE name. */
static void put_service(struct world *w)
{
    put(w, &KR_SERVICE, "'name':'r'},'spec':{'ports':[{'port':80}]}}");
    put(w, &KR_ENDPOINTSLICE,
        "'name':'r-1','labels':{'kubernetes.io/service-name':'r'}},'addressType':'IPv4','ports':[{"
        "'name':'','port':8080}],'endpoints':[{'addresses':['10.0.0.1']}]}");
}

static void run(struct world *w, const char *name)
{
    _cleanup_free_ char *key = kube_key("ns", name);
    struct reconcile_ctx rc = {.m = w->m,
                               .key = key,
                               .ns = "ns",
                               .name = name,
                               .obj = cache_get(manager_cache(w->m, &KR_INGRESS), "ns", name),
                               .now_ns = 1700000000LL * NS_PER_SEC,
                               .mono_ns = w->mono_ns};

    plan_free(w->plan);
    w->plan = plan_new();
    gateway_reconcile(w->g, &rc, w->plan);
}

static const char *status(struct world *w)
{
    for (size_t i = 0; i < plan_len(w->plan); i++) {
        const struct plan_entry *e = plan_at(w->plan, i);
        if (e->op != PLAN_UPDATE_STATUS)
            continue;
        _cleanup_free_ char *text = json_mut_text(jm_get(e->obj->root, "status"), NULL);
        for (char *p = text; *p; p++) {
            if (*p == '"')
                *p = '\'';
        }
        return arena_strndup(&w->arena, text, strlen(text));
    }
    return "";
}

/* ---- hash ---- */
static void check_canonical(struct world *w, const char *spec, const char *want)
{
    _cleanup_kobj_ const struct kobj *o = object(
        w, arena_printf(&w->arena, "{'metadata':{'name':'n','namespace':'ns'},'spec':%s}", spec));
    struct buf b = BUF_INIT(1 << 16);

    assert_int_equal(ingress_canonical(o, &b), 0);
    assert_string_equal(buf_z(&b), json(w, want));
    buf_done(&b);
}

static void test_canonical(void **state)
{
    struct world w;

    start(&w);
    check_canonical(&w, "{}", "{}");
    check_canonical(&w, "{'httpOption':'Enabled','rules':[]}", "{'httpOption':'Enabled'}");
    /* Order of members, defaults, sorted maps, what vanishes when empty. */
    check_canonical(
        &w,
        "{'httpOption':'Enabled','rules':[{'visibility':'','http':{'paths':[{'appendHeaders':{'b':"
        "'2','a':'1'},'splits':[{'servicePort':80,'serviceName':'s','serviceNamespace':'ns',"
        "'appendHeaders':{}}],'headers':{'K':{'exact':''}},'path':'','rewriteHost':'h'}]},"
        "'hosts':['x']}],'tls':[{'secretName':'t','hosts':['x']}]}",
        "{'tls':[{'hosts':['x'],'secretName':'t'}],'rules':[{'hosts':['x'],'visibility':"
        "'ExternalIP','http':{'paths':[{'rewriteHost':'h','headers':{'K':{'exact':''}},'splits':[{"
        "'serviceNamespace':'ns','serviceName':'s','servicePort':80,'percent':100}],"
        "'appendHeaders':{'a':'1','b':'2'}}]}}],'httpOption':'Enabled'}");
    check_canonical(&w,
                    "{'rules':[{'visibility':'ClusterLocal','http':{'paths':[{'path':'/a<b>&',"
                    "'splits':[{'serviceName':'s','servicePort':'http','percent':30},{'serviceName'"
                    ":'t','servicePort':81,'percent':70},{'percent':0}]},{}]}}]}",
                    "{'rules':[{'visibility':'ClusterLocal','http':{'paths':[{'path':"
                    "'/a\\u003cb\\u003e\\u0026','splits':[{'serviceNamespace':'','serviceName':'s',"
                    "'servicePort':'http','percent':30},{'serviceNamespace':'','serviceName':'t',"
                    "'servicePort':81,'percent':70},{'serviceNamespace':'','serviceName':'',"
                    "'servicePort':0}]},{'splits':null}]}}]}");
    check_canonical(&w, "{'httpOption':'\\u2028\\u00e9\\t\\u0001'}",
                    "{'httpOption':'\\u2028\xc3\xa9\\t\\u0001'}");
    end(&w);
}

static void test_hash(void **state)
{
    struct world w;
    char a[INGRESS_HASH_LEN + 1], b[INGRESS_HASH_LEN + 1];

    start(&w);
    _cleanup_kobj_ const struct kobj *x =
        object(&w, "{'metadata':{'name':'n','namespace':'ns','labels':{'a':'1'}},'spec':{}}");
    _cleanup_kobj_ const struct kobj *y =
        object(&w, "{'metadata':{'name':'m','namespace':'ns'},'spec':{}}");
    assert_int_equal(ingress_hash(x, a, NULL), 0);
    assert_int_equal(ingress_hash(y, b, NULL), 0);
    /* printf '{}nsn' | sha256sum */
    assert_string_equal(a, "e322e51a285043af0051871baa64f59b036ed3f02a12e0380f410fe46042daf0");
    assert_string_not_equal(a, b);
    end(&w);
}

/* ---- Ingresses ---- */
static void test_translation(void **state)
{
    struct world w;

    start(&w);
    put_ingress(&w, "i", CLASS_GATEWAY,
                "{'httpOption':'Redirected','rules':[{'hosts':['a.ns','a.ns.svc'],'visibility':"
                "'ClusterLocal','http':{'paths':[{'splits':[{'serviceName':'r1','serviceNamespace':"
                "'ns','servicePort':80,'percent':40,'appendHeaders':{'R':'r1'}},{'serviceName':"
                "'r2','servicePort':80,'percent':60}]}]}},{'hosts':['a.example.com'],'http':{"
                "'paths':[{'path':'/x','rewriteHost':'b','headers':{'T':{'exact':'t'}},"
                "'appendHeaders':{'S':'s'},'splits':[{'serviceName':'r1','servicePort':80}]}]}}]}",
                "{}");
    run(&w, "i");
    const char *line = recorder_take();
    assert_non_null(strstr(
        line,
        ": local a.ns a.ns.svc [ ns/r1:nothing=40 set(R=r1) ns/r2:nothing=60] external redirect "
        "a.example.com [/x match(T=t) host(b) set(S=s) ns/r1:nothing=100]\n"));
    end(&w);
}

#define SERVED                                                                                     \
    "'conditions':[{'type':'LoadBalancerReady','status':'True','lastTransitionTime':"              \
    "'2023-11-14T22:13:20Z'},{'type':'NetworkConfigured','status':'True','lastTransitionTime':"    \
    "'2023-11-14T22:13:20Z'},{'type':'Ready','status':'True','lastTransitionTime':"                \
    "'2023-11-14T22:13:20Z'}]"
#define PUBLIC                                                                                     \
    "{'ingress':[{'domainInternal':'nonagon-gateway.knative-serving.svc.cluster.local'}]}"
#define PRIVATE                                                                                    \
    "{'ingress':[{'ip':'10.222.0.1','domainInternal':"                                             \
    "'nonagon-gateway-internal.knative-serving.svc.cluster.local'}]}"

static void test_status_follows_acknowledgement(void **state)
{
    struct world w;

    start(&w);
    put_service(&w);
    put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("h") "]}", "{}");
    run(&w, "i");
    assert_int_equal(plan_len(w.plan), 0); /* nothing is written while nothing is known */
    assert_true(plan_requeue(w.plan) > 0);
    assert_string_not_equal(recorder_take(), "");
    run(&w, "i");
    assert_string_equal(recorder_take(), ""); /* not given twice */
    assert_true(recorder_apply());
    run(&w, "i");
    const char *s = status(&w);
    assert_non_null(strstr(s, SERVED));
    assert_non_null(strstr(s, "'publicLoadBalancer':" PUBLIC));
    assert_non_null(strstr(s, "'privateLoadBalancer':" PRIVATE));
    assert_non_null(strstr(s, "'observedGeneration':1"));
    assert_int_equal(plan_len(w.plan), 1);
    put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("h") "]}", s);
    run(&w, "i");
    assert_int_equal(plan_len(w.plan), 0);
    end(&w);
}

static void test_slow_acknowledgement(void **state)
{
    struct world w;

    start(&w);
    put_service(&w);
    put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("h") "]}", "{}");
    run(&w, "i");
    w.mono_ns = 2 * NS_PER_SEC;
    run(&w, "i");
    assert_non_null(strstr(status(&w), "'reason':'Uninitialized'"));
    assert_null(strstr(status(&w), "'ingress'"));
    end(&w);
}

/* What a new spec names may be heard of a moment later; then its absence is told, and at once when
 * the spec is no longer new. */
static void test_a_missing_service_is_not_told_too_early(void **state)
{
    struct world w;

    start(&w);
    put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("h") "]}", "{}");
    run(&w, "i");
    assert_true(recorder_apply());
    run(&w, "i");
    assert_int_equal(plan_len(w.plan), 0);
    assert_true(plan_requeue(w.plan) > 0);
    w.mono_ns = 2 * NS_PER_SEC;
    run(&w, "i");
    assert_non_null(strstr(status(&w), "'reason':'ServiceMissing'"));
    end(&w);
    start(&w);
    put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("h") "]}", "{'observedGeneration':1}");
    run(&w, "i");
    assert_true(recorder_apply());
    run(&w, "i");
    assert_non_null(strstr(status(&w), "'reason':'ServiceMissing'"));
    end(&w);
}

/* An acknowledgement of what was asked before does not count for what is asked now. */
static void test_late_acknowledgement(void **state)
{
    struct world w;

    start(&w);
    put_service(&w);
    put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("h") "]}", "{}");
    run(&w, "i");
    put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("g") "]}", "{}");
    run(&w, "i");
    assert_true(recorder_apply());
    run(&w, "i");
    assert_string_equal(status(&w), "");
    assert_true(recorder_apply());
    run(&w, "i");
    assert_non_null(strstr(status(&w), SERVED));
    end(&w);
}

#define GONE "remove ingress ns/i\nremove backend ns/r:80\n"

static void test_leaving(void **state)
{
    static const struct {
        const char *class;
        bool removed;
    } cases[] = {
        {"istio.ingress.networking.knative.dev", true}, {"", true}, {CLASS_GATEWAY, false}};
    struct world w;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        start(&w);
        put_service(&w);
        _cleanup_kobj_ const struct kobj *before =
            kobj_ref(put_ingress(&w, "i", CLASS_GATEWAY, "{'rules':[" RULE("h") "]}", "{}"));
        run(&w, "i");
        recorder_take();
        gateway_on_ingress(w.g, before,
                           put_ingress(&w, "i", cases[i].class, "{'rules':[" RULE("h") "]}", "{}"));
        assert_string_equal(recorder_take(), cases[i].removed ? GONE : "");
        gateway_on_ingress(w.g, before, NULL);
        assert_string_equal(recorder_take(), cases[i].removed ? "" : GONE);
        end(&w);
    }
}

static void test_host_conflict(void **state)
{
    struct world w;

    start(&w);
    put_service(&w);
    const struct kobj *first =
        put_ingress(&w, "first", CLASS_GATEWAY, "{'rules':[" RULE("H.example") "]}", "{}");
    run(&w, "first");
    put_ingress(&w, "second", CLASS_GATEWAY, "{'rules':[" RULE("h.Example") "]}", "{}");
    recorder_take();
    run(&w, "second");
    assert_string_equal(recorder_take(), "");
    assert_non_null(strstr(status(&w), "'reason':'DomainConflict','message':'host h.example is "
                                       "already served for Ingress ns/first'"));
    gateway_on_ingress(w.g, first, NULL);
    recorder_take();
    run(&w, "second");
    assert_non_null(strstr(recorder_take(), "ingress ns/second"));
    end(&w);
}

static void test_unusable_spec(void **state)
{
    static const char *const specs[] = {"{}", "{'rules':[{'hosts':['h']}]}",
                                        "{'rules':[{'http':{'paths':[{}]}}]}",
                                        "{'rules':[{'http':{'paths':[{'splits':[{}]}]}}]}"};
    struct world w;

    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        start(&w);
        put_ingress(&w, "i", CLASS_GATEWAY, specs[i], "{}");
        run(&w, "i");
        assert_string_equal(recorder_take(), "");
        assert_non_null(strstr(status(&w), "'reason':'ReconcileIngressFailed'"));
        end(&w);
    }
}

/* ---- revisions ---- */
struct pods {
    struct world w;
    struct revisions *b;
};

static void on_known(void *ctx, const char *ns, const char *revision)
{
}

static void pods_start(struct pods *p)
{
    start(&p->w);
    p->b =
        revisions_new(&(struct revisions_opts){.manager = p->w.m, .on_known = on_known, .ctx = p});
}

static void pods_end(struct pods *p)
{
    revisions_free(p->b);
    end(&p->w);
}

static struct kobj *revision(struct pods *p, const char *spec)
{
    return object(&p->w,
                  arena_printf(&p->w.arena,
                               "{'metadata':{'name':'rev','namespace':'ns'},'spec':{%s}}", spec));
}

static struct kobj *pod(struct pods *p, const char *name, const char *ip, const char *ready,
                        const char *meta)
{
    return object(&p->w,
                  arena_printf(&p->w.arena,
                               "{'metadata':{'name':'%s','namespace':'ns','labels':{"
                               "'serving.knative.dev/revision':'rev'}%s},'spec':{'containers':[{"
                               "'ports':[{'name':'x','containerPort':1}]},{'ports':[{'name':"
                               "'user-port','containerPort':8080}]}]},'status':{'podIP':'%s',"
                               "'conditions':[{'type':'Ready','status':'%s'}]}}",
                               name, meta, ip, ready));
}

/* What the change makes the plugin say; the objects are used up. */
static const char *pod_event(struct pods *p, struct kobj *before, struct kobj *after)
{
    revisions_on_pod(p->b, before, after);
    kobj_unref(before);
    kobj_unref(after);
    return recorder_take();
}

static const char *revision_event(struct pods *p, struct kobj *before, struct kobj *after)
{
    revisions_on_revision(p->b, before, after);
    kobj_unref(before);
    kobj_unref(after);
    return recorder_take();
}

#define SPEC "'containerConcurrency':5,'timeoutSeconds':300,'responseStartTimeoutSeconds':2"
#define HEAD "backend ns/rev limit=5 timeouts=300000,2000,0:"

static void test_backend_life(void **state)
{
    struct pods p;

    pods_start(&p);
    revisions_on_synced(p.b);
    assert_string_equal(revision_event(&p, NULL, revision(&p, SPEC)), HEAD "\n");
    assert_string_equal(pod_event(&p, NULL, pod(&p, "a", "", "False", "")), "");
    assert_string_equal(pod_event(&p, NULL, pod(&p, "a", "10.0.0.2", "False", "")), "");
    assert_string_equal(pod_event(&p, NULL, pod(&p, "a", "10.0.0.2", "True", "")),
                        HEAD " a@10.0.0.2:8080\n");
    assert_string_equal(pod_event(&p, NULL, pod(&p, "a", "10.0.0.2", "True", ",'uid':'u'")), "");
    assert_string_equal(pod_event(&p, NULL, pod(&p, "b", "10.0.0.3", "True", "")),
                        HEAD " a@10.0.0.2:8080 b@10.0.0.3:8080\n");
    assert_string_equal(
        pod_event(&p, NULL,
                  pod(&p, "a", "10.0.0.2", "True", ",'deletionTimestamp':'2023-01-01T00:00:00Z'")),
        HEAD " b@10.0.0.3:8080\n");
    assert_string_equal(pod_event(&p, pod(&p, "a", "10.0.0.2", "True", ""), NULL), "");
    assert_string_equal(pod_event(&p, NULL, pod(&p, "b", "10.0.0.4", "True", "")),
                        HEAD " b@10.0.0.4:8080\n");
    assert_string_equal(pod_event(&p, pod(&p, "b", "10.0.0.4", "True", ""), NULL), HEAD "\n");
    assert_string_equal(revision_event(&p, revision(&p, SPEC), NULL), "remove backend ns/rev\n");
    pods_end(&p);
}

/* Status changes of a Revision, which are many, say nothing to the data plane. */
static void test_only_changes_are_told(void **state)
{
    struct pods p;

    pods_start(&p);
    revisions_on_synced(p.b);
    revision_event(&p, NULL, revision(&p, SPEC));
    assert_string_equal(revision_event(&p, revision(&p, SPEC), revision(&p, SPEC)), "");
    assert_string_equal(revision_event(&p, revision(&p, SPEC), revision(&p, "'timeoutSeconds':1")),
                        "backend ns/rev limit=0 timeouts=1000,0,0:\n");
    pods_end(&p);
}

static void test_pod_before_revision(void **state)
{
    struct pods p;

    pods_start(&p);
    revisions_on_synced(p.b);
    assert_string_equal(pod_event(&p, NULL, pod(&p, "a", "10.0.0.2", "True", "")), "");
    assert_string_equal(revision_event(&p, NULL, revision(&p, SPEC)), HEAD " a@10.0.0.2:8080\n");
    pods_end(&p);
}

/* Before the first full list the data plane keeps what it has. */
static void test_quiet_until_synced(void **state)
{
    struct pods p;

    pods_start(&p);
    assert_string_equal(revision_event(&p, NULL, revision(&p, SPEC)), "");
    assert_string_equal(pod_event(&p, NULL, pod(&p, "a", "10.0.0.2", "True", "")), "");
    revisions_on_synced(p.b);
    assert_string_equal(recorder_take(), HEAD " a@10.0.0.2:8080\n");
    pods_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_translation),
        cmocka_unit_test(test_status_follows_acknowledgement),
        cmocka_unit_test(test_slow_acknowledgement),
        cmocka_unit_test(test_a_missing_service_is_not_told_too_early),
        cmocka_unit_test(test_late_acknowledgement),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_host_conflict),
        cmocka_unit_test(test_unusable_spec),
        cmocka_unit_test(test_backend_life),
        cmocka_unit_test(test_only_changes_are_told),
        cmocka_unit_test(test_pod_before_revision),
        cmocka_unit_test(test_quiet_until_synced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
