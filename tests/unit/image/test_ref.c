/* References by Docker's rules: defaults, what is a registry, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cluster/image/image.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void good_references(void **state)
{
    static const struct {
        const char *text, *full, *tag;
    } cases[] = {
        {"nginx", "index.docker.io/library/nginx:latest", "latest"},
        {"nginx:1.25", "index.docker.io/library/nginx:1.25", "1.25"},
        {"user/app", "index.docker.io/user/app:latest", "latest"},
        {"docker.io/nginx", "index.docker.io/library/nginx:latest", "latest"},
        {"docker.io/library/nginx", "index.docker.io/library/nginx:latest", "latest"},
        {"index.docker.io/nginx", "index.docker.io/library/nginx:latest", "latest"},
        {"gcr.io/proj/app:v1", "gcr.io/proj/app:v1", "v1"},
        {"localhost/app", "localhost/app:latest", "latest"},
        {"localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x", "x"},
        {"127.0.0.1:5000/app", "127.0.0.1:5000/app:latest", "latest"},
        {"[::1]:5000/app:v2", "[::1]:5000/app:v2", "v2"},
        {"host:5000/app", "host:5000/app:latest", "latest"},
        {"dev.local/hello", "dev.local/hello:latest", "latest"},
        {"a.b_c__d---e/x.y", "a.b_c__d---e/x.y:latest", NULL},
        {"app@sha256:" HEX, "index.docker.io/library/app@sha256:" HEX, ""},
        {"app:v1@sha256:" HEX, "index.docker.io/library/app@sha256:" HEX, "v1"},
        {"gcr.io/app:V_1.0-x", "gcr.io/app:V_1.0-x", "V_1.0-x"},
    };
    char full[700];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct image_ref r;
        struct err e = {0};
        int rc = image_ref_parse(cases[i].text, &r, &e);
        if (!cases[i].tag) {
            assert_int_equal(rc, -EINVAL); /* "_" is no part of a host name */
            continue;
        }
        if (rc)
            print_error("%s: %s\n", cases[i].text, e.msg);
        assert_int_equal(rc, 0);
        image_ref_format(&r, full, sizeof(full));
        assert_string_equal(full, cases[i].full);
        assert_string_equal(r.tag, cases[i].tag);
    }
}

static void bad_references(void **state)
{
    static const char *const cases[] = {
        "",
        ":tag",
        "app:",
        "App",
        "app:ta g",
        "app:-x",
        "/app",
        "app/",
        "a//b",
        "app@sha256:1234",
        "app@md5:" HEX,
        "app@sha256:" HEX "0",
        "http://gcr.io/app",
        "gcr.io:99999/app",
        "gcr.io:0/app",
        "gcr.io:/app",
        "-app",
        "app-",
        "a___b",
        "a..b",
        "a._b",
        "../etc",
        "x.y/../z",
        "[::1/app",
        "gcr.io/",
        "app\n",
        "gcr.io/a%2fb",
        "app@",
        "@",
        "u@h/app",
        "[]:5000/app",
        "[::1]x/app",
    };
    struct image_ref r;
    char longer[400];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = {0};
        int rc = image_ref_parse(cases[i], &r, &e);
        if (rc != -EINVAL)
            print_error("accepted: \"%s\"\n", cases[i]);
        assert_int_equal(rc, -EINVAL);
        assert_true(e.msg[0]);
    }
    memset(longer, 'a', sizeof(longer));
    longer[399] = '\0';
    assert_int_equal(image_ref_parse(longer, &r, NULL), -EINVAL);
    longer[255] = '\0';
    assert_int_equal(image_ref_parse(longer, &r, NULL), -EINVAL); /* too long with library/ */
    longer[240] = '\0';
    assert_int_equal(image_ref_parse(longer, &r, NULL), 0);
    assert_int_equal(image_ref_parse(NULL, &r, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_references),
                                       cmocka_unit_test(bad_references)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
