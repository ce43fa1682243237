/*
 * The gateway class over the real data plane: from objects on a fake API server to answers on a
 * socket. The pod is an HTTP server on loopback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "contract/names.h"
#include "http/client.h"
#include "http/server.h"
#include "plugin/ingress/gateway/gateway.h"
#include "plugin/ingress/gateway/ingress_hash.h"
#include "unit/kube/fake_api.h"

#define EXTERNAL 0
#define LOCAL    1

struct answer {
    bool done;
    int status;
    char body[64], hash[INGRESS_HASH_LEN + 1];
};

struct world {
    struct loop *loop;
    struct fake_api *api;
    struct kube_client *client;
    struct manager *m;
    struct dataplane *dp;
    struct gateway *g;
    struct http_server *pod;
    struct http_client *http;
    struct timer *poll;
    bool (*until)(struct world *w);
    int64_t deadline;
    struct answer answer;
    atomic_int arrivals;
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

static void on_arrival(void *ctx, const char *ns, const char *revision)
{
    struct world *w = ctx;

    w->arrivals++;
}

static void pod_answers(void *ctx, struct http_exchange *x)
{
    http_reply(x, 200, "text/plain", "from the pod", strlen("from the pod"));
}

static int setup(void **state)
{
    static const struct dp_listen listen[] = {{"127.0.0.1", 0, DP_EXTERNAL, false},
                                              {"127.0.0.1", 0, DP_LOCAL, false}};
    struct world *w = xnew(struct world);
    struct err e = {0};

    w->loop = loop_new(NULL);
    w->api = fake_api_new();
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "system:test"));
    w->m = manager_new(w->loop, w->client, "test");
    w->dp = dataplane_start(&(struct dp_opts){.listen = listen,
                                              .n_listen = ARRAY_LEN(listen),
                                              .workers = 2,
                                              .on_arrival = on_arrival,
                                              .ctx = w},
                            &e);
    if (!w->dp)
        fail_msg("%s", e.msg);
    dataplane_accept(w->dp);
    w->pod = http_server_new(
        w->loop,
        &(struct http_server_opts){.listen = {.host = "127.0.0.1"}, .handler = pod_answers}, &e);
    w->http = http_client_new(w->loop);
    w->g = gateway_new(&(struct gateway_opts){
        .manager = w->m, .dataplane = w->dp, .listeners = {.local_ip = "127.0.0.1"}});
    w->poll = timer_new(w->loop, check, w);
    timer_repeat(w->poll, 1);
    manager_start(w->m);
    *state = w;
    return 0;
}

static void on_pod_closed(void *ctx)
{
    struct world *w = ctx;

    w->pod = NULL;
}

static bool pod_closed(struct world *w)
{
    return w->pod == NULL;
}

static int teardown(void **state)
{
    struct world *w = *state;

    gateway_free(w->g);
    manager_free(w->m);
    kube_client_free(w->client);
    fake_api_free(w->api);
    dataplane_stop(w->dp, 0);
    http_client_free(w->http);
    http_server_shutdown(w->pod, 0, on_pod_closed, w);
    run_until(w, pod_closed);
    timer_free(w->poll);
    loop_free(w->loop);
    free(w);
    return 0;
}

/* ---- objects ---- */
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

static void put_revision(struct world *w)
{
    put(w, &KR_REVISION,
        "{'apiVersion':'serving.knative.dev/v1','kind':'Revision','metadata':{'name':'rev',"
        "'namespace':'ns'},'spec':{'timeoutSeconds':300}}");
    put(w, &KR_SERVICE,
        "{'apiVersion':'v1','kind':'Service','metadata':{'name':'rev','namespace':'ns','labels':{"
        "'serving.knative.dev/revision':'rev'},'ownerReferences':[{'kind':'ServerlessService',"
        "'name':'rev','uid':'u','controller':true}]},'spec':{'ports':[{'name':'http','port':80}]}"
        "}");
}

static void put_pod(struct world *w)
{
    _cleanup_free_ char *text = xasprintf(
        "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'ns','labels':{"
        "'serving.knative.dev/revision':'rev'}},'spec':{'containers':[{'ports':[{'name':'user-port'"
        ",'containerPort':%d}]}]},'status':{'podIP':'127.0.0.1','conditions':[{'type':'Ready',"
        "'status':'True'}]}}",
        http_server_port(w->pod));

    put(w, &KR_POD, text);
}

#define PATHS                                                                                      \
    "'http':{'paths':[{'splits':[{'serviceName':'rev','serviceNamespace':'ns','servicePort':80}]}" \
    "]}"

static void put_ingress(struct world *w, const char *class)
{
    _cleanup_free_ char *text = xasprintf(
        "{'apiVersion':'networking.internal.knative.dev/v1alpha1','kind':'Ingress','metadata':{"
        "'name':'i','namespace':'ns','annotations':{'" A_INGRESS_CLASS "':'%s'}},'spec':{'rules':[{"
        "'hosts':['i.ns'],'visibility':'ClusterLocal'," PATHS "},{'hosts':['i.example.com'],"
        "'visibility':'ExternalIP'," PATHS "}]}}",
        class);

    put(w, &KR_INGRESS, text);
}

static bool ingress_ready(struct world *w)
{
    return kobj_is_ready(fake_api_get(w->api, &KR_INGRESS, "ns", "i"));
}

/* ---- requests ---- */
static void on_head(void *ctx, int status, const struct http_headers *hs)
{
    struct answer *a = ctx;
    struct str hash = http_get(hs, H_PROBE_HASH);

    snprintf(a->hash, sizeof(a->hash), STR_FMT, STR_ARG(hash));
}

static void on_chunk(void *ctx, const char *p, size_t n)
{
    struct answer *a = ctx;
    size_t have = strlen(a->body);

    snprintf(a->body + have, sizeof(a->body) - have, "%.*s", (int)n, p);
}

static void on_done(void *ctx, const struct err *err, int status, struct str body)
{
    struct answer *a = ctx;

    a->status = status;
    a->done = true;
}

static void ask(struct world *w, int door, const char *host, bool probe)
{
    static const struct http_call_events ev = {on_head, on_chunk, on_done};
    struct http_call call = {
        .target = {.host = "127.0.0.1", .port = dataplane_port(w->dp, (size_t)door)},
        .method = STR("GET"),
        .path = STR("/"),
        .no_pool = true,
    };

    http_add(&call.headers, STR("Host"), str_of(host));
    if (probe) {
        http_add(&call.headers, STR(H_PROBE), STR("probe"));
        http_add(&call.headers, STR(H_PROBE_HASH), STR("override"));
    }
    w->answer = (struct answer){0};
    http_client_call(w->http, &call, &ev, &w->answer);
}

static bool answered(struct world *w)
{
    return w->answer.done;
}

static int status_of(struct world *w, int door, const char *host)
{
    ask(w, door, host, false);
    run_until(w, answered);
    return w->answer.status;
}

static bool arrived(struct world *w)
{
    return w->arrivals > 0;
}

/* A request comes before any pod; it is answered by the pod once that is ready. */
static void test_from_zero(void **state)
{
    struct world *w = *state;

    put_revision(w);
    put_ingress(w, CLASS_GATEWAY);
    run_until(w, ingress_ready);
    ask(w, EXTERNAL, "i.example.com:8080", false);
    run_until(w, arrived);
    assert_false(w->answer.done);
    put_pod(w);
    run_until(w, answered);
    assert_int_equal(w->answer.status, 200);
    assert_string_equal(w->answer.body, "from the pod");
}

static void test_visibility(void **state)
{
    struct world *w = *state;

    put_revision(w);
    put_pod(w);
    put_ingress(w, CLASS_GATEWAY);
    run_until(w, ingress_ready);
    assert_int_equal(status_of(w, EXTERNAL, "i.example.com"), 200);
    assert_int_equal(status_of(w, LOCAL, "i.example.com"), 200);
    assert_int_equal(status_of(w, LOCAL, "i.ns"), 200);
    assert_int_equal(status_of(w, EXTERNAL, "i.ns"), 404);
    assert_int_equal(status_of(w, EXTERNAL, "other.example.com"), 404);
}

/* What the plugin calls the version is what the data plane answers, from the moment of Ready. */
static void test_probe(void **state)
{
    struct world *w = *state;
    char hash[INGRESS_HASH_LEN + 1];

    put_revision(w);
    put_ingress(w, CLASS_GATEWAY);
    run_until(w, ingress_ready);
    assert_int_equal(ingress_hash(fake_api_get(w->api, &KR_INGRESS, "ns", "i"), hash, NULL), 0);
    ask(w, EXTERNAL, "i.example.com", true);
    run_until(w, answered);
    assert_int_equal(w->answer.status, 200);
    assert_string_equal(w->answer.hash, hash);
}

static bool gone(struct world *w)
{
    if (!w->answer.done)
        return false;
    if (w->answer.status == 404)
        return true;
    ask(w, EXTERNAL, "i.example.com", false);
    return false;
}

static void test_leaves_the_class(void **state)
{
    struct world *w = *state;

    put_revision(w);
    put_pod(w);
    put_ingress(w, CLASS_GATEWAY);
    run_until(w, ingress_ready);
    assert_int_equal(status_of(w, EXTERNAL, "i.example.com"), 200);
    put_ingress(w, "istio.ingress.networking.knative.dev");
    ask(w, EXTERNAL, "i.example.com", false);
    run_until(w, gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_visibility, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaves_the_class, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
