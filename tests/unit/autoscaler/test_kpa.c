/*
 * The kpa class whole, on a manager against a fake API server: what it writes for a PodAutoscaler
 * in a given state of the world (cases K of the facts), and the way from zero and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>

#include "../kube/fake_api.h"
#include "base/clock.h"
#include "contract/names.h"
#include "kube/controller.h"
#include "plugin/autoscaler/kpa/kpa.h"

struct world {
    struct loop *loop;
    struct fake_api *api;
    struct kube_client *client;
    struct manager *m;
    struct signal_hub *signals;
    struct kpa *kpa;
    struct timer *poll;
    bool (*until)(struct world *w);
    int64_t deadline;
};

static void check(void *ctx)
{
    struct world *w = ctx;

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

static int setup(void **state)
{
    struct world *w = xnew(struct world);

    w->loop = loop_new(NULL);
    w->api = fake_api_new();
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "test"));
    w->m = manager_new(w->loop, w->client, "autoscaler");
    w->signals = signal_hub_new();
    w->kpa = kpa_new(w->m, w->signals, NULL);
    w->poll = timer_new(w->loop, check, w);
    timer_repeat(w->poll, 1);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    kpa_free(w->kpa);
    manager_free(w->m);
    signal_hub_free(w->signals);
    kube_client_free(w->client);
    fake_api_free(w->api);
    timer_free(w->poll);
    loop_free(w->loop);
    free(w);
    return 0;
}

/* ---- the world ---- */
static char *ago(int64_t seconds)
{
    char t[RFC3339_LEN];

    clock_rfc3339(clock_wall_ns() - seconds * NS_PER_SEC, t);
    return xstrdup(t);
}

static void put_pa_status(struct world *w, const char *active, int since, const char *scales)
{
    _cleanup_free_ char *t = ago(since);
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"autoscaling.internal.knative.dev/"
        "v1alpha1\",\"kind\":\"PodAutoscaler\",\"metadata\":{"
        "\"name\":\"rev\",\"namespace\":\"ns\",\"uid\":\"pa-uid\",\"generation\":1,\"labels\":{"
        "\"a\":\"b\"},"
        "\"annotations\":{\"autoscaling.knative.dev/class\":\"kpa.autoscaling.knative.dev\","
        "\"autoscaling.knative.dev/"
        "metric\":\"concurrency\"}},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\","
        "\"kind\":\"Deployment\",\"name\":\"rev-deployment\"},\"protocolType\":\"http1\","
        "\"reachability\":"
        "\"Reachable\"}%s%s%s%s%s%s%s}",
        *active ? ",\"status\":{\"observedGeneration\":1,\"serviceName\":\"rev\","
                  "\"metricsServiceName\":"
                  "\"rev-private\","
                : "",
        scales, *active ? "\"conditions\":[{\"type\":\"Active\",\"status\":\"" : "", active,
        *active ? "\",\"lastTransitionTime\":\"" : "", *active ? t : "",
        *active ? "\"},{\"type\":\"ScaleTargetInitialized\",\"status\":\"True\"}]}" : "");

    fake_api_put(w->api, &KR_PODAUTOSCALER, text);
}

static void put_sks(struct world *w, const char *owner, const char *mode, int proxied)
{
    _cleanup_free_ char *t = ago(proxied);
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"networking.internal.knative.dev/"
        "v1alpha1\",\"kind\":\"ServerlessService\",\"metadata\":{"
        "\"name\":\"rev\",\"namespace\":\"ns\",\"ownerReferences\":[{\"apiVersion\":"
        "\"autoscaling.internal.knative.dev/"
        "v1alpha1\",\"kind\":\"PodAutoscaler\",\"name\":\"rev\",\"uid\":\"%s\","
        "\"controller\":true}]},\"spec\":{\"mode\":\"%s\",\"numActivators\":3,\"protocolType\":"
        "\"http1\",\"objectRef\":"
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"name\":\"rev-deployment\"}},\"status\":{"
        "\"serviceName\":\"rev\",\"privateServiceName\":\"rev-private\",\"conditions\":[{\"type\":"
        "\"ActivatorEndpointsPopulated\",\"status\":\"%s\",\"lastTransitionTime\":\"%s\"}]}}",
        owner, mode, proxied >= 0 ? "True" : "False", t);

    fake_api_put(w->api, &KR_SKS, text);
}

static void put_deployment(struct world *w, int replicas)
{
    _cleanup_free_ char *text =
        xasprintf("{\"apiVersion\":\"apps/"
                  "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"rev-deployment\","
                  "\"namespace\":\"ns\"},\"spec\":{\"replicas\":%d}}",
                  replicas);

    fake_api_put(w->api, &KR_DEPLOYMENT, text);
}

static void put_pod(struct world *w, const char *name, bool ready)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":"
        "\"ns\",\"labels\":{"
        "\"serving.knative.dev/"
        "revision\":\"rev\"}},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":"
        "\"Ready\",\"status\":\"%s\"}]}}",
        name, ready ? "True" : "False");

    fake_api_put(w->api, &KR_POD, text);
}

static const struct kobj *pa(struct world *w)
{
    return fake_api_get(w->api, &KR_PODAUTOSCALER, "ns", "rev");
}

static int replicas(struct world *w)
{
    return (int)jget_int(kobj_root(fake_api_get(w->api, &KR_DEPLOYMENT, "ns", "rev-deployment")),
                         -1, "spec", "replicas");
}

static const char *mode(struct world *w)
{
    const char *m = jget_str(kobj_root(fake_api_get(w->api, &KR_SKS, "ns", "rev")), "spec", "mode");

    return m ? m : "";
}

static const char *reason(struct world *w)
{
    const char *r = jget_str(kobj_condition(pa(w), "Active"), "reason");

    return r ? r : "";
}

/* ---- cases ---- */
static bool has_sks(struct world *w)
{
    return fake_api_get(w->api, &KR_SKS, "ns", "rev") && kobj_condition(pa(w), "SKSReady");
}

static void test_makes_sks(void **state) /* K11 */
{
    struct world *w = *state;

    put_pa_status(w, "", 0, "");
    put_deployment(w, 1);
    manager_start(w->m);
    run_until(w, has_sks);
    const struct kobj *sks = fake_api_get(w->api, &KR_SKS, "ns", "rev");
    assert_string_equal(mode(w), "Proxy");
    assert_int_equal(jget_int(kobj_root(sks), 0, "spec", "numActivators"), 2);
    assert_string_equal(jget_str(kobj_root(sks), "spec", "objectRef", "name"), "rev-deployment");
    assert_true(kobj_controlled_by(sks, pa(w)));
    assert_string_equal(kobj_label(sks, "a"), "b");
    assert_null(kobj_annotation(sks, "autoscaling.knative.dev/metric"));
    assert_string_equal(kobj_annotation(sks, "autoscaling.knative.dev/class"),
                        "kpa.autoscaling.knative.dev");
    assert_string_equal(jget_str(kobj_condition(pa(w), "SKSReady"), "message"),
                        "No Private Service Name");
    assert_string_equal(reason(w), "Queued");
    assert_int_equal(jget_int(kobj_root(pa(w)), -9, "status", "actualScale"), 0);
    assert_int_equal(replicas(w), 1);
}

static bool is_active(struct world *w)
{
    return kobj_condition_is(pa(w), "Active", "True") &&
           kobj_condition_is(pa(w), "ScaleTargetInitialized", "True");
}

static void test_becomes_active(void **state)
{
    struct world *w = *state;

    put_pa_status(w, "", 0, "");
    put_deployment(w, 1);
    put_sks(w, "pa-uid", "Proxy", 0);
    manager_start(w->m);
    run_until(w, has_sks);
    assert_string_equal(reason(w), "Queued");
    put_pod(w, "p1", true); /* the pod's event alone brings it about */
    run_until(w, is_active);
    assert_string_equal(jget_str(kobj_root(pa(w)), "status", "serviceName"), "rev");
    assert_string_equal(jget_str(kobj_root(pa(w)), "status", "metricsServiceName"), "rev-private");
    assert_int_equal(jget_int(kobj_root(pa(w)), -9, "status", "actualScale"), 1);
}

static bool at_one(struct world *w)
{
    return replicas(w) == 1;
}

static bool above_one(struct world *w)
{
    return replicas(w) > 1;
}

static bool at_zero(struct world *w)
{
    return replicas(w) == 0;
}

static bool settled(struct world *w)
{
    return manager_synced(w->m) &&
           jget_int(kobj_root(pa(w)), 0, "status", "observedGeneration") == 1 &&
           kobj_condition(pa(w), "SKSReady");
}

static void test_from_zero(void **state)
{
    struct world *w = *state;

    put_pa_status(w, "False", 3600, "\"actualScale\":0,\"desiredScale\":0,");
    put_deployment(w, 0);
    put_sks(w, "pa-uid", "Proxy", 3600);
    manager_start(w->m);
    run_until(w, settled);
    assert_int_equal(fake_api_requests(w->api, "PATCH "), 0); /* asleep: nothing is written */
    signal_arrival(w->signals, "ns", "rev", loop_now_ns(w->loop));
    run_until(w, at_one);
    assert_int_equal(
        fake_api_requests(w->api,
                          "PATCH /apis/apps/v1/namespaces/ns/deployments/rev-deployment/scale"),
        1);
    assert_int_equal(fake_api_requests(w->api, "PATCH "), 1);
}

static bool is_inactive(struct world *w)
{
    return streq(reason(w), "NoTraffic") && streq(mode(w), "Proxy");
}

static void test_goes_inactive_first(void **state) /* K16 */
{
    struct world *w = *state;

    put_pa_status(w, "True", 3600, "\"actualScale\":1,\"desiredScale\":1,");
    put_deployment(w, 1);
    put_sks(w, "pa-uid", "Serve", -1);
    put_pod(w, "p1", true);
    manager_start(w->m);
    run_until(w, is_inactive); /* the first tick sees no traffic */
    assert_int_equal(replicas(w), 1);
}

static void test_last_pod_goes(void **state) /* K15 */
{
    struct world *w = *state;

    put_pa_status(w, "False", 3600, "\"actualScale\":1,\"desiredScale\":0,");
    put_deployment(w, 1);
    put_sks(w, "pa-uid", "Proxy", 3600);
    put_pod(w, "p1", true);
    manager_start(w->m);
    run_until(w, at_zero);
    assert_string_equal(reason(w), "NoTraffic");
}

static bool is_refused(struct world *w)
{
    return streq(reason(w), "NotOwned") && fake_api_count(w->api, &KR_EVENT) > 0;
}

static void test_not_owned(void **state) /* K13 */
{
    struct world *w = *state;

    put_pa_status(w, "", 0, "");
    put_sks(w, "somebody-else", "Proxy", 0);
    manager_start(w->m);
    run_until(w, is_refused);
    assert_string_equal(jget_str(kobj_condition(pa(w), "Ready"), "message"),
                        "There is an existing ServerlessService \"rev\" that we do not own.");
    assert_int_equal(fake_api_requests(w->api, "PUT /apis/networking.internal.knative.dev"), 0);
}

static void put_config(struct world *w, const char *data)
{
    _cleanup_free_ char *text = xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
                                          "\"metadata\":{\"name\":\"config-autoscaler\","
                                          "\"namespace\":\"knative-serving\"},\"data\":{%s}}",
                                          data);

    fake_api_put(w->api, &KR_CONFIGMAP, text);
}

static bool at_four(struct world *w)
{
    return replicas(w) == 4;
}

static bool event_told(struct world *w)
{
    return fake_api_count(w->api, &KR_EVENT) > 0;
}

static void test_config_is_live(void **state)
{
    struct world *w = *state;

    put_config(w, "\"min-scale\":\"1\"");
    put_pa_status(w, "True", 10, "\"actualScale\":1,\"desiredScale\":1,");
    put_deployment(w, 1);
    put_sks(w, "pa-uid", "Serve", -1);
    put_pod(w, "p1", true);
    manager_start(w->m);
    run_until(w, settled);
    put_config(w, "\"min-scale\":\"4\"");
    run_until(w, at_four);
    put_config(w, "\"min-scale\":\"many\"");
    run_until(w, event_told);
    assert_int_equal(replicas(w), 4);
}

static void test_load_scales_up(void **state)
{
    struct world *w = *state;

    put_pa_status(w, "True", 10, "\"actualScale\":1,\"desiredScale\":1,");
    put_deployment(w, 1);
    put_sks(w, "pa-uid", "Serve", -1);
    put_pod(w, "p1", true);
    manager_start(w->m);
    run_until(w, settled);
    signal_report(
        w->signals, "ns", "rev",
        &(struct signal_sample){.at_ns = clock_mono_ns(), .concurrency = 280, .rps = 100});
    run_until(w, at_four);                 /* 280 / 70 */
    assert_string_equal(mode(w), "Proxy"); /* no burst capacity left */
}

/* ---- a wall clock that is stepped ---- */
static int64_t system_mono(void *ctx)
{
    return clock_mono_ns();
}

static int64_t stepped_wall(void *ctx)
{
    return clock_wall_ns() + *(int64_t *)ctx;
}

/* First idle samples, then the step, then load or an arrival: the answer comes all the same. */
static void scales_over_a_step(struct world *w, int64_t step_ns, bool from_zero)
{
    int64_t offset = 0;
    struct clock clock = {system_mono, stepped_wall, &offset};

    loop_set_clock(w->loop, &clock);
    put_pa_status(w, from_zero ? "False" : "True", 10, "\"actualScale\":1,\"desiredScale\":1,");
    put_deployment(w, from_zero ? 0 : 1);
    put_sks(w, "pa-uid", from_zero ? "Proxy" : "Serve", -1);
    if (!from_zero)
        put_pod(w, "p1", true);
    manager_start(w->m);
    run_until(w, settled);
    for (int i = 5; i > 0; i--)
        signal_report(w->signals, "ns", "rev",
                      &(struct signal_sample){.at_ns = loop_now_ns(w->loop) - i * NS_PER_SEC});
    offset = step_ns;
    if (from_zero)
        signal_arrival(w->signals, "ns", "rev", loop_now_ns(w->loop));
    else
        signal_report(w->signals, "ns", "rev",
                      &(struct signal_sample){
                          .at_ns = loop_now_ns(w->loop), .concurrency = 2800, .rps = 100});
    run_until(w, from_zero ? at_one : above_one);
    loop_set_clock(w->loop, NULL);
}

static void test_step_back_under_load(void **state)
{
    scales_over_a_step(*state, -600 * NS_PER_SEC, false);
}

static void test_step_forward_under_load(void **state)
{
    scales_over_a_step(*state, 600 * NS_PER_SEC, false);
}

static void test_step_back_at_zero(void **state)
{
    scales_over_a_step(*state, -600 * NS_PER_SEC, true);
}

static void test_step_forward_at_zero(void **state)
{
    scales_over_a_step(*state, 600 * NS_PER_SEC, true);
}

static int refuse_scale(void *ctx, struct str method, struct str path, const char **reason_out)
{
    *reason_out = "Forbidden";
    return str_eq(method, STR("PATCH")) && str_ends(path, STR("/scale")) ? 403 : 0;
}

static void test_refused_scale_is_told(void **state)
{
    struct world *w = *state;

    fake_api_refuse(w->api, refuse_scale, NULL);
    put_pa_status(w, "False", 3600, "\"actualScale\":0,\"desiredScale\":0,");
    put_deployment(w, 0);
    put_sks(w, "pa-uid", "Proxy", 3600);
    manager_start(w->m);
    run_until(w, settled);
    signal_arrival(w->signals, "ns", "rev", loop_now_ns(w->loop));
    run_until(w, event_told);
    assert_int_equal(replicas(w), 0);
    assert_string_equal(reason(w), "Queued"); /* the status goes on being written */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_makes_sks),
        T(test_becomes_active),
        T(test_from_zero),
        T(test_goes_inactive_first),
        T(test_last_pod_goes),
        T(test_not_owned),
        T(test_config_is_live),
        T(test_load_scales_up),
        T(test_refused_scale_is_told),
        T(test_step_back_under_load),
        T(test_step_forward_under_load),
        T(test_step_back_at_zero),
        T(test_step_forward_at_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
