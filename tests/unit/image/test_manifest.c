/* Manifests, indexes, configurations, pull secrets and challenges: what is read, and what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cluster/image/auth.h"
#include "cluster/image/manifest.h"
#include "cluster/image/registry.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static yyjson_doc *parse(const char *text)
{
    yyjson_doc *d = json_parse(text, strlen(text), NULL);

    assert_non_null(d);
    return d;
}

static void reads_a_manifest(void **state)
{
    static struct manifest m;
    yyjson_doc *d = parse("{\"schemaVersion\":2,\"config\":{\"digest\":\"" A
                          "\",\"size\":7},\"layers\":[{\"digest\":\"" B
                          "\",\"size\":5},{\"digest\":\"" C "\",\"size\":6}]}");

    assert_int_equal(manifest_read(yyjson_doc_get_root(d), &m, NULL), 0);
    assert_int_equal(m.n_layers, 2);
    assert_string_equal(m.config.digest, A);
    assert_string_equal(m.layers[1].digest, C);
    assert_int_equal(m.layers[1].size, 6);
    yyjson_doc_free(d);
}

static void refuses_bad_manifests(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"schemaVersion\":1,\"layers\":[]}",
        "{\"schemaVersion\":2,\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:../../etc/"
        "passwd\",\"size\":1},\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\"},\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":-1},\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":99999999},\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":1},\"layers\":[{}]}",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A
        "\",\"size\":1},\"layers\":[{\"digest\":\"" B "\",\"size\":99999999999999}]}",
    };
    static struct manifest m;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        yyjson_doc *d = parse(texts[i]);
        assert_true(manifest_read(yyjson_doc_get_root(d), &m, &e) < 0);
        assert_true(e.msg[0]);
        yyjson_doc_free(d);
    }
}

static void chooses_the_platform(void **state)
{
    struct descriptor got;
    struct err e = {0};
    yyjson_doc *d = parse("{\"manifests\":[{\"digest\":\"" A
                          "\",\"size\":1,\"platform\":{\"os\":\"windows\",\"architecture\":"
                          "\"amd64\"}},{\"digest\":\"" B
                          "\",\"size\":2,\"platform\":{\"os\":\"linux\",\"architecture\":"
                          "\"arm64\"}},{\"digest\":\"" C
                          "\",\"size\":3,\"platform\":{\"os\":\"linux\",\"architecture\":"
                          "\"amd64\"}}]}");
    yyjson_val *root = yyjson_doc_get_root(d);

    assert_true(manifest_is_index(root));
    assert_int_equal(manifest_choose(root, "amd64", &got, &e), 0);
    assert_string_equal(got.digest, C);
    assert_int_equal(manifest_choose(root, "arm64", &got, &e), 0);
    assert_string_equal(got.digest, B);
    assert_int_equal(manifest_choose(root, "riscv64", &got, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "windows/amd64, linux/arm64"));
    yyjson_doc_free(d);
    d = parse("{\"manifests\":[{\"digest\":\"" A "\",\"size\":1}]}");
    assert_int_equal(manifest_choose(yyjson_doc_get_root(d), "amd64", &got, &e), 0);
    yyjson_doc_free(d);
    d = parse("{\"manifests\":[]}");
    assert_int_equal(manifest_choose(yyjson_doc_get_root(d), "amd64", &got, &e), -ENOENT);
    yyjson_doc_free(d);
}

static void diff_ids_must_fit(void **state)
{
    const char *ids[LIMIT_IMAGE_LAYERS];
    yyjson_doc *d = parse("{\"rootfs\":{\"diff_ids\":[\"" A "\",\"" B "\"]}}"),
               *bad = parse("{\"rootfs\":{\"diff_ids\":[\"x\"]}}");

    assert_int_equal(manifest_diff_ids(yyjson_doc_get_root(d), 2, ids, NULL), 0);
    assert_string_equal(ids[1], B);
    assert_int_equal(manifest_diff_ids(yyjson_doc_get_root(d), 1, ids, NULL), -EBADMSG);
    assert_int_equal(manifest_diff_ids(yyjson_doc_get_root(d), 1000, ids, NULL), -EBADMSG);
    assert_int_equal(manifest_diff_ids(yyjson_doc_get_root(bad), 1, ids, NULL), -EBADMSG);
    assert_int_equal(manifest_diff_ids(NULL, 0, ids, NULL), -EBADMSG);
    yyjson_doc_free(d);
    yyjson_doc_free(bad);
}

static void reads_pull_secrets(void **state)
{
    struct image_auth *a;
    size_t n;
    struct err e = {0};

    assert_int_equal(
        image_auths_parse("{\"auths\":{\"a.io\":{\"username\":\"u\",\"password\":\"p\"},"
                          "\"b.io\":{\"auth\":\"dXNlcjpwYTpzcw==\"},\"c.io\":{}}}",
                          &a, &n, &e),
        0);
    assert_int_equal(n, 2);
    assert_string_equal(a[0].registry, "a.io");
    assert_string_equal(a[1].username, "user");
    assert_string_equal(a[1].password, "pa:ss");
    image_auths_free(a, n);
    static const char *const bad[] = {"",
                                      "{}",
                                      "{\"auths\":[]}",
                                      "{\"auths\":{\"x\":{\"auth\":\"%%%\"}}}",
                                      "{\"auths\":{\"x\":{\"auth\":\"bm9jb2xvbg==\"}}}",
                                      "{\"auths\":{\"x\":{\"auth\":\"====\"}}}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(image_auths_parse(bad[i], &a, &n, &e) < 0);
}

static void matches_credentials(void **state)
{
    struct image_ref hub, gcr;

    assert_int_equal(image_ref_parse("nginx", &hub, NULL), 0);
    assert_int_equal(image_ref_parse("eu.gcr.io/proj/app", &gcr, NULL), 0);
    assert_true(auth_match("https://index.docker.io/v1/", &hub) > 0);
    assert_true(auth_match("docker.io", &hub) > 0);
    assert_true(auth_match("gcr.io", &hub) == 0);
    assert_true(auth_match("*.gcr.io", &gcr) > 0);
    assert_true(auth_match("*.io", &gcr) == 0);
    assert_true(auth_match("eu.gcr.io/proj", &gcr) > auth_match("eu.gcr.io", &gcr));
    assert_true(auth_match("eu.gcr.io/pro", &gcr) == 0);
    assert_true(auth_match("EU.gcr.io", &gcr) > 0);
}

static void reads_challenges(void **state)
{
    struct auth_challenge c = {0};

    auth_challenge_add(
        &c,
        STR("Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope="
            "\"repository:library/nginx:pull\", error=\"x\\\"y\""));
    assert_true(c.bearer && !c.basic);
    assert_string_equal(c.realm, "https://auth.docker.io/token");
    assert_string_equal(c.service, "registry.docker.io");
    assert_string_equal(c.scope, "repository:library/nginx:pull");
    auth_challenge_add(&c, STR("basic realm=other"));
    assert_true(c.basic);
    assert_string_equal(c.realm, "https://auth.docker.io/token");
    memset(&c, 0, sizeof(c));
    auth_challenge_add(&c, STR("Bearer realm=\"unterminated"));
    auth_challenge_add(&c, STR("=,=,\"\""));
    auth_challenge_add(&c, STR(""));
    assert_true(c.bearer);
}

static void knows_plain_registries(void **state)
{
    static const char *const plain[] = {"localhost",  "localhost:5000", "127.0.0.1:5000",
                                        "[::1]:5000", "my.local:80",    "reg:5000",
                                        "other.io"};
    static const char *const secure[] = {"index.docker.io", "localhost.example.com",
                                         "gcr.io",          "reg.io:5000",
                                         "local",           "127.0.0.1.evil.io"};

    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        assert_true(registry_is_plain_http(plain[i], "reg:5000, other.io"));
    for (size_t i = 0; i < ARRAY_LEN(secure); i++)
        assert_false(registry_is_plain_http(secure[i], "reg:5000, other.io"));
    assert_false(registry_is_plain_http("reg:5000", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_manifest),     cmocka_unit_test(refuses_bad_manifests),
        cmocka_unit_test(chooses_the_platform), cmocka_unit_test(diff_ids_must_fit),
        cmocka_unit_test(reads_pull_secrets),   cmocka_unit_test(matches_credentials),
        cmocka_unit_test(reads_challenges),     cmocka_unit_test(knows_plain_registries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
