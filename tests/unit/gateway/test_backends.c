/*
 * Ready means served: what splits lead to, while Services, slices and Revisions come and go. Below
 * the plugin stands a model of the data plane that keeps what it is told, above it a fake API
 * server. The conditions are compared with what the model can serve.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"
#include "contract/names.h"
#include "kube/names.h"
#include "plugin/ingress/gateway/gateway.h"
#include "unit/kube/fake_api.h"

/* ---- the model of the data plane ---- */
struct ack {
    void (*fn)(void *);
    void *ctx;
};

struct model_backend {
    bool revision;
    size_t endpoints;
};

struct model_ingress {
    VEC(char *) keys; /* of the splits with a share */
};

static struct map *ingresses, *backends;
static VEC(struct ack) acks;
static bool slow; /* acknowledgements wait */

static void ingress_free(void *p)
{
    struct model_ingress *i = p;

    for (size_t j = 0; j < i->keys.n; j++)
        free(i->keys.p[j]);
    vec_done(&i->keys);
    free(i);
}

static void model_reset(void)
{
    map_free(ingresses);
    map_free(backends);
    ingresses = map_new(ingress_free);
    backends = map_new(free);
    vec_done(&acks);
    slow = false;
}

static void add_ack(void (*fn)(void *), void *ctx)
{
    if (fn)
        vec_push(&acks, ((struct ack){fn, ctx}));
}

static void acknowledge(void)
{
    while (acks.n && !slow) {
        struct ack a = acks.p[0];
        vec_remove(&acks, 0);
        a.fn(a.ctx);
    }
}

static char *backend_name(const char *ns, const char *service, int port)
{
    return xasprintf("%s/%s:%d", ns, service, port);
}

static void add_path(struct model_ingress *to, const struct dp_path *p)
{
    for (size_t i = 0; i < p->n_splits; i++) {
        const struct dp_split *s = &p->splits[i];
        if (s->percent > 0)
            vec_push(&to->keys, backend_name(s->ns, s->service, s->port));
    }
}

void dp_set_ingress(struct dataplane *dp, const struct dp_ingress *in, struct loop *l,
                    void (*applied)(void *), void *ctx)
{
    struct model_ingress *i = xnew(struct model_ingress);

    for (size_t r = 0; r < in->n_rules; r++) {
        for (size_t j = 0; j < in->rules[r].n_paths; j++)
            add_path(i, &in->rules[r].paths[j]);
    }
    map_set(ingresses, in->key, i);
    add_ack(applied, ctx);
}

void dp_remove_ingress(struct dataplane *dp, const char *key, struct loop *l,
                       void (*applied)(void *), void *ctx)
{
    assert_true(map_del(ingresses, key));
    add_ack(applied, ctx);
}

void dp_set_backend(struct dataplane *dp, const struct dp_backend *in, struct loop *l,
                    void (*applied)(void *), void *ctx)
{
    _cleanup_free_ char *name = backend_name(in->ns, in->service, in->port);
    struct model_backend *b = xnew(struct model_backend);

    *b = (struct model_backend){in->revision != NULL, in->n_endpoints};
    map_set(backends, name, b);
    add_ack(applied, ctx);
}

void dp_remove_backend(struct dataplane *dp, const char *ns, const char *service, int port)
{
    _cleanup_free_ char *name = backend_name(ns, service, port);

    assert_true(map_del(backends, name)); /* nothing is taken away twice */
}

/* Whether every request that the Ingress takes would be answered. Each split must lead to something
 * that was told: a name that nobody knows would let requests wait for ever. */
static bool serves(const char *ingress)
{
    const struct model_ingress *i = map_get(ingresses, ingress);
    bool all = i != NULL;

    for (size_t j = 0; i && j < i->keys.n; j++) {
        const struct model_backend *b = map_get(backends, i->keys.p[j]);
        assert_non_null(b);
        all = all && (b->revision || b->endpoints > 0);
    }
    return all;
}

/* ---- the world ---- */
struct world {
    struct loop *loop;
    struct fake_api *api;
    struct kube_client *client;
    struct manager *m;
    struct gateway *g;
    struct timer *poll;
    bool (*until)(struct world *w);
    int64_t deadline;
    size_t requests;
    int quiet;
    int routed;
    const char *reason, *status;
};

static void check(void *ctx)
{
    struct world *w = ctx;

    acknowledge();
    if (w->until(w) || clock_mono_ns() > w->deadline)
        loop_stop(w->loop);
}

static void run_until(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    w->deadline = clock_mono_ns() + 20 * NS_PER_SEC;
    w->quiet = 0;
    loop_run(w->loop);
    assert_true(until(w));
}

/* Nothing was asked of the server for a while. */
static bool at_rest(struct world *w)
{
    size_t n = fake_api_requests(w->api, "");

    w->quiet = n == w->requests ? w->quiet + 1 : 0;
    w->requests = n;
    return w->quiet > 12;
}

static int setup(void **state)
{
    struct world *w = xnew(struct world);

    model_reset();
    w->loop = loop_new(NULL);
    w->api = fake_api_new();
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "system:test"));
    w->m = manager_new(w->loop, w->client, "test");
    w->g = gateway_new(&(struct gateway_opts){
        .manager = w->m,
        .listeners = {.local_ip = "10.222.0.1", .public_port = 8080, .activator_port = 8012}});
    w->poll = timer_new(w->loop, check, w);
    timer_repeat(w->poll, 1);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    gateway_free(w->g);
    manager_free(w->m);
    kube_client_free(w->client);
    fake_api_free(w->api);
    timer_free(w->poll);
    loop_free(w->loop);
    slow = false;
    acknowledge();
    model_reset();
    free(w);
    return 0;
}

static void put(struct world *w, const struct kube_resource *r, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void put(struct world *w, const struct kube_resource *r, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    fake_api_put(w->api, r, text);
}

static void put_service(struct world *w, const char *name, const char *spec)
{
    put(w, &KR_SERVICE,
        "{'apiVersion':'v1','kind':'Service','metadata':{'name':'%s','namespace':'ns'},'spec':{%s}"
        "}",
        name, spec);
}

/* As the ServerlessService of a revision makes them. */
static void put_revision_service(struct world *w, const char *name, const char *revision, int port)
{
    put(w, &KR_SERVICE,
        "{'apiVersion':'v1','kind':'Service','metadata':{'name':'%s','namespace':'ns','labels':{'"
        "serving.knative.dev/revision':'%s'},'ownerReferences':[{'kind':'ServerlessService','name':"
        "'%s','uid':'u','controller':true}]},'spec':{'ports':[{'name':'http','port':%d}]}}",
        name, revision, revision, port);
}

static void put_revision(struct world *w, const char *name)
{
    put(w, &KR_REVISION,
        "{'apiVersion':'serving.knative.dev/v1','kind':'Revision','metadata':{'name':'%s',"
        "'namespace':'ns'},'spec':{'timeoutSeconds':300}}",
        name);
}

static void put_slice(struct world *w, const char *service, const char *port, bool ready)
{
    put(w, &KR_ENDPOINTSLICE,
        "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':'%s-x',"
        "'namespace':'ns','labels':{'kubernetes.io/service-name':'%s'}},'addressType':'IPv4',"
        "'ports':[{'name':'%s','port':8080}],'endpoints':[{'addresses':['10.0.0.1'],'conditions':{"
        "'ready':%s}}]}",
        service, service, port, ready ? "true" : "false");
}

static void put_ingress(struct world *w, const char *name, const char *splits)
{
    put(w, &KR_INGRESS,
        "{'apiVersion':'networking.internal.knative.dev/v1alpha1','kind':'Ingress','metadata':{"
        "'name':'%s','namespace':'ns','annotations':{'" A_INGRESS_CLASS "':'" CLASS_GATEWAY "'}},"
        "'spec':{'rules':[{'hosts':['%s.example'],'http':{'paths':[{'splits':[%s]}]}}]}}",
        name, name, splits);
}

#define SPLIT(service, port, percent)                                                              \
    "{'serviceName':'" service "','serviceNamespace':'ns','servicePort':" port                     \
    ",'percent':" percent "}"

static const struct kobj *ingress(struct world *w, const char *name)
{
    return fake_api_get(w->api, &KR_INGRESS, "ns", name);
}

static void drop(struct world *w, const struct kube_resource *r, const char *name)
{
    if (fake_api_get(w->api, r, "ns", name))
        fake_api_delete(w->api, r, "ns", name);
}

static bool says(struct world *w)
{
    yyjson_val *c = kobj_condition(ingress(w, "i"), "Ready");

    return streq(jget_str(c, "status"), w->status) &&
           (!*w->reason || streq(jget_str(c, "reason"), w->reason)) && at_rest(w);
}

static void expect(struct world *w, const char *status, const char *reason)
{
    w->status = status;
    w->reason = reason;
    run_until(w, says);
    assert_int_equal(streq(status, "True"), serves("ns/i"));
}

/* ---- one by one ---- */
static void test_a_service_comes_and_goes(void **state)
{
    struct world *w = *state;

    put_ingress(w, "i", SPLIT("s", "80", "100"));
    manager_start(w->m);
    expect(w, "False", "ServiceMissing");
    put_service(w, "s", "'ports':[{'port':81}]");
    expect(w, "False", "ServicePortMissing");
    assert_string_equal(jget_str(kobj_condition(ingress(w, "i"), "Ready"), "message"),
                        "Service ns/s has no TCP port 80.");
    put_service(w, "s", "'ports':[{'port':80}]");
    expect(w, "Unknown", "EndpointsNotReady");
    put_slice(w, "s", "other", true);
    expect(w, "Unknown", "EndpointsNotReady");
    put_slice(w, "s", "", true);
    expect(w, "True", "");
    put_slice(w, "s", "", false);
    expect(w, "Unknown", "EndpointsNotReady");
    put_slice(w, "s", "", true);
    expect(w, "True", "");
    put_service(w, "s", "'type':'ExternalName','externalName':'x.example'");
    expect(w, "False", "ExternalNameUnsupported");
    drop(w, &KR_SERVICE, "s");
    expect(w, "False", "ServiceMissing");
    drop(w, &KR_INGRESS, "i");
    run_until(w, at_rest);
    assert_int_equal(map_len(backends), 0);
    assert_int_equal(map_len(ingresses), 0);
}

static void test_a_port_by_name(void **state)
{
    struct world *w = *state;

    put_ingress(w, "i", SPLIT("s", "'web'", "60") "," SPLIT("s", "80", "40"));
    put_service(w, "s", "'ports':[{'name':'web','port':80},{'name':'b','port':90}]");
    put_slice(w, "s", "web", true);
    manager_start(w->m);
    expect(w, "True", "");
    assert_int_equal(map_len(backends), 1); /* both mean the same */
    put_service(w, "s", "'ports':[{'name':'b','port':80},{'name':'web','port':90}]");
    expect(w, "Unknown", "EndpointsNotReady"); /* 80 is now b, which has no endpoint */
    assert_int_equal(map_len(backends), 2);
}

static void test_a_revision_can_be_started(void **state)
{
    struct world *w = *state;

    put_revision(w, "r");
    put_revision_service(w, "r", "r", 80);
    put_revision_service(w, "r-private", "r", 80);
    put_ingress(w, "i", SPLIT("r", "80", "50") "," SPLIT("r-private", "80", "50"));
    manager_start(w->m);
    expect(w, "True", "");
    assert_int_equal(map_len(backends), 1); /* one queue */
    put_ingress(w, "i", SPLIT("r", "81", "100"));
    expect(w, "False", "ServicePortMissing");
    put_revision_service(w, "r", "r", 81);
    expect(w, "True", "");
    drop(w, &KR_REVISION, "r");
    expect(w, "False", "RevisionMissing");
    put_revision(w, "r");
    expect(w, "True", "");
}

static void test_a_split_without_a_share_does_not_count(void **state)
{
    struct world *w = *state;

    put_service(w, "s", "'ports':[{'port':80}]");
    put_slice(w, "s", "", true);
    put_ingress(w, "i", SPLIT("s", "80", "100") "," SPLIT("gone", "80", "0"));
    manager_start(w->m);
    expect(w, "True", "");
}

/* What is refused leaves the data plane as it was, what the old spec leads to included. */
static void test_a_refused_change(void **state)
{
    struct world *w = *state;

    put_service(w, "s", "'ports':[{'port':80}]");
    put_slice(w, "s", "", true);
    put_ingress(w, "i", SPLIT("s", "80", "100"));
    manager_start(w->m);
    expect(w, "True", "");
    put(w, &KR_INGRESS,
        "{'apiVersion':'networking.internal.knative.dev/v1alpha1','kind':'Ingress','metadata':{"
        "'name':'i','namespace':'ns','annotations':{'" A_INGRESS_CLASS "':'" CLASS_GATEWAY "'}},"
        "'spec':{'rules':[{'hosts':['i.example'],'http':{'paths':[{'splits':["
        "{'serviceName':'t','serviceNamespace':'ns','servicePort':80}]},{'splits':[]}]}}]}}");
    w->status = "Unknown";
    w->reason = "ReconcileIngressFailed";
    run_until(w, says);
    assert_true(serves("ns/i"));
    assert_int_equal(map_len(backends), 1);
    put_slice(w, "s", "", false); /* and it is still followed */
    run_until(w, at_rest);
    assert_false(serves("ns/i"));
    drop(w, &KR_INGRESS, "i");
    run_until(w, at_rest);
    assert_int_equal(map_len(backends), 0);
}

/* ---- at start ---- */
static void on_routed(void *ctx)
{
    struct world *w = ctx;

    w->routed++;
}

static bool routed(struct world *w)
{
    return w->routed > 0;
}

static void test_routed_without_any(void **state)
{
    struct world *w = *state;

    gateway_on_routed(w->g, on_routed, w);
    manager_start(w->m);
    run_until(w, routed);
    put_ingress(w, "i", SPLIT("s", "80", "100"));
    run_until(w, at_rest);
    assert_int_equal(w->routed, 1);
}

/* Broken ones, one that waits for a host, and one of another class do not hold it up; those that
 * are merely slow do. */
static void test_routed_with_some(void **state)
{
    struct world *w = *state;

    put_ingress(w, "a", SPLIT("s", "80", "100"));
    put_ingress(w, "b", SPLIT("gone", "80", "100"));
    put_ingress(w, "c", "");
    put(w, &KR_INGRESS,
        "{'apiVersion':'networking.internal.knative.dev/v1alpha1','kind':'Ingress','metadata':{"
        "'name':'d','namespace':'ns','annotations':{'" A_INGRESS_CLASS "':'other'}},'spec':{}}");
    put_service(w, "s", "'ports':[{'port':80}]");
    put_slice(w, "s", "", true);
    gateway_on_routed(w->g, on_routed, w);
    slow = true;
    manager_start(w->m);
    run_until(w, at_rest);
    assert_int_equal(w->routed, 0);
    slow = false;
    run_until(w, routed);
    assert_true(serves("ns/a"));
    assert_false(serves("ns/b"));
    run_until(w, at_rest);
    assert_int_equal(w->routed, 1);
    gateway_on_routed(w->g, on_routed, w); /* who asks late is told at once */
    assert_int_equal(w->routed, 2);
}

/* ---- any order ---- */
static uint64_t rng;

static unsigned pick(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)((rng >> 20) % n);
}

static void random_ingress(struct world *w)
{
    static const char *const splits[] = {
        SPLIT("s", "80", "100"),
        SPLIT("s", "'web'", "100"),
        SPLIT("t", "80", "50") "," SPLIT("s", "80", "50"),
        SPLIT("r", "80", "100"),
        SPLIT("r", "80", "30") "," SPLIT("r-private", "80", "30") "," SPLIT("t", "80", "40"),
        SPLIT("q", "80", "100") "," SPLIT("t", "80", "0"),
        "",
    };
    static const char *const names[] = {"i", "j"};
    const char *name = names[pick(2)];

    if (pick(5) == 0)
        drop(w, &KR_INGRESS, name);
    else
        put_ingress(w, name, splits[pick(ARRAY_LEN(splits))]);
}

static void random_service(struct world *w)
{
    static const char *const specs[] = {
        "'ports':[{'name':'web','port':80}]",
        "'ports':[{'name':'web','port':81}]",
        "'ports':[{'name':'b','port':80},{'name':'web','port':81}]",
        "'type':'ExternalName','externalName':'x'",
    };
    const char *name = pick(2) ? "s" : "t";

    if (pick(4) == 0)
        drop(w, &KR_SERVICE, name);
    else
        put_service(w, name, specs[pick(ARRAY_LEN(specs))]);
}

static void random_slice(struct world *w)
{
    const char *name = pick(2) ? "s" : "t";
    _cleanup_free_ char *slice = xasprintf("%s-x", name);

    if (pick(4) == 0)
        drop(w, &KR_ENDPOINTSLICE, slice);
    else
        put_slice(w, name, pick(3) ? "web" : "b", pick(3) > 0);
}

static void random_revision(struct world *w)
{
    const char *name = pick(2) ? "r" : "q";
    _cleanup_free_ char *private = xasprintf("%s-private", name);

    switch (pick(4)) {
    case 0:
        drop(w, &KR_REVISION, name);
        break;
    case 1:
        drop(w, &KR_SERVICE, name);
        break;
    case 2:
        put_revision(w, name);
        break;
    default:
        put_revision_service(w, name, name, 80);
        put_revision_service(w, private, name, 80);
    }
}

static void check_truth(struct world *w, const char *name)
{
    _cleanup_free_ char *key = kube_key("ns", name);
    const struct kobj *o = ingress(w, name);
    bool refused = streq(jget_str(kobj_condition(o, "Ready"), "reason"), "ReconcileIngressFailed");

    if (!o)
        assert_false(map_has(ingresses, key));
    else if (!refused)
        assert_int_equal(kobj_condition_is(o, "Ready", "True"), serves(key));
    else
        assert_false(kobj_condition_is(o, "Ready", "True"));
}

/* Whatever comes and goes in whatever order: at rest the condition says what the data plane can do,
 * and the data plane knows no backend that nothing leads to. */
static void test_any_order(void **state)
{
    static void (*const steps[])(struct world *) = {random_ingress, random_service, random_slice,
                                                    random_revision};
    struct world *w = *state;
    const char *given = getenv("NONAGON_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ns() / 1000 % 100000;

    rng = seed * 2654435761u + 88172645463325252u;
    print_message("seed %llu (NONAGON_TEST_SEED)\n", (unsigned long long)seed);
    manager_start(w->m);
    for (int i = 0; i < 120; i++) {
        for (unsigned n = pick(3) + 1; n > 0; n--)
            steps[pick(ARRAY_LEN(steps))](w);
        run_until(w, at_rest);
        check_truth(w, "i");
        check_truth(w, "j");
    }
    drop(w, &KR_INGRESS, "i");
    drop(w, &KR_INGRESS, "j");
    drop(w, &KR_REVISION, "r");
    drop(w, &KR_REVISION, "q");
    run_until(w, at_rest);
    assert_int_equal(map_len(ingresses), 0);
    assert_int_equal(map_len(backends), 0);
}

/* ---- who looks for the gateway ---- */
static void test_listeners_have_names(void **state)
{
    struct world *w = *state;

    put(w, &KR_NAMESPACE,
        "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'" SYSTEM_NAMESPACE "'}}");
    /* of another kind than wanted: made anew */
    put(w, &KR_SERVICE,
        "{'apiVersion':'v1','kind':'Service','metadata':{'name':'nonagon-gateway','namespace':"
        "'" SYSTEM_NAMESPACE "'},'spec':{'clusterIP':'None'}}");
    manager_start(w->m);
    run_until(w, at_rest);
    const struct kobj *s = fake_api_get(w->api, &KR_SERVICE, SYSTEM_NAMESPACE, LISTENER_PUBLIC);
    yyjson_val *port = yyjson_arr_get_first(jget(kobj_root(s), "spec", "ports"));
    assert_string_equal(jget_str(kobj_root(s), "spec", "type"), "NodePort");
    assert_int_equal(jget_int(port, 0, "port"), 80);
    assert_int_equal(jget_int(port, 0, "nodePort"), 8080);
    s = fake_api_get(w->api, &KR_SERVICE, SYSTEM_NAMESPACE, LISTENER_LOCAL);
    assert_string_equal(jget_str(kobj_root(s), "spec", "clusterIP"), "None");
    s = fake_api_get(w->api, &KR_ENDPOINTS, SYSTEM_NAMESPACE, LISTENER_ACTIVATOR);
    yyjson_val *subset = yyjson_arr_get_first(jget(kobj_root(s), "subsets"));
    assert_string_equal(jget_str(yyjson_arr_get_first(jget(subset, "addresses")), "ip"),
                        "10.222.0.1");
    assert_int_equal(jget_int(yyjson_arr_get_first(jget(subset, "ports")), 0, "port"), 8012);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_service_comes_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_port_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_revision_can_be_started, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_split_without_a_share_does_not_count, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routed_without_any, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routed_with_some, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listeners_have_names, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
