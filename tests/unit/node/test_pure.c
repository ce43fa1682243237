/* What the node decides without touching the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/node/network/ipam.h"
#include "cluster/node/network/net_spec.h"
#include "cluster/node/pod/drain.h"
#include "cluster/node/pod/status_patch.h"
#include "cluster/node/runtime/oci_spec.h"
#include "cluster/node/volume/volumes.h"

static struct kobj *pod_of(const char *spec)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
        "\"uid\":\"u\",\"labels\":{\"a.b/c\":\"v\"}},\"spec\":%s}",
        spec);
    struct err why;
    struct kobj *o = kobj_parse(text, strlen(text), &why);
    if (!o)
        fail_msg("%s", why.msg);
    return o;
}

static yyjson_val *first_container(const struct kobj *pod)
{
    return yyjson_arr_get_first(jget(kobj_root(pod), "spec", "containers"));
}

/* ---- environment ---- */
static yyjson_doc *config_map, *secret;

static yyjson_val *lookup(void *ctx, const struct kube_resource *r, const char *ns,
                          const char *name)
{
    if (!streq(ns, "n") || !streq(name, "known"))
        return NULL;
    return yyjson_doc_get_root(r == &KR_SECRET ? secret : config_map);
}

static int make_objects(void **state)
{
    static const char map[] = "{\"kind\":\"ConfigMap\",\"data\":{\"k\":\"v\",\"k2\":\"v2\"},"
                              "\"binaryData\":{\"bin\":\"AAH/\"}}";
    static const char sec[] = "{\"kind\":\"Secret\",\"data\":{\"pw\":\"aHVudGVyMg==\"}}";
    config_map = json_parse(map, sizeof map - 1, NULL);
    secret = json_parse(sec, sizeof sec - 1, NULL);
    return 0;
}

static int free_objects(void **state)
{
    yyjson_doc_free(config_map);
    yyjson_doc_free(secret);
    return 0;
}

static struct pod_facts facts_of(const struct kobj *pod)
{
    return (struct pod_facts){.pod = pod,
                              .node_name = "node",
                              .host_ip = "10.0.0.1",
                              .pod_ip = "10.0.0.2",
                              .node_cpu_milli = 2000,
                              .node_memory = 1 << 30,
                              .lookup = lookup};
}

static void test_env_order(void **state)
{
    _cleanup_kobj_ const struct kobj *pod = pod_of(
        "{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":{\"memory\":\"64Mi\"}},"
        "\"envFrom\":[{\"prefix\":\"P_\",\"configMapRef\":{\"name\":\"known\"}},"
        "{\"secretRef\":{\"name\":\"missing\",\"optional\":true}}],\"env\":["
        "{\"name\":\"A\",\"value\":\"$(P_k)/$$(P_k)/$(B)\"},{\"name\":\"P_k2\",\"value\":\"own\"},"
        "{\"name\":\"PW\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"known\",\"key\":\"pw\"}}},"
        "{\"name\":\"L\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.labels['a.b/"
        "c']\"}}},"
        "{\"name\":\"M\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"limits.memory\","
        "\"divisor\":\"1Mi\"}}},{\"name\":\"CPU\",\"valueFrom\":{\"resourceFieldRef\":{"
        "\"resource\":\"limits.cpu\"}}},{\"name\":\"O\",\"valueFrom\":{\"configMapKeyRef\":{"
        "\"name\":\"known\",\"key\":\"none\",\"optional\":true}}}]}]}");
    static const char image[] = "{\"config\":{\"Env\":[\"PATH=/img\",\"A=image\",\"I=i=j\"]}}";
    _cleanup_jdoc_ yyjson_doc *config = json_parse(image, sizeof image - 1, NULL);
    struct pod_facts f = facts_of(pod);
    struct env env = {0};
    struct err why;
    if (env_build(&f, first_container(pod), yyjson_doc_get_root(config), &env, &why) < 0)
        fail_msg("%s", why.msg);
    static const char *const want[][2] = {
        {"PATH", "/img"}, {"HOSTNAME", "p"}, {"I", "i=j"}, {"P_k", "v"}, {"A", "v/$(P_k)/$(B)"},
        {"P_k2", "own"},  {"PW", "hunter2"}, {"L", "v"},   {"M", "64"},  {"CPU", "2"}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(env_get(&env, want[i][0]), want[i][1]);
    assert_null(env_get(&env, "O"));
    env_done(&env);
}

static void test_env_missing(void **state)
{
    _cleanup_kobj_ const struct kobj *pod =
        pod_of("{\"containers\":[{\"name\":\"c\",\"env\":[{\"name\":\"A\",\"valueFrom\":{"
               "\"secretKeyRef\":{\"name\":\"gone\",\"key\":\"k\"}}}]}]}");
    struct pod_facts f = facts_of(pod);
    struct env env = {0};
    struct err why;
    assert_int_equal(env_build(&f, first_container(pod), NULL, &env, &why), -ENOENT);
    assert_string_equal(why.msg, "secret \"gone\" not found");
}

/* ---- users ---- */
static int resolve(const char *spec, const char *image_user, struct oci_user *u)
{
    _cleanup_kobj_ const struct kobj *pod = pod_of(spec);
    return oci_user_resolve(jget(kobj_root(pod), "spec"), first_container(pod), image_user,
                            "root:x:0:0::/:/\nweb:x:33:44::/:/\n",
                            "root:x:0:\nweb:x:44:\nextra:x:55:other,web\n", u, NULL);
}

static void test_users(void **state)
{
    static const char plain[] = "{\"containers\":[{\"name\":\"c\"}]}";
    static const char chosen[] = "{\"securityContext\":{\"runAsUser\":7,\"fsGroup\":9},"
                                 "\"containers\":[{\"name\":\"c\",\"securityContext\":{"
                                 "\"runAsUser\":2020,\"runAsGroup\":8}}]}";
    static const char careful[] = "{\"containers\":[{\"name\":\"c\",\"securityContext\":{"
                                  "\"runAsNonRoot\":true}}]}";
    struct oci_user u;
    assert_int_equal(resolve(plain, "web", &u), 0);
    assert_true(u.uid == 33 && u.gid == 44 && u.groups.n == 1 && u.groups.p[0] == 55);
    oci_user_done(&u);
    assert_int_equal(resolve(plain, "33:extra", &u), 0);
    assert_true(u.uid == 33 && u.gid == 55);
    oci_user_done(&u);
    assert_int_equal(resolve(plain, NULL, &u), 0);
    assert_true(u.uid == 0 && u.gid == 0);
    oci_user_done(&u);
    assert_int_equal(resolve(chosen, "web", &u), 0);
    assert_true(u.uid == 2020 && u.gid == 8 && u.groups.n == 1 && u.groups.p[0] == 9);
    oci_user_done(&u);
    assert_int_equal(resolve(plain, "nobody", &u), -EINVAL);
    assert_int_equal(resolve(careful, NULL, &u), -EACCES);
    assert_int_equal(resolve(careful, "65532", &u), 0);
    oci_user_done(&u);
}

/* ---- config.json ---- */
static yyjson_doc *spec_of(const char *spec, struct err *why)
{
    _cleanup_kobj_ const struct kobj *pod = pod_of(spec);
    static const char image[] = "{\"config\":{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"],"
                                "\"WorkingDir\":\"/w\"}}";
    _cleanup_jdoc_ yyjson_doc *config = json_parse(image, sizeof image - 1, NULL);
    struct env env = {0};
    struct oci_user user = {.uid = 5};
    env_set(&env, "X", "x");
    struct oci_input in = {.pod = kobj_root(pod),
                           .container = first_container(pod),
                           .image_config = yyjson_doc_get_root(config),
                           .env = &env,
                           .user = &user,
                           .rootfs = "/r",
                           .netns = "/net",
                           .cgroup = "/g/id",
                           .node_memory = 1 << 30,
                           .max_files = 1024};
    _cleanup_free_ char *text = oci_spec_build(&in, why);
    env_done(&env);
    return text ? json_parse(text, strlen(text), NULL) : NULL;
}

static const char *arg(const yyjson_doc *d, size_t i)
{
    return yyjson_get_str(
        yyjson_arr_get(jget(yyjson_doc_get_root((yyjson_doc *)d), "process", "args"), i));
}

static void test_args(void **state)
{
    struct err why;
    yyjson_doc *d = spec_of("{\"containers\":[{\"name\":\"c\"}]}", &why);
    assert_string_equal(arg(d, 0), "/e");
    assert_string_equal(arg(d, 1), "c");
    assert_string_equal(jget_str(yyjson_doc_get_root(d), "process", "cwd"), "/w");
    yyjson_doc_free(d);
    d = spec_of("{\"containers\":[{\"name\":\"c\",\"args\":[\"$(X)\"]}]}", &why);
    assert_string_equal(arg(d, 0), "/e");
    assert_string_equal(arg(d, 1), "x");
    yyjson_doc_free(d);
    d = spec_of("{\"containers\":[{\"name\":\"c\",\"command\":[\"/own\"]}]}", &why);
    assert_string_equal(arg(d, 0), "/own");
    assert_null(arg(d, 1));
    yyjson_doc_free(d);
}

static bool has_cap(const yyjson_val *root, const char *name)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(jget(root, "process", "capabilities", "bounding"), i, max, v)
    {
        if (streq(yyjson_get_str(v), name))
            return true;
    }
    return false;
}

static void test_isolation(void **state)
{
    struct err why;
    yyjson_doc *d = spec_of(
        "{\"containers\":[{\"name\":\"c\",\"securityContext\":{\"allowPrivilegeEscalation\":false,"
        "\"readOnlyRootFilesystem\":true,\"capabilities\":{\"drop\":[\"ALL\"],\"add\":["
        "\"NET_BIND_SERVICE\"]}},\"resources\":{\"requests\":{\"cpu\":\"125m\"},\"limits\":{"
        "\"cpu\":\"1\",\"memory\":\"128Mi\"}}}]}",
        &why);
    const yyjson_val *root = yyjson_doc_get_root(d);
    assert_true(jget_bool(root, false, "process", "noNewPrivileges"));
    assert_true(jget_bool(root, false, "root", "readonly"));
    assert_true(has_cap(root, "CAP_NET_BIND_SERVICE"));
    assert_false(has_cap(root, "CAP_CHOWN"));
    assert_int_equal(jget_int(root, 0, "linux", "resources", "cpu", "shares"), 128);
    assert_int_equal(jget_int(root, 0, "linux", "resources", "cpu", "quota"), 100000);
    assert_int_equal(jget_int(root, 0, "linux", "resources", "memory", "limit"), 134217728);
    yyjson_doc_free(d);
    d = spec_of("{\"containers\":[{\"name\":\"c\"}]}", &why);
    assert_true(has_cap(yyjson_doc_get_root(d), "CAP_CHOWN"));
    assert_false(has_cap(yyjson_doc_get_root(d), "CAP_SYS_ADMIN"));
    yyjson_doc_free(d);
    assert_null(spec_of("{\"hostNetwork\":true,\"containers\":[{\"name\":\"c\"}]}", &why));
    assert_non_null(strstr(why.msg, "hostNetwork"));
    assert_null(
        spec_of("{\"containers\":[{\"name\":\"c\",\"readinessProbe\":{\"grpc\":{}}}]}", &why));
    assert_non_null(strstr(why.msg, "readinessProbe.grpc"));
}

static void test_qos(void **state)
{
    _cleanup_kobj_ const struct kobj *none = pod_of("{\"containers\":[{\"name\":\"c\"}]}");
    _cleanup_kobj_ const struct kobj *some =
        pod_of("{\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}");
    _cleanup_kobj_ const struct kobj *full =
        pod_of("{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":\"1\","
               "\"memory\":\"1Gi\"}}}]}");
    assert_string_equal(pod_qos_class(kobj_root(none)), "BestEffort");
    assert_string_equal(pod_qos_class(kobj_root(some)), "Burstable");
    assert_string_equal(pod_qos_class(kobj_root(full)), "Guaranteed");
}

/* ---- volumes ---- */
static void test_volumes(void **state)
{
    _cleanup_kobj_ const struct kobj *pod =
        pod_of("{\"containers\":[],\"volumes\":[{\"name\":\"m\",\"configMap\":{\"name\":\"known\","
               "\"defaultMode\":256,\"items\":[{\"key\":\"bin\",\"path\":\"d/f\",\"mode\":511}]}},"
               "{\"name\":\"s\",\"secret\":{\"secretName\":\"gone\",\"optional\":true}},"
               "{\"name\":\"e\",\"emptyDir\":{\"medium\":\"Memory\",\"sizeLimit\":\"1Mi\"}}]}");
    struct pod_facts f = facts_of(pod);
    struct volumes v = {0};
    struct err why;
    if (volumes_plan(&f, &v, &why) < 0)
        fail_msg("%s", why.msg);
    assert_int_equal(v.v.n, 3);
    assert_string_equal(v.v.p[0].files.p[0].path, "d/f");
    assert_memory_equal(v.v.p[0].files.p[0].data, "\0\1\377", 3);
    assert_int_equal(v.v.p[0].files.p[0].mode, 0777);
    assert_int_equal(v.v.p[1].files.n, 0);
    assert_int_equal(v.v.p[2].size_limit, 1 << 20);
    volumes_done(&v);
}

static void test_volume_escapes(void **state)
{
    static const char *const paths[] = {"../x", "/x", "a/../x", "..data"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        _cleanup_free_ char *spec = xasprintf(
            "{\"containers\":[],\"volumes\":[{\"name\":\"m\",\"configMap\":{\"name\":\"known\","
            "\"items\":[{\"key\":\"k\",\"path\":\"%s\"}]}}]}",
            paths[i]);
        _cleanup_kobj_ const struct kobj *pod = pod_of(spec);
        struct pod_facts f = facts_of(pod);
        struct volumes v = {0};
        assert_int_equal(volumes_plan(&f, &v, NULL), -EINVAL);
    }
}

/* ---- addresses ---- */
static void test_ipam(void **state)
{
    struct ipam *p = ipam_new("10.1.2.3/29", NULL);
    uint32_t a, b;
    char text[16];
    ipam_text(ipam_gateway(p), text);
    assert_string_equal(text, "10.1.2.1");
    assert_int_equal(ipam_take(p, &a, NULL), 0);
    ipam_text(a, text);
    assert_string_equal(text, "10.1.2.2");
    ipam_release(p, a);
    assert_int_equal(ipam_take(p, &b, NULL), 0);
    assert_int_not_equal(a, b); /* as late as possible */
    assert_true(ipam_claim(p, a));
    assert_false(ipam_claim(p, a));
    assert_false(ipam_claim(p, ipam_gateway(p)));
    for (int i = 0; i < 3; i++)
        assert_int_equal(ipam_take(p, &b, NULL), 0);
    assert_int_equal(ipam_take(p, &b, NULL), -ENOSPC);
    ipam_free(p);
    assert_null(ipam_new("10.0.0.0", NULL));
    assert_null(ipam_new("10.0.0.0/30", NULL));
}

/* ---- timing ---- */
static void test_timing(void **state)
{
    static const int64_t want[] = {0, 0, 10000, 20000, 40000, 80000, 160000, 300000, 300000};
    for (int i = 0; i < (int)ARRAY_LEN(want); i++)
        assert_int_equal(container_backoff_ms(i), want[i]);
    static const char spec[] = "{\"periodSeconds\":0,\"failureThreshold\":1}";
    _cleanup_jdoc_ yyjson_doc *d = json_parse(spec, sizeof spec - 1, NULL);
    struct probe_timing t;
    probe_timing_read(yyjson_doc_get_root(d), PROBE_READINESS, &t);
    assert_true(t.eager);
    assert_int_equal(probe_eager_delay_ms(&t, 0), 1);
    assert_int_equal(probe_eager_delay_ms(&t, 200), 10);
    assert_int_equal(probe_eager_delay_ms(&t, 5000), 100);
    assert_int_equal(probe_eager_delay_ms(&t, 60000), t.period_ms);
    probe_timing_read(yyjson_doc_get_root(d), PROBE_LIVENESS, &t);
    assert_false(t.eager);
    assert_int_equal(t.initial_delay_ms, t.period_ms);
}

/* ---- status ---- */
static struct container_termination ended = {.set = true, .exit_code = 3, .reason = "Error"};
static struct container_termination none;

static void test_phase(void **state)
{
    _cleanup_kobj_ const struct kobj *pod = pod_of("{\"containers\":[{\"name\":\"c\"}]}");
    struct container_view c[2] = {
        {.name = "i", .init = true, .state = RUN_RUNNING, .now = &none, .last = &none},
        {.name = "c", .state = RUN_WAITING, .now = &none, .last = &none}};
    struct pod_view v = {.pod = pod, .containers = c, .n = 2, .host_ip = "h", .pod_ip = "p"};
    assert_string_equal(pod_status_phase(&v), "Pending");
    struct container_termination good = {.set = true};
    c[0].state = RUN_TERMINATED;
    c[0].done = true;
    c[0].now = &good;
    c[1].state = RUN_RUNNING;
    assert_string_equal(pod_status_phase(&v), "Running");
    assert_false(pod_status_ready(&v));
    c[1].ready = true;
    assert_true(pod_status_ready(&v));
    c[1].state = RUN_TERMINATED;
    c[1].now = &ended;
    c[1].done = true;
    assert_string_equal(pod_status_phase(&v), "Failed");
    c[1].now = &good;
    assert_string_equal(pod_status_phase(&v), "Succeeded");
}

static void test_patch_keeps_times(void **state)
{
    _cleanup_kobj_ const struct kobj *pod = pod_of("{\"containers\":[{\"name\":\"c\"}]}");
    struct container_view c = {.name = "c",
                               .state = RUN_RUNNING,
                               .ready = true,
                               .now = &none,
                               .last = &none,
                               .started_ns = NS_PER_SEC};
    struct pod_view v = {.pod = pod,
                         .containers = &c,
                         .n = 1,
                         .host_ip = "h",
                         .pod_ip = "p",
                         .start_ns = NS_PER_SEC,
                         .now_ns = 100 * NS_PER_SEC};
    _cleanup_free_ char *first = pod_status_patch(&v, NULL);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(first, strlen(first), NULL);
    const yyjson_val *status = jget(yyjson_doc_get_root(d), "status");
    v.now_ns = 200 * NS_PER_SEC;
    _cleanup_free_ char *again = pod_status_patch(&v, status);
    assert_string_equal(first, again);
    c.ready = false;
    _cleanup_free_ char *other = pod_status_patch(&v, status);
    assert_non_null(strstr(other, "\"type\":\"Ready\",\"status\":\"False\",\"lastTransitionTime\":"
                                  "\"1970-01-01T00:03:20Z\""));
    assert_non_null(strstr(other, "containers with unready status: [c]"));
}

#define S NS_PER_SEC

static void test_drain(void **state)
{
    struct pod_drain d;
    const int64_t t = 1000 * S;

    pod_drain_begin(&d, t);
    assert_false(pod_drain_over(&d, t, t + 30 * S, 0));
    assert_true(pod_drain_over(&d, t + S, t + 30 * S, 0)); /* quiet for a while */

    pod_drain_begin(&d, t);
    assert_false(pod_drain_over(&d, t + 20 * S, t + 30 * S, 1));
    assert_true(pod_drain_over(&d, t + 23 * S, t + 30 * S, 1)); /* the processes' part is kept */

    /* A WebSocket stays open: SIGTERM comes half a minute after the last request came. */
    pod_drain_begin(&d, t);
    assert_false(pod_drain_over(&d, t + 1 * S, t + 300 * S, 1));
    assert_false(pod_drain_over(&d, t + 10 * S, t + 300 * S, 2));
    assert_false(pod_drain_over(&d, t + 39 * S, t + 300 * S, 1));
    assert_true(pod_drain_over(&d, t + 40 * S, t + 300 * S, 1));

    pod_drain_begin(&d, t);
    assert_true(pod_drain_over(&d, t, t, 5)); /* no grace at all */
    pod_drain_begin(&d, t);
    assert_false(pod_drain_over(&d, t, t + 2 * S, 1));
    assert_true(pod_drain_over(&d, t + 1 * S, t + 2 * S, 1));
}

static void test_grace(void **state)
{
    assert_int_equal(sandbox_grace_ms(30), 30000);
    assert_int_equal(sandbox_grace_ms(0), 0);
    assert_int_equal(sandbox_grace_ms(-1), 0);
    assert_int_equal(sandbox_grace_ms(INT64_MIN), 0);
    /* Added to any time of a machine, in nanoseconds, it still fits. */
    assert_true(sandbox_grace_ms(INT64_MAX) < INT64_MAX / 4 / NS_PER_MS);
}

static void test_hostname(void **state)
{
    static const struct {
        const char *pod, *want;
    } rows[] = {
        {"{\"metadata\":{\"name\":\"a-1\"}}", "a-1"},
        {"{\"metadata\":{\"name\":\"a\"},\"spec\":{\"hostname\":\"b\"}}", "b"},
        {"{\"metadata\":{\"name\":\"x23456789-123456789-123456789-123456789-123456789-123456789-"
         "1234\"}}",
         "x23456789-123456789-123456789-123456789-123456789-123456789-123"},
        {"{\"metadata\":{\"name\":\"x23456789-123456789-123456789-123456789-123456789-123456789-"
         "-.-tail\"}}",
         "x23456789-123456789-123456789-123456789-123456789-123456789"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char got[POD_HOSTNAME_LEN];
        yyjson_doc *d = yyjson_read(rows[i].pod, strlen(rows[i].pod), 0);
        env_hostname(yyjson_doc_get_root(d), got);
        assert_string_equal(got, rows[i].want);
        yyjson_doc_free(d);
    }
}

static void test_net_names(void **state)
{
    struct net_spec s;
    char port[NET_PORT_LEN];
    uint32_t addr = 0;
    assert_int_equal(net_spec_read("br", "10.90.0.0/16", &s, NULL), 0);
    const uint8_t mac[] = {0x0a, 0x58, 10, 90, 0, 1};
    assert_memory_equal(s.mac, mac, sizeof mac);
    assert_true(net_spec_has(&s, s.gateway + 500));
    assert_false(net_spec_has(&s, s.net - 1));
    net_spec_port(s.gateway + 1, port);
    assert_true(net_spec_port_parse(port, &addr));
    assert_int_equal(addr, s.gateway + 1);
    static const char *const foreign[] = {"ng", "eth0", "ng0a5a000", "ng0a5a00021", "ng0a5a000g"};
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
        assert_false(net_spec_port_parse(foreign[i], &addr));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_env_order), cmocka_unit_test(test_env_missing),
        cmocka_unit_test(test_users),     cmocka_unit_test(test_args),
        cmocka_unit_test(test_isolation), cmocka_unit_test(test_qos),
        cmocka_unit_test(test_volumes),   cmocka_unit_test(test_volume_escapes),
        cmocka_unit_test(test_ipam),      cmocka_unit_test(test_timing),
        cmocka_unit_test(test_phase),     cmocka_unit_test(test_patch_keeps_times),
        cmocka_unit_test(test_drain),     cmocka_unit_test(test_grace),
        cmocka_unit_test(test_hostname),  cmocka_unit_test(test_net_names),
    };
    return cmocka_run_group_tests(tests, make_objects, free_objects);
}
