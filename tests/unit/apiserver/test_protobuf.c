/* Bodies as client-go's generated clients send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/buf.h"
#include "cluster/apiserver/kinds/protobuf.h"

/* What kubectl create configmap x --from-literal=a=b sends. */
static const char config_map[] = "k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\x1b\n\x11\n\x01x\x12\0\x1a"
                                 "\0\"\0*\0002\0008\0B\0\x12\x06\n"
                                 "\x01"
                                 "a\x12\x01"
                                 "b\x1a\0\"\0";
static const char deployment[] =
    "k8s\0\n\x15\n\x07"
    "apps/v1\x12\nDeployment\x12\x9b\x01\n\x1b\n\x01"
    "d\x12\0\x1a\0\"\0*\0002\0008\0B\0Z\x08\n\x03"
    "app\x12\x01"
    "d\x12n\x08\x01\x12\n\n\x08\n\x03"
    "app\x12\x01"
    "d\x1aV\n\x1a\n\0\x12\0\x1a\0\"\0*\0002\0008\0B\0Z\x08\n\x03"
    "app\x12\x01"
    "d\x12"
    "8\x12\x1a\n\x01x\x12\x01x*"
    "\0B\0j\0r\0\x80\x01\0\x88\x01\0\x90\x01\0\xa2\x01\0\x1a\0002\0B\0J\0R"
    "\0X\0`\0h\0\x82\x01\0\x8a\x01\0\x9a\x01\0\xc2\x01\0\"\x02\n\0("
    "\0008\0\x1a\x0c\x08\0\x10\0\x18\0 "
    "\0(\0008\0\x1a\0\"\0";

static void check(const char *p, size_t n, const char *want)
{
    struct err e = {0};
    _cleanup_jdoc_ yyjson_doc *d = protobuf_decode(p, n, &e);

    if (!d)
        fail_msg("%s", e.msg);
    _cleanup_free_ char *text = json_text(yyjson_doc_get_root(d), NULL);

    assert_string_equal(text, want);
}

static void test_real_bodies(void **state)
{
    check(config_map, sizeof(config_map) - 1,
          "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"},\"data\":{"
          "\"a\":"
          "\"b\"}}");
    check(deployment, sizeof(deployment) - 1,
          "{\"apiVersion\":\"apps/"
          "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\",\"labels\":{"
          "\"app\":\"d\"}},\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"d\"}},"
          "\"template\":{\"metadata\":{\"labels\":{\"app\":\"d\"}},\"spec\":{\"containers\":[{"
          "\"name\":"
          "\"x\",\"image\":\"x\"}]}}}}");
}

static void test_every_cut(void **state)
{
    for (size_t n = 0; n + 1 < sizeof(deployment); n++) {
        _cleanup_free_ char *cut = xmemdup(deployment, n ? n : 1);
        struct err e = {0};
        yyjson_doc *d = protobuf_decode(cut, n, &e);

        if (!d)
            assert_true(e.code < 0 && e.msg[0]);
        yyjson_doc_free(d);
    }
}

static const char *api_of(const char *kind)
{
    static const char *const others[][2] = {
        {"CustomResourceDefinition", "apiextensions.k8s.io/v1"},
        {"Scale", "autoscaling/v1"},
        {"Lease", "coordination.k8s.io/v1"},
        {"Deployment", "apps/v1"},
        {"EndpointSlice", "discovery.k8s.io/v1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (streq(kind, others[i][0]))
            return others[i][1];
    return "v1";
}

/* A body of kind with these bytes as its object. */
static yyjson_doc *decode(const char *kind, const char *raw, size_t n, struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);

    buf_add(&b, "k8s", 4);
    const char *api = api_of(kind);

    buf_addf(&b, "\n%c\n%c%s\x12%c%s\x12%c", (int)(4 + strlen(api) + strlen(kind)),
             (int)strlen(api), api, (int)strlen(kind), kind, (int)n);
    buf_add(&b, raw, n);
    return protobuf_decode(b.p, b.n, e);
}

static void test_values(void **state)
{
    static const struct {
        const char *kind, *raw;
        size_t n;
        const char *want;
    } rows[] = {
        /* a pointer's zero is a value; a plain zero is not */
        {"DeleteOptions",
         "\x08\0\"\x0a"
         "Background",
         14, "\"gracePeriodSeconds\":0,\"propagationPolicy\":\"Background\"}"},
        {"Secret", "\x12\x09\n\x01k\x12\x04\0\x01\xff\xfe", 11, "\"data\":{\"k\":\"AAH//g==\"}}"},
        {"Secret", "\x12\x03\n\x01k", 5, "\"data\":{\"k\":\"\"}}"},
        {"Service", "\x12\x0a\n\x08\x18P\"\x04\x08\x01\x1a\0", 12,
         "\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":\"\"}]}}"},
        {"Service", "\x12\x0a\n\x08\x18P\"\x04\x08\0\x10Q", 12,
         "\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":81}]}}"},
        {"ConfigMap", "\n\x04\x42\x02\x08\x01", 6,
         "\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:00:01Z\"}}"},
        {"ConfigMap", "\x20\0", 2, "\"immutable\":false}"},
        {"Pod", "\x12\x0d\n\x0b\n\x01v\x12\x06\x12\x04\n\0\x12\0", 15,
         "\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}"},
        /* what the tables of today have and those of yesterday had not */
        {"CustomResourceDefinition",
         "\x12"
         "\x26"
         "\x3a"
         "\x24"
         "\x22"
         "\x22"
         "\x0a"
         "\x20"
         "\xf2"
         "\x01"
         "\x02"
         "\x08"
         "\x01"
         "\x42"
         "\x03"
         "\x0a"
         "\x01"
         "\x35"
         "\x49"
         "\x00"
         "\x00"
         "\x00"
         "\x00"
         "\x00"
         "\x00"
         "\x00"
         "\x40"
         "\xc2"
         "\x01"
         "\x0a"
         "\x0a"
         "\x08"
         "\x2a"
         "\x06"
         "\x73"
         "\x74"
         "\x72"
         "\x69"
         "\x6e"
         "\x67"
         "",
         40,
         "\"spec\":{\"versions\":[{\"schema\":{\"openAPIV3Schema\":{\"additionalProperties\":true,"
         "\"default\":5,\"maximum\":2.0,\"items\":{\"type\":\"string\"}}}}]}}"},
        {"Node",
         "\x12"
         "\x04"
         "\x1a"
         "\x02"
         "\x69"
         "\x64"
         "\x1a"
         "\x04"
         "\x1a"
         "\x02"
         "\x75"
         "\x70"
         "",
         12, "\"spec\":{\"providerID\":\"id\"},\"status\":{\"phase\":\"up\"}}"},
        {"Scale",
         "\x12"
         "\x02"
         "\x08"
         "\x03"
         "",
         4, "\"spec\":{\"replicas\":3}}"},
        {"Event",
         "\x5a"
         "\x02"
         "\x08"
         "\x03"
         "",
         4, "\"series\":{\"count\":3}}"},
        {"Lease",
         "\x12"
         "\x04"
         "\x32"
         "\x02"
         "\x73"
         "\x31"
         "",
         6, "\"spec\":{\"strategy\":\"s1\"}}"},
        {"Deployment",
         "\x1a"
         "\x02"
         "\x08"
         "\x03"
         "",
         4, "\"status\":{\"observedGeneration\":3}}"},
        {"Service",
         "\x12"
         "\x07"
         "\x72"
         "\x05"
         "\x0a"
         "\x03"
         "\x08"
         "\x90"
         "\x4e"
         "",
         9, "\"spec\":{\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":10000}}}}"},
        {"EndpointSlice",
         "\x22"
         "\x04"
         "\x49"
         "\x50"
         "\x76"
         "\x34"
         "",
         6, "\"addressType\":\"IPv4\"}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        _cleanup_jdoc_ yyjson_doc *d = decode(rows[i].kind, rows[i].raw, rows[i].n, &e);

        if (!d)
            fail_msg("row %zu: %s", i, e.msg);
        _cleanup_free_ char *text = json_text(yyjson_doc_get_root(d), NULL);
        const char *body = strchr(strstr(text, "\"kind\":\""), ',');

        assert_string_equal(body + 1, rows[i].want);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *kind, *raw;
        size_t n;
        int code;
    } rows[] = {
        {"Widget", "", 0, -ENOTSUP},
        {"ConfigMap", "\x78\x01", 2, -EINVAL}, /* a field that no table has, set */
        {"ConfigMap", "\x08\x01", 2, -EINVAL}, /* metadata as a number */
        {"ConfigMap", "\n\x7f", 2, -EINVAL},
        {"ConfigMap", "\x0b", 1, -EINVAL},
        {"ConfigMap",
         "\n\x05\n\x03"
         "a\0b",
         7, -EINVAL}, /* NUL in a string */
        {"ConfigMap", "\n\x08\x42\x06\x08\xff\xff\xff\xff\x7f", 10, -EINVAL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};

        assert_null(decode(rows[i].kind, rows[i].raw, rows[i].n, &e));
        assert_true(e.msg[0]);
        if (rows[i].code == -ENOTSUP)
            assert_int_equal(e.code, -ENOTSUP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_bodies),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
