/* Structural schemas, JSON paths and the stored form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/apiserver/kinds/canon.h"
#include "cluster/apiserver/schema/jsonpath.h"
#include "cluster/apiserver/schema/schema.h"
#include "cluster/apiserver/schema/tree.h"

/* ---- schemas ---- */
struct fixture {
    yyjson_doc *text;
    struct schema *s;
};

static struct fixture compile(const char *text)
{
    _cleanup_errors_ struct field_errors errs = {0};
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    struct fixture f = {json_parse(text, strlen(text), NULL), NULL};

    assert_non_null(f.text);
    f.s = schema_compile(yyjson_doc_get_root(f.text), &path, &errs);
    if (!f.s)
        fail_msg("%s: %s", errs.v.p[0].path, errs.v.p[0].text);
    return f;
}

static void done(struct fixture *f)
{
    schema_free(f->s);
    yyjson_doc_free(f->text);
}

static void count(void *ctx, const char *path)
{
    ++*(size_t *)ctx;
}

/* Prunes and defaults `in`; the text that comes out is the caller's. */
static char *shaped(const struct fixture *f, const char *in, size_t *ret_unknown)
{
    _cleanup_jdoc_ yyjson_doc *d = json_parse(in, strlen(in), NULL);
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_doc_mut_copy(d, NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(m);

    *ret_unknown = 0;
    schema_prune(f->s, root, count, ret_unknown);
    schema_default(f->s, m, root);
    return json_mut_text(root, NULL);
}

static const char shape_schema[] =
    "{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"default\":{},"
    "\"properties\":{"
    "\"a\":{\"type\":\"string\",\"default\":\"x\"},"
    "\"n\":{\"type\":\"string\",\"nullable\":true,\"default\":\"y\"},"
    "\"free\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true,"
    "\"properties\":{\"b\":{\"type\":\"object\",\"properties\":{}}}},"
    "\"map\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\","
    "\"properties\":{\"d\":{\"type\":\"integer\",\"default\":1}}}},"
    "\"list\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"d\":{\"type\":"
    "\"integer\",\"default\":2}}}},"
    "\"raw\":{\"type\":\"object\",\"x-kubernetes-embedded-resource\":true,"
    "\"properties\":{\"spec\":{\"type\":\"object\"}}}}}}}";

static void test_prune_and_default(void **state)
{
    static const struct {
        const char *in, *out;
        size_t unknown;
    } rows[] = {
        {"{}", "{\"spec\":{\"a\":\"x\",\"n\":\"y\"}}", 0},
        {"{\"kind\":\"K\",\"metadata\":{\"q\":1},\"zz\":1,\"spec\":{\"a\":\"b\",\"n\":null,\"u\":2}"
         "}",
         "{\"kind\":\"K\",\"metadata\":{\"q\":1},\"spec\":{\"a\":\"b\",\"n\":null}}", 2},
        {"{\"spec\":{\"a\":null,\"n\":\"v\"}}", "{\"spec\":{\"a\":\"x\",\"n\":\"v\"}}", 0},
        {"{\"spec\":{\"a\":\"\",\"n\":\"\",\"free\":{\"x\":{\"y\":1},\"b\":{\"c\":1}}}}",
         "{\"spec\":{\"a\":\"\",\"n\":\"\",\"free\":{\"x\":{\"y\":1},\"b\":{}}}}", 1},
        {"{\"spec\":{\"a\":\"\",\"n\":\"\",\"map\":{\"k\":{\"e\":1}},\"list\":[{},{\"d\":5}]}}",
         "{\"spec\":{\"a\":\"\",\"n\":\"\",\"map\":{\"k\":{\"d\":1}},\"list\":[{\"d\":2},{\"d\":5}]"
         "}}",
         1},
        {"{\"spec\":{\"a\":\"\",\"n\":\"\",\"raw\":{\"apiVersion\":\"v1\",\"kind\":\"P\","
         "\"metadata\":"
         "{\"name\":\"x\"},\"other\":1}}}",
         "{\"spec\":{\"a\":\"\",\"n\":\"\",\"raw\":{\"apiVersion\":\"v1\",\"kind\":\"P\","
         "\"metadata\":"
         "{\"name\":\"x\"}}}}",
         1},
    };
    struct fixture f = compile(shape_schema);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t unknown;
        _cleanup_free_ char *out = shaped(&f, rows[i].in, &unknown);

        assert_string_equal(out, rows[i].out);
        assert_int_equal(unknown, rows[i].unknown);
    }
    done(&f);
}

/* The first error as "PATH: TEXT", or "". */
static char *verdict(const char *schema, const char *object)
{
    _cleanup_errors_ struct field_errors errs = {0};
    struct fixture f = compile(schema);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object, strlen(object), NULL);
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_doc_mut_copy(d, NULL);

    schema_validate(f.s, yyjson_mut_doc_get_root(m), &errs);
    done(&f);
    return errs.v.n ? xasprintf("%s: %s", errs.v.p[0].path, errs.v.p[0].text) : xstrdup("");
}

#define FIELD(schema) "{\"type\":\"object\",\"properties\":{\"f\":" schema "}}"

static void test_validate(void **state)
{
    static const struct {
        const char *schema, *object, *want;
    } rows[] = {
        {FIELD("{\"type\":\"string\"}"), "{\"f\":\"x\"}", ""},
        {FIELD("{\"type\":\"string\"}"), "{\"f\":null}",
         "f: Invalid value: \"null\": f in body must be of type string: \"null\""},
        {FIELD("{\"type\":\"string\",\"nullable\":true}"), "{\"f\":null}", ""},
        {FIELD("{\"type\":\"number\"}"), "{\"f\":1}", ""},
        {FIELD("{\"type\":\"integer\"}"), "{\"f\":1.0}", ""},
        {FIELD("{\"type\":\"integer\"}"), "{\"f\":1.5}",
         "f: Invalid value: \"number\": f in body must be of type integer: \"number\""},
        {FIELD("{\"type\":\"integer\",\"format\":\"int32\"}"), "{\"f\":3000000000}",
         "f: Invalid value: 3000000000: f in body must be of type int32"},
        {FIELD("{\"type\":\"integer\",\"minimum\":3,\"exclusiveMinimum\":true}"), "{\"f\":3}",
         "f: Invalid value: 3: f in body should be greater than 3"},
        {FIELD("{\"type\":\"number\",\"multipleOf\":0.5}"), "{\"f\":0.7}",
         "f: Invalid value: 0.7: f in body should be a multiple of 0.5"},
        {FIELD("{\"type\":\"string\",\"minLength\":2}"), "{\"f\":\"\xc3\xa9\"}",
         "f: Invalid value: \"\xc3\xa9\": f in body should be at least 2 chars long"},
        {FIELD("{\"type\":\"string\",\"format\":\"date-time\"}"), "{\"f\":\"now\"}",
         "f: Invalid value: \"now\": f in body must be of type date-time: \"now\""},
        {FIELD("{\"type\":\"string\",\"format\":\"date-time\"}"),
         "{\"f\":\"2026-01-02T03:04:05Z\"}", ""},
        {FIELD("{\"type\":\"string\",\"format\":\"byte\"}"), "{\"f\":\"aGk=\"}", ""},
        {FIELD("{\"type\":\"array\",\"maxItems\":1,\"items\":{\"type\":\"string\"}}"),
         "{\"f\":[\"a\",\"b\"]}", "f: Too many: 2: must have at most 1 items"},
        {FIELD("{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\"}}"), "{\"f\":[]}",
         "f: Invalid value: 0: f in body should have at least 1 items"},
        {FIELD("{\"type\":\"array\",\"x-kubernetes-list-type\":\"set\",\"items\":{\"type\":"
               "\"string\"}}"),
         "{\"f\":[\"a\",\"a\"]}", "f[1]: Duplicate value: \"a\""},
        {FIELD("{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"), "{\"f\":[1]}",
         "f[0]: Invalid value: \"integer\": f[0] in body must be of type string: \"integer\""},
        {FIELD("{\"type\":\"object\",\"minProperties\":1}"), "{\"f\":{}}",
         "f: Invalid value: 0: f in body should have at least 1 properties"},
        {FIELD("{\"enum\":[1,\"a\",null]}"), "{\"f\":\"a\"}", ""},
        {FIELD("{\"type\":\"string\",\"enum\":[\"a\"]}"), "{\"f\":\"b\"}",
         "f: Unsupported value: \"b\": supported values: \"a\""},
        {FIELD("{\"x-kubernetes-int-or-string\":true}"), "{\"f\":\"80%\"}", ""},
        {FIELD("{\"x-kubernetes-int-or-string\":true}"), "{\"f\":true}",
         "f: Invalid value: \"boolean\": f in body must be of type integer,string: \"boolean\""},
        {FIELD("{\"type\":\"integer\",\"oneOf\":[{\"minimum\":5},{\"maximum\":1}]}"), "{\"f\":3}",
         "f: Invalid value: \"\": \"f\" must validate one and only one schema (oneOf)"},
        {FIELD("{\"type\":\"integer\",\"anyOf\":[{\"minimum\":5},{\"maximum\":1}]}"), "{\"f\":9}",
         ""},
        {FIELD("{\"type\":\"integer\",\"not\":{\"enum\":[3]}}"), "{\"f\":3}",
         "f: Invalid value: \"\": \"f\" must not validate the schema (not)"},
        {FIELD("{\"type\":\"object\",\"x-kubernetes-embedded-resource\":true}"), "{\"f\":{}}",
         "f.apiVersion: Required value: must not be empty"},
        {"{\"type\":\"object\",\"required\":[\"g\"]}", "{}", "g: Required value"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = verdict(rows[i].schema, rows[i].object);

        assert_string_equal(got, rows[i].want);
    }
}

static void test_schema_refused(void **state)
{
    static const char *const rows[] = {
        "{\"type\":\"strange\"}",
        "{\"$ref\":\"#/x\"}",
        "{\"type\":\"string\",\"pattern\":\"a++\"}",
        "{\"type\":\"string\",\"pattern\":\"^(a{1,1000}){1,100}$\"}",
        "{\"type\":\"string\",\"pattern\":5}",
        "{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\"}",
        "{\"type\":\"object\",\"properties\":{\"a\":5}}",
        "{\"type\":\"array\",\"uniqueItems\":true}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_errors_ struct field_errors errs = {0};
        _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
        _cleanup_jdoc_ yyjson_doc *d = json_parse(rows[i], strlen(rows[i]), NULL);

        assert_null(schema_compile(yyjson_doc_get_root(d), &path, &errs));
        assert_true(errs.v.n > 0);
    }
}

/* ---- formats ---- */
static void test_formats(void **state)
{
    static const struct {
        const char *format, *yes[5], *no[6];
    } rows[] = {
        {"date-time", {"2026-01-02T03:04:05Z"}, {"2026-01-02", ""}},
        {"date", {"2026-01-02"}, {"2026-13-02", "2026-1-2", "x"}},
        {"duration",
         {"1h30m", "1.5s", "3 days", "0", "-1ms"},
         {"", "1", "h", "1x", ".s"}},
        {"byte", {"QQ=="}, {"Q"}},
        {"ipv4", {"1.2.3.4"}, {"1.2.3", "::1", "1.2.3.256", "1.2.3.4/8"}},
        {"ipv6", {"::1", "2001:db8::"}, {"1.2.3.4", "g::"}},
        {"cidr", {"10.0.0.0/8", "::/0"}, {"10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0.0/-1"}},
        {"mac",
         {"01:23:45:67:89:ab", "01-23-45-67-89-AB", "0123.4567.89ab"},
         {"01:23:45", "01:23:45:67:89:zz", "01:23-45:67:89:ab", ""}},
        {"hostname", {"a.b", "a-b.c.", "x"}, {"", "-a", "a..b", "a b"}},
        {"uri", {"http://a/b?c#d", "/a", "mailto:x"}, {"a", "http://a b", ":", "/%zz", ""}},
        {"email", {"a@b.c"}, {"a", "@b", "a@", "a b@c", "a@b@c"}},
        {"uuid",
         {"12345678-1234-1234-1234-123456789abc", "12345678123412341234123456789ABC"},
         {"12345678-1234-1234-1234-123456789ab", "x", ""}},
        {"uuid4",
         {"12345678-1234-4234-8234-123456789abc"},
         {"12345678-1234-3234-8234-123456789abc", "12345678-1234-4234-c234-123456789abc"}},
        {"hexcolor", {"#fff", "a0b1c2"}, {"#ff", "ggg"}},
        {"rgbcolor", {"rgb(1,2,255)"}, {"rgb(1,2,256)", "rgb(1,2)", "rgb(1,2,3)x"}},
        {"bsonobjectid", {"507f1f77bcf86cd799439011"}, {"507f"}},
    };

    assert_null(string_format_find("password"));
    assert_null(string_format_find(NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct string_format *f = string_format_find(rows[i].format);

        assert_non_null(f);
        for (size_t k = 0; k < 5 && rows[i].yes[k]; k++)
            if (!f->fits(rows[i].yes[k]))
                fail_msg("\"%s\" is a %s", rows[i].yes[k], f->name);
        for (size_t k = 0; k < 6 && rows[i].no[k]; k++)
            if (f->fits(rows[i].no[k]))
                fail_msg("\"%s\" is no %s", rows[i].no[k], f->name);
    }
}

/* ---- JSON paths ---- */
static void test_jsonpath(void **state)
{
    static const char object[] =
        "{\"a\":{\"b.c/"
        "d\":\"dotted\",\"list\":[{\"type\":\"X\",\"v\":1},{\"type\":\"Ready\",\"v\":2}]},"
        "\"n\":5}";
    static const struct {
        const char *path, *want;
    } rows[] = {
        {".n", "5"},
        {"{.n}", "5"},
        {"$.n", "5"},
        {".a['b\\.c/d']", "\"dotted\""},
        {".a.b\\.c/d", "\"dotted\""},
        {".a.list[0].v", "1"},
        {".a.list[-1].v", "2"},
        {".a.list[9].v", ""},
        {".a.list[*].v", "1"},
        {".a.list[?(@.type=='Ready')].v", "2"},
        {".a.list[?(@.type==\"Ready\")].v", "2"},
        {".a.list[?(@.type!='X')].v", "2"},
        {".a.list[?(@.v==2)].type", "\"Ready\""},
        {".a.nothing.here", ""},
        {".n.b", ""},
    };
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object, sizeof(object) - 1, NULL);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        _cleanup_(jsonpath_freep) struct jsonpath *p = jsonpath_parse(rows[i].path, &e);

        if (!p)
            fail_msg("%s", e.msg);
        yyjson_val *v = jsonpath_first(p, yyjson_doc_get_root(d));
        _cleanup_free_ char *text = v ? json_text(v, NULL) : xstrdup("");

        assert_string_equal(text, rows[i].want);
    }
}

static void test_jsonpath_refused(void **state)
{
    static const char *const rows[] = {"a",        ".a..b",        ".a[",          ".a['x",
                                       ".a[?(x)]", ".a[?(@.b>1)]", ".a[?(@.b==1)", "{.a",
                                       ".a[1:2]",  ".a]"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};

        assert_null(jsonpath_parse(rows[i], &e));
        assert_true(e.msg[0]);
    }
}

/* ---- the stored form ---- */
static void test_canon(void **state)
{
    static const char in[] = "{\"spec\":{\"x\":1},\"metadata\":{\"name\":\"n\",\"resourceVersion\":"
                             "\"7\"},\"kind\":\"K\",\"apiVersion\":\"g/v1\"}";
    struct kobj *o = kobj_parse(in, sizeof(in) - 1, NULL);
    struct kmut *m = kmut_from(o);
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    struct str text;
    size_t n;
    _cleanup_free_ char *p = canon_text(m, &text.n), *q = NULL;

    text.p = p;
    q = canon_with_rev(text, 4711, &n);
    assert_string_equal(q,
                        "{\"apiVersion\":\"g/v1\",\"kind\":\"K\",\"metadata\":{\"resourceVersion\":"
                        "\"4711\",\"name\":\"n\"},\"spec\":{\"x\":1}}");
    assert_int_equal(n, strlen(q));
    canon_add_as(&b, (struct str){q, n}, "g/v2");
    assert_memory_equal(buf_z(&b), "{\"apiVersion\":\"g/v2\",\"kind\":\"K\"", 31);
    kmut_free(m);
    kobj_unref(o);
}

static void on_dup(void *ctx, const char *path)
{
    struct buf *b = ctx;

    buf_addf(b, "%s ", path);
}

static void test_unique(void **state)
{
    static const char in[] = "{\"a\":1,\"b\":{\"c\":1,\"c\":2},\"a\":[{\"d\":1,\"d\":3}]}";
    _cleanup_jdoc_ yyjson_doc *d = json_parse(in, sizeof(in) - 1, NULL);
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_doc_mut_copy(d, NULL);
    _cleanup_buf_ struct buf b = BUF_INIT(4096);

    tree_unique(yyjson_mut_doc_get_root(m), on_dup, &b);
    _cleanup_free_ char *out = json_mut_text(yyjson_mut_doc_get_root(m), NULL);

    assert_string_equal(out, "{\"b\":{\"c\":2},\"a\":[{\"d\":3}]}");
    assert_string_equal(buf_z(&b), "a b.c a[0].d ");
}

static void test_equal(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1.0}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
        {"[1,2]", "[2,1]", false},
        {"\"a\"", "\"b\"", false},
        {"{\"a\":-1}", "{\"a\":18446744073709551615}", false},
        {"{\"a\":{}}", "{\"a\":[]}", false},
        {"null", "false", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_jdoc_ yyjson_doc *a = json_parse(rows[i].a, strlen(rows[i].a), NULL);
        _cleanup_jdoc_ yyjson_doc *b = json_parse(rows[i].b, strlen(rows[i].b), NULL);
        _cleanup_jmut_ yyjson_mut_doc *m = yyjson_doc_mut_copy(a, NULL);
        _cleanup_jmut_ yyjson_mut_doc *m2 = yyjson_doc_mut_copy(b, NULL);

        assert_int_equal(tree_equal(yyjson_mut_doc_get_root(m), yyjson_doc_get_root(b)),
                         rows[i].same);
        assert_int_equal(tree_same(yyjson_mut_doc_get_root(m), yyjson_mut_doc_get_root(m2)),
                         rows[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prune_and_default),
        cmocka_unit_test(test_validate),
        cmocka_unit_test(test_schema_refused),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_jsonpath),
        cmocka_unit_test(test_jsonpath_refused),
        cmocka_unit_test(test_canon),
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
