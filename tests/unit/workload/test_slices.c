/* Service -> EndpointSlices: what they say, how few writes a change costs, and the mirrors of
 * Endpoints that somebody else wrote. */
#include "bench.h"

#include "cluster/workload/limits.h"

static const struct kobj *put_service(struct bench *b, const char *spec)
{
    return bench_put(
        b, &KR_SERVICE,
        "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s','namespace':'ns','uid':'u-s',"
        "'labels':{'l':'1','kubernetes.io/service-name':'lie'}},'spec':{%s}}",
        spec);
}

static void put_pod(struct bench *b, const char *name, const char *ip, const char *ready,
                    const char *more)
{
    bench_put(
        b, &KR_POD,
        "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'ns','uid':'u-%s',%s"
        "'labels':{'app':'a'}},'spec':{'nodeName':'n1','containers':[{'name':'c','ports':[{'name':"
        "'http','containerPort':%d}]}]},'status':{'podIP':'%s','phase':'Running','conditions':[{"
        "'type':'Ready','status':'%s'}]}}",
        name, name, more, name[0] == 'q' ? 9090 : 8080, ip, ready);
}

static void forget_pod(struct bench *b, const char *name)
{
    cache_remove(manager_cache(b->m, &KR_POD), "ns", name, NULL, ++b->rv);
}

/* Carries a plan out on the cache, as the controller does with the server's answers. */
static size_t apply(struct bench *b, struct plan *p)
{
    size_t n = plan_len(p);

    for (size_t i = 0; i < n; i++) {
        const struct plan_entry *en = plan_at(p, i);
        if (en->op == PLAN_DELETE) {
            cache_remove(manager_cache(b->m, en->res), en->ns, en->name, NULL, ++b->rv);
            continue;
        }
        _cleanup_free_ char *text = bench_json(en->obj->root);
        bench_put(b, en->res, "%s", text);
    }
    plan_free(p);
    return n;
}

static size_t settle(struct bench *b, const struct kobj *service)
{
    size_t n = apply(b, bench_run(b, slices_reconcile, service));
    struct plan *p = bench_run(b, slices_reconcile, service);

    assert_int_equal(plan_len(p), 0);
    plan_free(p);
    return n;
}

static int add_line(void *ctx, const struct slice_endpoint *ep)
{
    buf_addf(ctx, "%s:%d%s%s%s ", ep->ip, ep->port, ep->ready ? "" : " unready",
             ep->serving ? "" : " unserving", ep->terminating ? " terminating" : "");
    return 0;
}

static void assert_endpoints(struct bench *b, const char *port, const char *want)
{
    _cleanup_buf_ struct buf got = BUF_INIT(100000);

    slices_each(manager_cache(b->m, &KR_ENDPOINTSLICE), "ns", "s", port, add_line, &got);
    assert_string_equal(buf_z(&got), want);
}

static const struct kobj *only_slice(struct bench *b)
{
    kobj_vec v = {0};

    slices_of_service(manager_cache(b->m, &KR_ENDPOINTSLICE), "ns", "s", &v);
    assert_int_equal(v.n, 1);
    const struct kobj *o = v.p[0];
    vec_done(&v);
    return o;
}

static void a_slice_says_whose_it_is(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'clusterIP':'None','ports':[{"
                                          "'name':'web','port':80,'targetPort':'http',"
                                          "'appProtocol':'kubernetes.io/h2c'}]");

    put_pod(b, "p1", "10.0.0.1", "True", "");
    assert_int_equal(settle(b, s), 1);
    const struct kobj *o = only_slice(b);
    assert_string_equal(kobj_label(o, "l"), "1");
    assert_string_equal(kobj_label(o, L_SLICE_SERVICE), "s");
    assert_string_equal(kobj_label(o, L_SLICE_MANAGED_BY), "endpointslice-controller.k8s.io");
    assert_string_equal(kobj_label(o, "service.kubernetes.io/headless"), "");
    assert_true(kobj_controlled_by(o, s));
    _cleanup_free_ char *text = json_text(jget(kobj_root(o), "endpoints"), NULL);
    assert_string_equal(
        text, "[{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":true,\"serving\":true,"
              "\"terminating\":false},\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\","
              "\"namespace\":\"ns\",\"name\":\"p1\",\"uid\":\"u-p1\"}}]");
    _cleanup_free_ char *ports = json_text(jget(kobj_root(o), "ports"), NULL);
    assert_string_equal(ports, "[{\"name\":\"web\",\"port\":8080,\"protocol\":\"TCP\","
                               "\"appProtocol\":\"kubernetes.io/h2c\"}]");
}

static void conditions_of_pods(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80}]");

    put_pod(b, "p1", "10.0.0.1", "True", "");
    put_pod(b, "p2", "10.0.0.2", "False", "");
    put_pod(b, "p3", "10.0.0.3", "True", "'deletionTimestamp':'" NOW_TEXT "',");
    put_pod(b, "p4", "", "True", "");
    settle(b, s);
    assert_endpoints(b, "",
                     "10.0.0.1:80 10.0.0.2:80 unready unserving 10.0.0.3:80 unready terminating ");
    assert_endpoints(b, "http", "");
    s = put_service(b,
                    "'selector':{'app':'a'},'publishNotReadyAddresses':true,'ports':[{'port':80}]");
    settle(b, s);
    assert_endpoints(b, "", "10.0.0.1:80 10.0.0.2:80 unserving 10.0.0.3:80 terminating ");
}

static void pods_of_other_ports_have_slices_of_their_own(void **state)
{
    struct bench *b = *state;
    const struct kobj *s =
        put_service(b, "'selector':{'app':'a'},'ports':[{'port':80,'targetPort':'http'}]");

    put_pod(b, "p", "10.0.0.1", "True", "");
    put_pod(b, "q", "10.0.0.2", "True", "");
    put_pod(b, "r", "fd00::1", "True", "");
    assert_int_equal(settle(b, s), 3);
    kobj_vec v = {0};
    slices_of_service(manager_cache(b->m, &KR_ENDPOINTSLICE), "ns", "s", &v);
    assert_int_equal(v.n, 3);
    vec_done(&v);
    /* A port that no pod has leads nowhere; the Service keeps one slice that says so. */
    s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80,'targetPort':'nope'}]");
    settle(b, s);
    assert_int_equal(yyjson_arr_size(jget(kobj_root(only_slice(b)), "endpoints")), 0);
}

/* From nothing to pods and back a Service keeps the slice that it has. */
static void the_first_slice_stays(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80}]");

    assert_int_equal(settle(b, s), 1);
    _cleanup_free_ char *name = xstrdup(kobj_name(only_slice(b)));
    put_pod(b, "p", "10.0.0.1", "True", "");
    assert_int_equal(settle(b, s), 1);
    assert_string_equal(kobj_name(only_slice(b)), name);
    forget_pod(b, "p");
    assert_int_equal(settle(b, s), 1);
    assert_string_equal(kobj_name(only_slice(b)), name);
    assert_int_equal(yyjson_arr_size(jget(kobj_root(only_slice(b)), "ports")), 0);
}

static void slices_of_others_are_left_alone(void **state)
{
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80}]");

    bench_put(b, &KR_ENDPOINTSLICE,
              "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':'mine'"
              ",'namespace':'ns','labels':{'kubernetes.io/service-name':'s'}},'addressType':'IPv4',"
              "'endpoints':[{'addresses':['10.9.9.9']}],'ports':[{'name':'','port':7}]}");
    put_pod(b, "p", "10.0.0.1", "True", "");
    settle(b, s);
    assert_non_null(cache_get(manager_cache(b->m, &KR_ENDPOINTSLICE), "ns", "mine"));
    /* One of ours whose owner was a namesake is taken away. */
    bench_put(b, &KR_ENDPOINTSLICE,
              "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':'old',"
              "'namespace':'ns','uid':'u-old','labels':{'kubernetes.io/service-name':'s','"
              "endpointslice.kubernetes.io/managed-by':'endpointslice-controller.k8s.io'},"
              "'ownerReferences':[{'kind':'Service','name':'s','uid':'u-before','controller':true}]"
              "},'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1']}],'ports':[]}");
    assert_int_equal(settle(b, s), 1);
    assert_null(cache_get(manager_cache(b->m, &KR_ENDPOINTSLICE), "ns", "old"));
}

static void a_service_that_selects_no_more_has_none(void **state)
{
    struct bench *b = *state;

    put_pod(b, "p", "10.0.0.1", "True", "");
    settle(b, put_service(b, "'selector':{'app':'a'},'ports':[{'port':80}]"));
    assert_int_equal(settle(b, put_service(b, "'ports':[{'port':80}]")), 1);
    assert_endpoints(b, NULL, "");
}

static void put_numbered(struct bench *b, int i, bool ready)
{
    _cleanup_free_ char *name = xasprintf("p%03d", i);
    _cleanup_free_ char *ip = xasprintf("10.0.%d.%d", i / 100, i % 100 + 1);

    put_pod(b, name, ip, ready ? "True" : "False", "");
}

static size_t check_slices(struct bench *b)
{
    kobj_vec v = {0};
    size_t sum = 0;

    slices_of_service(manager_cache(b->m, &KR_ENDPOINTSLICE), "ns", "s", &v);
    for (size_t k = 0; k < v.n; k++) {
        size_t n = yyjson_arr_size(jget(kobj_root(v.p[k]), "endpoints"));
        assert_true(n > 0 && n <= LIMIT_SLICE_ENDPOINTS);
        sum += n;
    }
    vec_done(&v);
    return sum;
}

/* Any sequence of pods coming, going and changing: the slices hold exactly the pods, none is above
 * its bound, and a single change is one write. */
static void random_changes_cost_one_write_each(void **state)
{
    enum { FIRST = 260, STEPS = 300 };
    struct bench *b = *state;
    const struct kobj *s = put_service(b, "'selector':{'app':'a'},'ports':[{'port':80}]");
    bool there[FIRST + STEPS] = {0};
    size_t n = FIRST;
    uint64_t x = 88172645463325252u; /* the same walk each time */

    for (int i = 0; i < FIRST; i++) {
        put_numbered(b, i, true);
        there[i] = true;
    }
    assert_int_equal(settle(b, s), 3);
    for (int step = 0; step < STEPS; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        int i = (int)(x % (uint64_t)(FIRST + step));
        if (x >> 62 == 0 || !there[i]) { /* a new one */
            i = FIRST + step;
            n += !there[i];
            put_numbered(b, i, true);
            there[i] = true;
        } else if (x >> 63) {
            _cleanup_free_ char *name = xasprintf("p%03d", i);
            forget_pod(b, name);
            there[i] = false;
            n--;
        } else {
            put_numbered(b, i, false);
        }
        assert_true(settle(b, s) <= 1);
        assert_int_equal(check_slices(b), n);
    }
}

/* ---- mirrors ---- */

static const struct kobj *put_endpoints(struct bench *b, const char *meta, const char *subsets)
{
    return bench_put(b, &KR_ENDPOINTS,
                     "{'apiVersion':'v1','kind':'Endpoints','metadata':{'name':'s','namespace':"
                     "'ns','uid':'u-e'%s},'subsets':[%s]}",
                     meta, subsets);
}

static size_t mirror(struct bench *b, const struct kobj *endpoints)
{
    return apply(b, bench_run(b, mirror_reconcile, endpoints));
}

static void hand_made_endpoints_are_mirrored(void **state)
{
    static const char subsets[] =
        "{'addresses':[{'ip':'10.1.0.1','hostname':'h','targetRef':{'kind':'Pod','name':'x','uid':"
        "'u'}},{'ip':'10.1.0.2'}],'notReadyAddresses':[{'ip':'10.1.0.3'}],'ports':[{'name':'web',"
        "'port':8080}]},{'addresses':[{'ip':'fd00::1'}],'ports':[{'name':'web','port':8080}]}";
    struct bench *b = *state;
    const struct kobj *e = put_endpoints(b, "", subsets);

    assert_int_equal(mirror(b, e), 0); /* of no Service */
    put_service(b, "'ports':[{'name':'web','port':80}]");
    assert_int_equal(mirror(b, e), 2);
    assert_endpoints(b, "web",
                     "10.1.0.1:8080 10.1.0.2:8080 10.1.0.3:8080 unready unserving fd00::1:8080 ");
    assert_int_equal(mirror(b, e), 0);
    e = put_endpoints(b, "",
                      "{'addresses':[{'ip':'10.1.0.2'}],'ports':[{'name':'web','port':8080}]}");
    assert_int_equal(mirror(b, e), 2); /* one changed, one gone */
    assert_endpoints(b, "web", "10.1.0.2:8080 ");
    assert_true(kobj_controlled_by(only_slice(b), e));
}

static void what_is_not_mirrored(void **state)
{
    static const struct {
        const char *meta, *spec;
    } t[] = {
        {",'labels':{'endpointslice.kubernetes.io/skip-mirror':'true'}", "'ports':[{'port':80}]"},
        {",'annotations':{'control-plane.alpha.kubernetes.io/leader':'{}'}",
         "'ports':[{'port':80}]"},
        {"", "'selector':{'app':'a'},'ports':[{'port':80}]"},
        {"", "'type':'ExternalName','externalName':'x'"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        put_service(b, "'ports':[{'port':80}]");
        assert_int_equal(mirror(b, put_endpoints(b, "", "{'addresses':[{'ip':'10.1.0.1'}]}")), 1);
        put_service(b, t[i].spec);
        /* and one that was is taken back */
        assert_int_equal(
            mirror(b, put_endpoints(b, t[i].meta, "{'addresses':[{'ip':'10.1.0.1'}]}")), 1);
        assert_endpoints(b, NULL, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_slice_says_whose_it_is),
        BENCH_TEST(conditions_of_pods),
        BENCH_TEST(pods_of_other_ports_have_slices_of_their_own),
        BENCH_TEST(the_first_slice_stays),
        BENCH_TEST(slices_of_others_are_left_alone),
        BENCH_TEST(a_service_that_selects_no_more_has_none),
        BENCH_TEST(random_changes_cost_one_write_each),
        BENCH_TEST(hand_made_endpoints_are_mirrored),
        BENCH_TEST(what_is_not_mirrored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
