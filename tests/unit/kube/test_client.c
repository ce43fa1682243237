/*
 * The client over each of its transports: HTTP, in-process on one loop, in-process between two
 * threads. The fake API server is the same, and so are the tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_api.h"
#include "http/server.h"
#include "kube/client.h"

enum kind { OVER_HTTP, ONE_LOOP, TWO_THREADS };

struct world {
    enum kind kind;
    struct loop *loop;
    struct loop_thread *thread; /* TWO_THREADS: where the server lives */
    struct fake_api *api;
    struct http_server *server;
    struct kube_client *client;
    /* the last answer */
    struct kube_status st;
    char *body;
    int answers;
    /* the watch */
    struct kube_watch *watch;
    int events, want_events, ends;
    char types[256];
};

static int thread_init(struct loop *l, void *ctx, struct err *e)
{
    ((struct world *)ctx)->api = fake_api_new();
    return 0;
}

static void thread_fini(struct loop *l, void *ctx)
{
    fake_api_free(((struct world *)ctx)->api);
}

static struct kube_transport *transport(struct world *w)
{
    struct err e = {0};

    if (w->kind == TWO_THREADS) {
        w->thread = loop_thread_start("server", thread_init, thread_fini, w, &e);
        assert_non_null(w->thread);
        return kube_transport_inproc(w->loop, loop_thread_loop(w->thread), fake_api_handle, w->api,
                                     "me");
    }
    w->api = fake_api_new();
    if (w->kind == ONE_LOOP)
        return kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "me");
    w->server = http_server_new(w->loop,
                                &(struct http_server_opts){.listen = {.host = "127.0.0.1"},
                                                           .max_body = 1 << 20,
                                                           .handler = fake_api_handle,
                                                           .ctx = w->api},
                                &e);
    if (!w->server)
        fail_msg("%s", e.msg);
    _cleanup_free_ char *url = xasprintf("http://127.0.0.1:%d/", http_server_port(w->server));
    return kube_transport_http(w->loop, &(struct kube_http_opts){.server = url, .token = "secret"},
                               &e);
}

static struct world *world_new(enum kind kind)
{
    struct world *w = xnew(struct world);

    w->kind = kind;
    w->loop = loop_new(NULL);
    w->client = kube_client_new(w->loop, transport(w));
    return w;
}

static void stop_loop(void *ctx)
{
    loop_stop(((struct world *)ctx)->loop);
}

static void world_free(struct world *w)
{
    kube_client_free(w->client);
    if (w->thread) {
        loop_thread_stop(w->thread);
    } else {
        fake_api_cut_watches(w->api);
        if (w->server) {
            http_server_shutdown(w->server, 100, stop_loop, w);
            loop_run(w->loop);
        }
        loop_post(w->loop, stop_loop, w); /* what was posted to the server so far */
        loop_run(w->loop);
        fake_api_free(w->api);
    }
    loop_free(w->loop);
    free(w->body);
    free(w);
}

static void on_answer(void *ctx, const struct kube_status *st, struct str body)
{
    struct world *w = ctx;

    w->st = *st;
    free(w->body);
    w->body = xstrndup(body.p, body.n);
    w->answers++;
    loop_stop(w->loop);
}

static void do_wait(struct world *w, const struct kube_request *rq)
{
    int before = w->answers;

    kube_do(w->client, rq, on_answer, w);
    assert_int_equal(w->answers, before); /* never inside */
    loop_run(w->loop);
    assert_int_equal(w->answers, before + 1);
}

#define CONFIG "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\"}}"

static void create(struct world *w)
{
    do_wait(w, &(struct kube_request){
                   .verb = KUBE_CREATE, .res = &KR_CONFIGMAP, .ns = "ns", .body = STR(CONFIG)});
}

static void requests(enum kind kind)
{
    struct world *w = world_new(kind);
    struct kube_request rq = {.verb = KUBE_GET, .res = &KR_CONFIGMAP, .ns = "ns", .name = "a"};

    do_wait(w, &rq);
    assert_true(kube_is_not_found(&w->st));
    assert_string_equal(w->st.reason, "NotFound");
    assert_non_null(
        strstr(w->st.err.msg, "GET /api/v1/namespaces/ns/configmaps/a: the fake says NotFound"));
    assert_false(kube_is_retryable(&w->st));
    create(w);
    assert_int_equal(w->st.code, 201);
    assert_int_equal(w->st.err.code, 0);
    create(w);
    assert_true(kube_is_exists(&w->st));
    assert_false(kube_is_conflict(&w->st));
    do_wait(w, &rq);
    assert_int_equal(w->st.code, 200);
    assert_non_null(strstr(w->body, "\"name\":\"a\""));
    rq.verb = KUBE_PATCH_MERGE;
    rq.body = STR("{\"data\":{\"x\":\"y\"}}");
    do_wait(w, &rq);
    assert_non_null(strstr(w->body, "\"x\":\"y\""));
    rq.verb = KUBE_UPDATE;
    rq.body = STR(CONFIG); /* without its version: the fake calls that a conflict */
    do_wait(w, &rq);
    assert_true(kube_is_conflict(&w->st));
    assert_true(kube_is_retryable(&w->st));
    rq.verb = KUBE_DELETE;
    rq.body = STR("");
    do_wait(w, &rq);
    assert_int_equal(w->st.code, 200);
    kube_get_path(w->client, "/healthz", on_answer, w);
    loop_run(w->loop);
    assert_int_equal(w->st.code, 404);
    world_free(w);
}

static void on_event(void *ctx, const char *type, const struct kobj *o)
{
    struct world *w = ctx;

    strncat(w->types, type, sizeof(w->types) - strlen(w->types) - 1);
    assert_string_equal(kobj_name(o), "a");
    if (++w->events == w->want_events)
        loop_stop(w->loop);
}

static void on_end(void *ctx, const struct kube_status *st)
{
    struct world *w = ctx;

    w->watch = NULL;
    w->st = *st;
    w->ends++;
    loop_stop(w->loop);
}

static const struct kube_watch_events watch_events = {on_event, on_end};

static void watch_from(struct world *w, const char *query, int want)
{
    w->events = w->ends = 0;
    w->want_events = want;
    *w->types = '\0';
    w->watch = kube_watch_start(w->client, &KR_CONFIGMAP, NULL, query, &watch_events, w);
}

static void watches(enum kind kind)
{
    struct world *w = world_new(kind);
    struct kube_request rq = {.verb = KUBE_DELETE, .res = &KR_CONFIGMAP, .ns = "ns", .name = "a"};

    create(w);
    watch_from(w, "resourceVersion=100", 2);
    do_wait(w, &rq);
    while (w->events < 2)
        loop_run(w->loop);
    assert_string_equal(w->types, "ADDEDDELETED");
    kube_watch_stop(w->watch);

    watch_from(w, "resourceVersion=100", 2);
    loop_run(w->loop);
    assert_string_equal(w->types, "ADDEDDELETED");
    kube_client_free(steal(&w->client)); /* ends the watch */
    assert_int_equal(w->ends, 1);
    assert_int_equal(w->st.code, 0);
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "x"));
    world_free(w);
}

static void compact(void *api)
{
    fake_api_compact(api);
}

static void expiry(enum kind kind)
{
    struct world *w = world_new(kind);

    create(w);
    watch_from(w, "resourceVersion=100", 1);
    loop_run(w->loop);
    assert_int_equal(w->events, 1);
    loop_post(w->thread ? loop_thread_loop(w->thread) : w->loop, compact, w->api); /* cuts it */
    loop_run(w->loop);
    assert_int_equal(w->ends, 1);
    assert_int_not_equal(w->st.err.code, 0);
    watch_from(w, "resourceVersion=1", 1);
    loop_run(w->loop);
    assert_int_equal(w->ends, 1);
    assert_int_equal(w->st.code, 410);
    assert_string_equal(w->st.reason, "Expired");
    world_free(w);
}

/* The server's thread ends while requests and a watch are open, then the client finds nobody. */
static void test_server_goes_first(void **state)
{
    struct world *w = world_new(TWO_THREADS);

    create(w);
    watch_from(w, "resourceVersion=100", 1);
    loop_run(w->loop);
    assert_int_equal(w->events, 1);
    loop_thread_stop(steal(&w->thread));
    loop_run(w->loop);
    assert_int_equal(w->ends, 1);
    kube_client_free(w->client);
    loop_free(w->loop);
    free(w->body);
    free(w);
}

/* The client's loop is freed while the server still streams to it. */
static void test_client_goes_first(void **state)
{
    struct world *w = world_new(TWO_THREADS);

    create(w);
    watch_from(w, "resourceVersion=100", 1);
    loop_run(w->loop);
    kube_client_free(w->client);
    loop_free(w->loop);
    loop_post(loop_thread_loop(w->thread), compact, w->api); /* writes to whoever still watches */
    loop_thread_stop(w->thread);
    free(w->body);
    free(w);
}

static void test_closing_ends_requests(void **state)
{
    struct world *w = world_new(TWO_THREADS);

    for (int i = 0; i < 20; i++)
        kube_do(w->client, &(struct kube_request){.verb = KUBE_LIST, .res = &KR_POD}, on_answer, w);
    kube_client_free(w->client);
    assert_int_equal(w->answers, 20);
    assert_int_equal(w->st.code, 0);
    loop_thread_stop(w->thread);
    loop_free(w->loop);
    free(w->body);
    free(w);
}

static void test_nobody_listens(void **state)
{
    struct err e = {0};
    struct world *w = xnew(struct world);

    w->loop = loop_new(NULL);
    struct kube_transport *t =
        kube_transport_http(w->loop, &(struct kube_http_opts){.server = "http://127.0.0.1:1"}, &e);
    w->client = kube_client_new(w->loop, t);
    do_wait(w, &(struct kube_request){.verb = KUBE_LIST, .res = &KR_POD});
    assert_int_equal(w->st.code, 0);
    assert_true(kube_is_retryable(&w->st));
    assert_non_null(strstr(w->st.err.msg, "GET /api/v1/pods"));
    kube_client_free(w->client);
    assert_null(kube_transport_http(w->loop, &(struct kube_http_opts){.server = "ftp://x"}, &e));
    assert_null(
        kube_transport_http(w->loop, &(struct kube_http_opts){.server = "http://x:99999"}, &e));
    loop_free(w->loop);
    free(w->body);
    free(w);
}

static void test_kubeconfig(void **state)
{
    static const struct {
        const char *text, *complaint;
    } cases[] = {
        {"a: [", "cannot read kubeconfig"},
        {"clusters: []\n", "no current-context"},
        {"current-context: c\ncontexts: []\n", "no entry \"c\" in its contexts"},
        {"current-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\nclusters:\n- "
         "name: k\n"
         "  cluster: {server: 'http://127.0.0.1:9'}\n",
         "no entry \"u\" in its users"},
        {"current-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\nclusters:\n- "
         "name: k\n"
         "  cluster: {server: 'http://127.0.0.1:9', certificate-authority-data: '!'}\nusers:\n- "
         "name: u\n"
         "  user: {token: t}\n",
         "certificate-authority-data"},
        {"current-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\nclusters:\n- "
         "name: k\n"
         "  cluster: {server: 'http://127.0.0.1:9'}\nusers:\n- name: u\n  user: {token: t}\n",
         NULL},
    };
    char path[] = "/tmp/kubeconfig-test-XXXXXX";
    int fd = mkstemp(path);
    struct loop *l = loop_new(NULL);

    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0),
                         (ssize_t)strlen(cases[i].text));
        struct kube_transport *t = kube_transport_kubeconfig(l, path, &e);
        assert_int_equal(t != NULL, cases[i].complaint == NULL);
        if (cases[i].complaint && !strstr(e.msg, cases[i].complaint))
            fail_msg("%s", e.msg);
        kube_transport_free(t);
    }
    close(fd);
    unlink(path);
    loop_free(l);
}

#define EACH(name, fn)                                                                             \
    static void name##_http(void **state)                                                          \
    {                                                                                              \
        fn(OVER_HTTP);                                                                             \
    }                                                                                              \
    static void name##_one_loop(void **state)                                                      \
    {                                                                                              \
        fn(ONE_LOOP);                                                                              \
    }                                                                                              \
    static void name##_threads(void **state)                                                       \
    {                                                                                              \
        fn(TWO_THREADS);                                                                           \
    }
EACH(test_requests, requests)
EACH(test_expiry, expiry)

static void test_watch_http(void **state)
{
    watches(OVER_HTTP);
}

static void test_watch_one_loop(void **state)
{
    watches(ONE_LOOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_http),
        cmocka_unit_test(test_requests_one_loop),
        cmocka_unit_test(test_requests_threads),
        cmocka_unit_test(test_watch_http),
        cmocka_unit_test(test_watch_one_loop),
        cmocka_unit_test(test_expiry_http),
        cmocka_unit_test(test_expiry_one_loop),
        cmocka_unit_test(test_expiry_threads),
        cmocka_unit_test(test_server_goes_first),
        cmocka_unit_test(test_client_goes_first),
        cmocka_unit_test(test_closing_ends_requests),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_kubeconfig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
