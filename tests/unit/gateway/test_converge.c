/*
 * The core's routing reconcilers and the gateway class together, on informers and controllers over
 * a fake API server: a Route becomes ready, follows a new revision and goes without a trace; a
 * ready pod reaches the data plane.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "plugin/ingress/gateway/gateway.h"
#include "recorder.h"
#include "serving/serving_internal.h"
#include "unit/kube/fake_api.h"

struct world {
    struct loop *loop;
    struct fake_api *api;
    struct kube_client *client;
    struct serving s;
    struct gateway *g;
    struct timer *poll;
    bool (*until)(struct world *w);
    int64_t deadline;
    struct buf seen; /* all that the data plane was told */
    size_t requests;
    int quiet;
};

static void check(void *ctx)
{
    struct world *w = ctx;

    while (recorder_apply())
        ;
    buf_addz(&w->seen, recorder_take());
    if (w->until(w) || clock_mono_ns() > w->deadline)
        loop_stop(w->loop);
}

static void run_until(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    w->deadline = clock_mono_ns() + 20 * NS_PER_SEC;
    loop_run(w->loop);
    assert_true(until(w));
}

static void put(struct world *w, const struct kube_resource *r, const char *text)
{
    char *json = xstrdup(text);

    for (char *p = json; *p; p++) {
        if (*p == '\'')
            *p = '"';
    }
    fake_api_put(w->api, r, json);
    free(json);
}

static void revision(struct world *w, const char *name)
{
    _cleanup_free_ char *text = xasprintf(
        "{'apiVersion':'serving.knative.dev/v1','kind':'Revision','metadata':{'name':'%s',"
        "'namespace':'ns','generation':1,'labels':{'serving.knative.dev/configuration':'hello',"
        "'serving.knative.dev/routingState':'active'},'annotations':{'serving.knative.dev/routes':"
        "'hello'}},'spec':{'containerConcurrency':3,'timeoutSeconds':300,'containers':[{}]},"
        "'status':{'observedGeneration':1,'conditions':[{'type':'Ready','status':'True'}]}}",
        name);
    _cleanup_free_ char *service = xasprintf(
        "{'apiVersion':'v1','kind':'Service','metadata':{'name':'%s','namespace':'ns','labels':{'"
        "serving.knative.dev/revision':'%s'},'ownerReferences':[{'kind':'ServerlessService','name':"
        "'%s','uid':'u','controller':true}]},'spec':{'ports':[{'name':'http','port':80}]}}",
        name, name, name);

    put(w, &KR_REVISION, text);
    put(w, &KR_SERVICE, service);
}

static void configuration(struct world *w, const char *latest)
{
    _cleanup_free_ char *text = xasprintf(
        "{'apiVersion':'serving.knative.dev/v1','kind':'Configuration','metadata':{'name':'hello',"
        "'namespace':'ns'},'spec':{},'status':{'observedGeneration':1,'latestReadyRevisionName':"
        "'%s','latestCreatedRevisionName':'%s'}}",
        latest, latest);

    put(w, &KR_CONFIGURATION, text);
}

static int setup(void **state)
{
    struct world *w = xnew(struct world);

    recorder_reset();
    buf_init(&w->seen, 1 << 20);
    w->loop = loop_new(NULL);
    w->api = fake_api_new();
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "system:test"));
    w->s.m = manager_new(w->loop, w->client, "test");
    w->s.config = contract_config_new("cluster.local");
    route_reconciler_register(&w->s);
    labeler_register(&w->s);
    sks_reconciler_register(&w->s);
    w->g = gateway_new(
        &(struct gateway_opts){.manager = w->s.m, .listeners = {.local_ip = "10.222.0.1"}});
    w->poll = timer_new(w->loop, check, w);
    timer_repeat(w->poll, 1);
    configuration(w, "hello-00001");
    revision(w, "hello-00001");
    put(w, &KR_ROUTE,
        "{'apiVersion':'serving.knative.dev/v1','kind':'Route','metadata':{'name':'hello',"
        "'namespace':'ns'},'spec':{'traffic':[{'configurationName':'hello','latestRevision':true,"
        "'percent':100}]}}");
    manager_start(w->s.m);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    gateway_free(w->g);
    manager_free(w->s.m);
    kube_client_free(w->client);
    fake_api_free(w->api);
    contract_config_free(w->s.config);
    timer_free(w->poll);
    loop_free(w->loop);
    buf_done(&w->seen);
    while (recorder_apply())
        ;
    recorder_reset();
    free(w);
    return 0;
}

static const struct kobj *get(struct world *w, const struct kube_resource *r, const char *name)
{
    return fake_api_get(w->api, r, "ns", name);
}

static bool route_ready(struct world *w)
{
    const struct kobj *s = get(w, &KR_SERVICE, "hello");

    return kobj_is_ready(get(w, &KR_ROUTE, "hello")) &&
           streq(jget_str(kobj_root(s), "spec", "clusterIP"), "None");
}

/* Nothing was asked of the server for a while. */
static bool settled(struct world *w)
{
    size_t n = fake_api_requests(w->api, "");

    w->quiet = n == w->requests ? w->quiet + 1 : 0;
    w->requests = n;
    return route_ready(w) && w->quiet > 50;
}

static void test_ready(void **state)
{
    struct world *w = *state;

    run_until(w, route_ready);
    const struct kobj *route = get(w, &KR_ROUTE, "hello");
    assert_non_null(get(w, &KR_INGRESS, "hello"));
    assert_non_null(get(w, &KR_ENDPOINTS, "hello"));
    assert_true(kobj_is_ready(get(w, &KR_INGRESS, "hello")));
    assert_non_null(jget(kobj_root(route), "metadata", "finalizers"));
    assert_non_null(strstr(buf_z(&w->seen), "ns/hello-00001=100"));
    run_until(w, settled);
    /* As few writes as it takes: each is a write to disk. */
    assert_int_equal(fake_api_requests(w->api, "POST /apis/networking.internal.knative.dev"), 1);
    assert_int_equal(
        fake_api_requests(w->api, "PUT /apis/networking.internal.knative.dev/v1alpha1/namespaces/"
                                  "ns/ingresses/hello/status"),
        1);
}

static bool on_second(struct world *w)
{
    return settled(w) && strstr(buf_z(&w->seen), "ns/hello-00002=100");
}

static void test_follows_latest(void **state)
{
    struct world *w = *state;

    run_until(w, settled);
    revision(w, "hello-00002");
    configuration(w, "hello-00002");
    run_until(w, on_second);
    yyjson_val *traffic = jget(kobj_root(get(w, &KR_ROUTE, "hello")), "status", "traffic");
    assert_string_equal(jget_str(yyjson_arr_get_first(traffic), "revisionName"), "hello-00002");
    assert_string_equal(kobj_label(get(w, &KR_REVISION, "hello-00001"), L_ROUTING_STATE),
                        "reserve");
    assert_string_equal(kobj_label(get(w, &KR_REVISION, "hello-00002"), L_ROUTING_STATE), "active");
}

static bool pod_is_backend(struct world *w)
{
    return strstr(buf_z(&w->seen), "backend ns/hello-00001 limit=3 timeouts=300000,0,0:"
                                   " p@10.222.0.9:8080\n");
}

static void test_pod(void **state)
{
    struct world *w = *state;

    run_until(w, settled);
    size_t before = fake_api_requests(w->api, "P"); /* POST, PUT, PATCH */
    put(w, &KR_POD,
        "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'ns','labels':{"
        "'serving.knative.dev/revision':'hello-00001'}},'spec':{'containers':[{'ports':[{'name':"
        "'user-port','containerPort':8080}]}]},'status':{'podIP':'10.222.0.9','conditions':[{"
        "'type':'Ready','status':'True'}]}}");
    run_until(w, pod_is_backend);
    assert_int_equal(fake_api_requests(w->api, "P"), before);
}

static bool released(struct world *w)
{
    const struct kobj *route = get(w, &KR_ROUTE, "hello");
    const struct kobj *r = get(w, &KR_REVISION, "hello-00001");

    return !kobj_annotation(r, A_ROUTES) &&
           yyjson_arr_size(jget(kobj_root(route), "metadata", "finalizers")) == 0;
}

static bool ingress_gone(struct world *w)
{
    return strstr(buf_z(&w->seen), "remove ingress ns/hello\n");
}

static void test_goes(void **state)
{
    struct world *w = *state;

    run_until(w, settled);
    struct kmut *m = kmut_from(get(w, &KR_ROUTE, "hello"));
    jm_set_str(KM(m), "2026-01-01T00:00:00Z", "metadata", "deletionTimestamp");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    kmut_free(m);
    fake_api_put(w->api, &KR_ROUTE, text);
    run_until(w, released);
    assert_string_equal(kobj_label(get(w, &KR_REVISION, "hello-00001"), L_ROUTING_STATE),
                        "reserve");
    fake_api_delete(w->api, &KR_INGRESS, "ns", "hello");
    run_until(w, ingress_gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_follows_latest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pod, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
