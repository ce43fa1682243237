/* YAML in and out: resolution tables, refusals, bounds, and round trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/limits.h"
#include "json/yaml.h"

static void reads(void **state)
{
    static const char *const t[][2] = {
        {"a: 1\nb: two\n", "{\"a\":1,\"b\":\"two\"}"},
        {"- 1\n- -2\n- 0x1F\n- 0o17\n- 017\n- 0b101\n- 1_000\n", "[1,-2,31,15,15,5,1000]"},
        {"- 1.5\n- .5\n- 1e3\n- -2.\n- 08\n- 1e999\n- 0x\n- +7\n- -0x10\n",
         "[1.5,0.5,1000.0,-2.0,8.0,\"1e999\",\"0x\",7,-16]"},
        {"- 9223372036854775807\n- 18446744073709551615\n- -9223372036854775808\n",
         "[9223372036854775807,18446744073709551615,-9223372036854775808]"},
        {"- 18446744073709551616\n", "[18446744073709552000.0]"},
        {"- yes\n- No\n- on\n- OFF\n- true\n- False\n- \"yes\"\n- 'no'\n",
         "[true,false,true,false,true,false,\"yes\",\"no\"]"},
        {"- null\n- ~\n- \n- Null\n- ''\n- nULL\n", "[null,null,null,null,\"\",\"nULL\"]"},
        {"- 2026-01-02\n- 2026-01-02T03:04:05Z\n- 1.2.3\n- 12:30:45\n- 100m\n- 1Gi\n- 0xfg\n",
         "[\"2026-01-02\",\"2026-01-02T03:04:05Z\",\"1.2.3\",\"12:30:45\",\"100m\",\"1Gi\","
         "\"0xfg\"]"},
        {"- !!str 5\n- !!int \"7\"\n- !!float 1\n- !!bool \"true\"\n- ! 5\n- !!null ''\n",
         "[\"5\",7,1.0,true,\"5\",null]"},
        {"1: a\ntrue: b\n1.5: c\n\"x y\": d\n",
         "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"x y\":\"d\"}"},
        {"a: |\n  one\n  two\nb: >\n  three\n  four\nc: |-\n  x\n",
         "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\\n\",\"c\":\"x\"}"},
        {"a: &x {p: 1}\nb: *x\nc: [*x, *x]\n",
         "{\"a\":{\"p\":1},\"b\":{\"p\":1},\"c\":[{\"p\":1},{\"p\":1}]}"},
        {"base: &b {p: 1, q: 2}\nuse:\n  <<: *b\n  q: 3\n",
         "{\"base\":{\"p\":1,\"q\":2},\"use\":{\"q\":3,\"p\":1}}"},
        {"use:\n  q: 3\n  <<: [{q: 1, r: 1}, {r: 2, s: 2}]\n",
         "{\"use\":{\"q\":3,\"r\":1,\"s\":2}}"},
        {"{a: [1, {b: c}], \"d\": 'it''s'}", "{\"a\":[1,{\"b\":\"c\"}],\"d\":\"it's\"}"},
        {"{\"a\": \"\\ud83d\\ude00\\/\"}", "{\"a\":\"\xf0\x9f\x98\x80/\"}"},
        {"  [1,\t2]", "[1,2]"},
        {"# only a comment\n---\na: b # trailing\n...\n", "{\"a\":\"b\"}"},
        {"---\n---\na: 1\n---\n", "{\"a\":1}"},
        {"\xef\xbb\xbf"
         "a: 1\n",
         "{\"a\":1}"},
        {"a: \"\\0\\x41\\u00e9\"\n", "{\"a\":\"\\u0000A\xc3\xa9\"}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct err e = {0};
        _cleanup_jdoc_ yyjson_doc *d = yaml_parse(t[i][0], strlen(t[i][0]), &e);
        if (!d)
            fail_msg("%s in %s", e.msg, t[i][0]);
        _cleanup_free_ char *text = json_text(d->root, NULL);
        assert_string_equal(text, t[i][1]);
    }
}

static void refuses(void **state)
{
    static const char *const t[][2] = {
        {"", "no document"},
        {"# nothing\n", "no document"},
        {"a: 1\n---\nb: 2\n", "several"},
        {"a: 1\na: 2\n", "twice"},
        {"a: 1\n\"a\": 2\n", "line 2 column 1"},
        {"a: *nowhere\n", "*nowhere"},
        {"a: &a [*a]\n", "*a"},
        {"a: .nan\n", ".nan"},
        {"a: !!int x\n", "tag"},
        {"a: !!binary aGk=\n", "tag"},
        {"a: !custom {}\n", "!custom"},
        {"a: !!set {}\n", "tag"},
        {"<<: 1\n", "merge key"},
        {"<<: [1]\n", "merge key"},
        {"{a: b}: c\n", "name"},
        {"? [a]\n: c\n", "name"},
        {"~: c\n", "null"},
        {"a: [1, 2\n", "line"},
        {"a: b: c\n", "line 1"},
        {"\tb: c\n", "line 1"},
        {"a: \xff\xfe\n", "UTF-8"},
        {"a: \x01\n", "control"},
        {"{\"a\": 1,,}", "line 1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct err e = {0};
        assert_null(yaml_parse(t[i][0], strlen(t[i][0]), &e));
        assert_int_equal(e.code, -EINVAL);
        if (!strstr(e.msg, t[i][1]))
            fail_msg("\"%s\" does not mention %s", e.msg, t[i][1]);
    }
}

static int collect(void *ctx, yyjson_doc *doc, struct err *e)
{
    _cleanup_free_ char *text = json_text(doc->root, NULL);

    buf_addz(ctx, text);
    yyjson_doc_free(doc);
    return 0;
}

static int stop(void *ctx, yyjson_doc *doc, struct err *e)
{
    ++*(int *)ctx;
    yyjson_doc_free(doc);
    return err_set(e, -ECANCELED, "enough");
}

static void streams(void **state)
{
    static const char text[] =
        "a: 1\n---\n# empty\n---\nnull\n---\n[x]\n...\n---\nb: &q 2\nc: *q\n";
    _cleanup_buf_ struct buf b = BUF_INIT(1000);
    struct err e = {0};
    int n = 0;

    assert_int_equal(yaml_parse_stream(text, sizeof(text) - 1, collect, &b, &e), 0);
    assert_string_equal(b.p, "{\"a\":1}[\"x\"]{\"b\":2,\"c\":2}");
    assert_int_equal(yaml_parse_stream(text, sizeof(text) - 1, stop, &n, &e), -ECANCELED);
    assert_int_equal(n, 1);
    /* An anchor ends with its document. */
    assert_int_equal(yaml_parse_stream("a: &x 1\n---\nb: *x\n", 19, collect, &b, &e), -EINVAL);
}

static void alias_bombs_end_early(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    struct err e = {0};

    buf_addz(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        buf_addf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_addf(&b, "%s*a%d", k ? "," : "", i - 1);
        buf_addz(&b, "]\n");
    }
    assert_null(yaml_parse(b.p, b.n, &e));
    assert_non_null(strstr(e.msg, "expanded"));

    buf_clear(&b);
    buf_addz(&b, "a: &a 1\nb: [");
    for (int i = 0; i <= LIMIT_YAML_ALIASES; i++)
        buf_addz(&b, "*a,");
    buf_addz(&b, "]\n");
    assert_null(yaml_parse(b.p, b.n, &e));
    assert_non_null(strstr(e.msg, "aliases"));

    /* One long string, many times. */
    buf_clear(&b);
    buf_addz(&b, "a: &a \"");
    for (int i = 0; i < 100000; i++)
        buf_addc(&b, 'x');
    buf_addz(&b, "\"\nb: [");
    for (int i = 0; i < 90; i++)
        buf_addz(&b, "*a,");
    buf_addz(&b, "]\n");
    assert_null(yaml_parse(b.p, b.n, &e));
    assert_non_null(strstr(e.msg, "bytes"));
}

static void depth_is_bounded(void **state)
{
    char open[600];
    struct err e = {0};

    memset(open, '[', sizeof(open));
    assert_null(yaml_parse(open, sizeof(open), &e));
    assert_non_null(strstr(e.msg, "deep"));
    /* Aliases add to the depth of where they stand. */
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    buf_addz(&b, "- &d0 [1]\n");
    for (int i = 1; i < 90; i++)
        buf_addf(&b, "- &d%d [[[[*d%d]]]]\n", i, i - 1);
    assert_null(yaml_parse(b.p, b.n, &e));
    assert_non_null(strstr(e.msg, "deep"));
}

static void count_is_bounded(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4 << 20);
    struct err e = {0};

    for (int i = 0; i <= LIMIT_YAML_NODES; i++)
        buf_addz(&b, "- 1\n");
    assert_null(yaml_parse(b.p, b.n, &e));
    assert_non_null(strstr(e.msg, "values"));
}

static void large_mappings_find_duplicates(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4 << 20);
    struct err e = {0};

    for (int i = 0; i < 50000; i++)
        buf_addf(&b, "k%d: 1\n", i);
    yyjson_doc *d = yaml_parse(b.p, b.n, &e);
    assert_non_null(d);
    yyjson_doc_free(d);
    buf_addz(&b, "k7: 2\n");
    assert_null(yaml_parse(b.p, b.n, &e));
    assert_non_null(strstr(e.msg, "\"k7\" is there twice"));
}

static void writes(void **state)
{
    static const char *const t[][2] = {
        {"{\"a\":1,\"b\":\"two\"}", "a: 1\nb: two\n"},
        {"{\"a\":{\"b\":[1,{\"c\":2,\"d\":3}]},\"e\":[]}",
         "a:\n  b:\n  - 1\n  - c: 2\n    d: 3\ne: []\n"},
        {"[[1,[2]],{}]", "- - 1\n  - - 2\n- {}\n"},
        {"[\"yes\",\"1\",\"\",\" x\",\"a: b\",\"null\",\"a#b\",\"- x\",\"1e3\"]",
         "- \"yes\"\n- \"1\"\n- \"\"\n- \" x\"\n- \"a: b\"\n- \"null\"\n- \"a#b\"\n- \"- x\"\n- "
         "\"1e3\"\n"},
        {"{\"s\":\"one\\ntwo\\n\"}", "s: |\n  one\n  two\n"},
        {"{\"s\":\"one\\n\\ntwo\"}", "s: |-\n  one\n\n  two\n"},
        {"{\"s\":\"one\\n\\n\"}", "s: |+\n  one\n\n"},
        {"\"x\"", "x\n"},
        {"null", "null\n"},
        {"{\"a\":\"knative.dev/x:80\"}", "a: knative.dev/x:80\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_buf_ struct buf b = BUF_INIT(1000);
        struct err e = {0};
        _cleanup_jdoc_ yyjson_doc *d = json_parse(t[i][0], strlen(t[i][0]), &e);
        assert_int_equal(yaml_write(d->root, &b, &e), 0);
        assert_string_equal(b.p, t[i][1]);
    }
}

static void what_is_written_reads_back(void **state)
{
    static const char *const t[] = {
        "{\"a\":[\"x\\u0000y\",\"\\u0085\",\"\\u2028\",\"\\ufeff\",\"tab\\there\",\"cr\\r\\n\","
        "\"\\\"\\\\\"]}",
        "{\"\":{\"\":\"\"},\"~\":1,\"- a\":2,\"a:b\":3,\"true\":4,\"1\":5,\"<<\":6}",
        "[\"a\\n\",\"\\na\",\"a\\n\\n\\n\",\"\\n\",\" a\\nb\",\"a\\n b\\n\",\"a \\nb "
        "\",\"a\\n\\tb\",\"\\ta\\nb\"]",
        "{\"x\":[\"a\\n\\n\",\"after\"],\"y\":{\"z\":\"a\\n\\n\\n\"},\"w\":1}",
        "[1,-1,1.5,1e300,-0.0,18446744073709551615,-9223372036854775808,1e-7]",
        "[\"---\",\"...\",\"..\",\".\",\"=\",\"!x\",\"&x\",\"*x\",\"%x\",\"@x\",\"`x\",\"{x\",\"["
        "x\",\"|\",\">\"]",
        "[\"012\",\"0x1\",\"1_0\",\".5\",\"+1\",\"y\",\"N\",\"2026-01-01\",\"\xf0\x9f\x98\x80\","
        "\"h\xc3\xa9\"]",
        "[[[[]]],[{\"a\":[{\"b\":[[1],[]]}]}],{\"c\":{\"d\":{}}}]",
        "\"a\\nb\\n\"",
        "[\"a:\\nb\",\"a #b\",\"a,b\",\"a]b\",\"a?b\",\"?\",\"? a\",\":\",\"a:\",\"::\"]",
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_buf_ struct buf b = BUF_INIT(100000);
        struct err e = {0};
        _cleanup_jdoc_ yyjson_doc *d = json_parse(t[i], strlen(t[i]), &e);
        assert_non_null(d);
        assert_int_equal(yaml_write(d->root, &b, &e), 0);
        _cleanup_jdoc_ yyjson_doc *again = yaml_parse(b.p, b.n, &e);
        if (!again || !json_equal(d->root, again->root))
            fail_msg("%s became\n%s\n%s", t[i], b.p, e.msg);
    }
}

static void long_names_read_back(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100000), out = BUF_INIT(100000);
    struct err e = {0};

    buf_addz(&b, "{\"o\":{\"");
    for (int i = 0; i < 3000; i++)
        buf_addc(&b, 'n');
    buf_addz(&b, "\":[1,{\"x\":2}],\"b\":3}}");
    _cleanup_jdoc_ yyjson_doc *d = json_parse(b.p, b.n, &e);
    assert_int_equal(yaml_write(d->root, &out, &e), 0);
    _cleanup_jdoc_ yyjson_doc *again = yaml_parse(out.p, out.n, &e);
    assert_non_null(again);
    assert_true(json_equal(d->root, again->root));
}

static void full_buffer_is_an_error(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(8);
    struct err e = {0};
    _cleanup_jdoc_ yyjson_doc *d = json_parse("{\"abc\":\"defghijk\"}", 18, &e);

    assert_int_equal(yaml_write(d->root, &b, &e), -E2BIG);
    assert_non_null(strstr(e.msg, "8 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses),
        cmocka_unit_test(streams),
        cmocka_unit_test(alias_bombs_end_early),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(count_is_bounded),
        cmocka_unit_test(large_mappings_find_duplicates),
        cmocka_unit_test(writes),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(long_names_read_back),
        cmocka_unit_test(full_buffer_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
