/* A pod's subresources: the options that reach the node, and what is refused before they do. */
#include "rig.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/apiserver/verbs/pod_options.h"

#define POD "/api/v1/namespaces/default/pods/web"
#define NOW (1767225600LL * NS_PER_SEC) /* 2026-01-01 */

static struct kobj *pod_of(const char *text)
{
    struct kobj *o = kobj_parse(text, strlen(text), NULL);

    assert_non_null(o);
    return o;
}

static const char two[] =
    "{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u\"},\"spec\":{"
    "\"initContainers\":[{\"name\":\"first\"}],\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"
    "}";
static const char one[] =
    "{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u\"},\"spec\":{"
    "\"containers\":[{\"name\":\"a\"}]}}";

static void test_containers(void **state)
{
    static const struct {
        const char *pod, *query, *container; /* NULL = refused */
    } rows[] = {
        {one, "", "a"},
        {one, "container=", "a"},
        {one, "container=a", "a"},
        {one, "container=b", NULL},
        {two, "", NULL},
        {two, "container=b", "b"},
        {two, "container=first", "first"},
        {two, "container=c", NULL},
        {two, "container=a%00", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct kobj *pod = pod_of(rows[i].pod);
        _cleanup_status_ struct api_status st = {0};
        struct pod_options o;
        int r = pod_options_logs(str_of(rows[i].query), pod, NOW, &o, &st);

        assert_int_equal(r, rows[i].container ? 0 : -1);
        assert_int_equal(st.code, rows[i].container ? 0 : 400);
        if (r == 0) {
            assert_string_equal(o.target.container, rows[i].container);
            assert_string_equal(o.target.ns, "default");
            assert_string_equal(o.target.pod, "web");
            assert_string_equal(o.target.uid, "u");
        }
        pod_options_done(&o);
        kobj_unref(pod);
    }
}

static void test_logs(void **state)
{
    static const struct {
        const char *query;
        int code;
        int64_t tail, limit, since;
        bool follow, previous, timestamps;
    } rows[] = {
        {"", 0, -1, -1, INT64_MIN, false, false, false},
        {"follow=true&previous=1&timestamps=True", 0, -1, -1, INT64_MIN, true, true, true},
        {"tailLines=0&limitBytes=1", 0, 0, 1, INT64_MIN, false, false, false},
        {"sinceSeconds=60", 0, -1, -1, NOW - 60 * NS_PER_SEC, false, false, false},
        {"sinceSeconds=9223372036854775807", 0, -1, -1, INT64_MIN, false, false, false},
        {"sinceTime=2025-12-31T00:00:00Z", 0, -1, -1, NOW - 86400 * NS_PER_SEC, false, false,
         false},
        {"tailLines=-1", 422, 0, 0, 0, false, false, false},
        {"tailLines=x", 400, 0, 0, 0, false, false, false},
        {"limitBytes=0", 422, 0, 0, 0, false, false, false},
        {"sinceSeconds=0", 422, 0, 0, 0, false, false, false},
        {"sinceTime=yesterday", 400, 0, 0, 0, false, false, false},
        {"sinceSeconds=5&sinceTime=2025-12-31T00:00:00Z", 422, 0, 0, 0, false, false, false},
        {"stream=All", 0, -1, -1, INT64_MIN, false, false, false},
        {"stream=Stdout", 422, 0, 0, 0, false, false, false},
    };
    struct kobj *pod = pod_of(one);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        struct pod_options o;

        pod_options_logs(str_of(rows[i].query), pod, NOW, &o, &st);
        if (st.code != rows[i].code)
            fail_msg("%s: %d %s", rows[i].query, st.code, st.message ? st.message : "");
        if (!st.code) {
            assert_int_equal(o.logs.tail_lines, rows[i].tail);
            assert_int_equal(o.logs.limit_bytes, rows[i].limit);
            assert_true(o.logs.since_ns == rows[i].since);
            assert_int_equal(o.logs.follow, rows[i].follow);
            assert_int_equal(o.logs.previous, rows[i].previous);
            assert_int_equal(o.logs.timestamps, rows[i].timestamps);
        }
        pod_options_done(&o);
    }
    kobj_unref(pod);
}

static void test_exec(void **state)
{
    static const struct {
        const char *query, *command; /* words joined by '|'; NULL = refused */
        const char *streams;         /* of "ioet" */
    } rows[] = {
        {"command=ls&stdout=true", "ls", "o"},
        {"command=sh&command=-c&command=a+b%26c&stdin=1&stdout=1&stderr=1", "sh|-c|a b&c", "ioe"},
        {"command=sh&command=&stdin=true&stdout=true&stderr=true&tty=true", "sh|", "iot"},
        {"command=ls", NULL, NULL},
        {"command=ls&tty=true", NULL, NULL},
        {"stdout=true", NULL, NULL},
        {"command=&stdout=true", NULL, NULL},
        {"command=%zz&stdout=true", NULL, NULL},
        {"commander=ls&stdout=true", NULL, NULL},
        {"command=a%00b&stdout=true", NULL, NULL},
    };
    struct kobj *pod = pod_of(one);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        _cleanup_buf_ struct buf words = BUF_INIT(4096), streams = BUF_INIT(64);
        struct pod_options o;
        int r = pod_options_exec(str_of(rows[i].query), pod, &o, &st);

        if ((r == 0) != (rows[i].command != NULL))
            fail_msg("%s: %d", rows[i].query, st.code);
        for (size_t k = 0; r == 0 && k < o.exec.n_command; k++)
            buf_addf(&words, "%s%s", k ? "|" : "", o.exec.command[k]);
        if (r == 0) {
            buf_addf(&streams, "%s%s%s%s", o.exec.streams.in ? "i" : "",
                     o.exec.streams.out ? "o" : "", o.exec.streams.err ? "e" : "",
                     o.exec.streams.tty ? "t" : "");
            assert_string_equal(buf_z(&words), rows[i].command);
            assert_string_equal(buf_z(&streams), rows[i].streams);
        }
        pod_options_done(&o);
    }
    kobj_unref(pod);
}

static void test_ports(void **state)
{
    static const struct {
        const char *query, *ports;
    } rows[] = {
        {"ports=80", "80"},
        {"ports=80&ports=443", "80,443"},
        {"ports=80,%20443", "80,443"},
        {"", NULL},
        {"ports=0", NULL},
        {"ports=65536", NULL},
        {"ports=-1", NULL},
        {"ports=http", NULL},
        {"ports=", NULL},
    };
    struct kobj *pod = pod_of(two);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_status_ struct api_status st = {0};
        _cleanup_buf_ struct buf got = BUF_INIT(4096);
        struct pod_options o;
        int r = pod_options_forward(str_of(rows[i].query), pod, &o, &st);

        if ((r == 0) != (rows[i].ports != NULL))
            fail_msg("%s: %d", rows[i].query, st.code);
        for (size_t k = 0; r == 0 && k < o.forward.n_ports; k++)
            buf_addf(&got, "%s%d", k ? "," : "", o.forward.ports[k]);
        if (r == 0)
            assert_string_equal(buf_z(&got), rows[i].ports);
        pod_options_done(&o);
    }
    kobj_unref(pod);
}

static void test_protocols(void **state)
{
    static const char *const both[] = {"v5.channel.k8s.io", "v4.channel.k8s.io", NULL};
    static const struct {
        const char *offered, *chosen;
    } rows[] = {
        {"v5.channel.k8s.io", "v5.channel.k8s.io"},
        {"v4.channel.k8s.io, v5.channel.k8s.io", "v5.channel.k8s.io"},
        {"base64.channel.k8s.io,v4.channel.k8s.io", "v4.channel.k8s.io"},
        {"v5.channel.k8s.io.evil", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = pod_protocol(str_of(rows[i].offered), both);

        if (rows[i].chosen)
            assert_string_equal(got, rows[i].chosen);
        else
            assert_null(got);
    }
}

/* ---- the way to the node ---- */
static struct {
    int calls;
    char command[64], protocol[64];
} node;

static void serve_exec(void *ctx, struct http_exchange *x, const struct kubelet_exec *o)
{
    node.calls++;
    snprintf(node.command, sizeof(node.command), "%s", o->command[0]);
    snprintf(node.protocol, sizeof(node.protocol), "%s", o->streams.protocol);
    http_reply(x, 200, "text/plain", "ran", 3);
}

static int try(struct world *w, const char *method, const char *path, const char *const *headers)
{
    static const char *const masters[] = {"system:masters"};
    static const struct user_info u = {.name = "admin", .groups = masters, .n_groups = 1};
    struct answer a;

    ask_with(w, &a, &u, method, path, headers, "");
    wait_for(w, &a);
    int status = a.status;

    answer_done(&a);
    return status;
}

static void test_way(void **state)
{
    static const struct kubelet_ops ops = {.exec = serve_exec};
    static const char *const ws[] = {"Upgrade",
                                     "websocket",
                                     "Connection",
                                     "Upgrade",
                                     "Sec-WebSocket-Key",
                                     "x",
                                     "Sec-WebSocket-Version",
                                     "13",
                                     "Sec-WebSocket-Protocol",
                                     "v4.channel.k8s.io",
                                     NULL};
    static const char *const spdy[] = {"Upgrade", "SPDY/3.1", "Connection", "Upgrade", NULL};
    static const char *const odd[] = {"Upgrade",
                                      "websocket",
                                      "Connection",
                                      "Upgrade",
                                      "Sec-WebSocket-Key",
                                      "x",
                                      "Sec-WebSocket-Version",
                                      "13",
                                      "Sec-WebSocket-Protocol",
                                      "chat",
                                      NULL};
    static const char *const none[] = {NULL};
    struct world *w = world_new(&(struct apiserver_opts){0});

    yyjson_doc_free(ask_json(w, 201, "POST", "/api/v1/namespaces/default/pods",
                             "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"containers\":[{\"name\":"
                             "\"a\",\"image\":\"i\"}]}}"));
    assert_int_equal(try(w, "GET", POD "/exec?command=ls&stdout=1", ws), 503); /* no node */
    apiserver_set_kubelet(w->api, &(struct kubelet){&ops, NULL});
    assert_int_equal(try(w, "GET", POD "/log", none), 501); /* not offered */
    assert_int_equal(try(w, "GET", POD "/exec?command=ls&stdout=1", none), 400);
    assert_int_equal(try(w, "POST", POD "/exec?command=ls&stdout=1", spdy), 400);
    assert_int_equal(try(w, "GET", POD "/exec?command=ls&stdout=1", odd), 400);
    assert_int_equal(try(w, "GET", POD "/exec?stdout=1", ws), 400);
    assert_int_equal(try(w, "PUT", POD "/exec?command=ls&stdout=1", ws), 405);
    assert_int_equal(try(w, "GET", POD "z/exec?command=ls&stdout=1", ws), 404);
    assert_int_equal(try(w, "GET", "/api/v1/nodes/n/exec", ws), 404);
    assert_int_equal(node.calls, 0);
    assert_int_equal(try(w, "GET", POD "/exec?command=ls&stdout=1", ws), 200);
    assert_int_equal(node.calls, 1);
    assert_string_equal(node.command, "ls");
    assert_string_equal(node.protocol, "v4.channel.k8s.io");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containers), cmocka_unit_test(test_logs),
        cmocka_unit_test(test_exec),       cmocka_unit_test(test_ports),
        cmocka_unit_test(test_protocols),  cmocka_unit_test(test_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
