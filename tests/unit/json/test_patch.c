/* Tables of target, patch and expected result for the three patch languages and for patch_diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/buf.h"
#include "base/limits.h"
#include "json/patch.h"

static yyjson_doc *doc(const char *text)
{
    struct err e = {0};
    yyjson_doc *d = json_parse(text, strlen(text), &e);

    if (!d)
        fail_msg("%s in %s", e.msg, text);
    return d;
}

static void assert_doc(yyjson_mut_doc *got, const char *want, const struct err *e)
{
    if (!got)
        fail_msg("failed: %s (wanted %s)", e->msg, want);
    char *text = json_mut_text(got->root, NULL);
    assert_string_equal(text, want);
    free(text);
    yyjson_mut_doc_free(got);
}

static void merge_by_rfc(void **state)
{
    /* The table of RFC 7396, appendix A. */
    static const char *const t[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {"{\"n\":18446744073709551615}", "{\"m\":-9223372036854775808}",
         "{\"n\":18446744073709551615,\"m\":-9223372036854775808}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *target = doc(t[i][0]), *patch = doc(t[i][1]);
        struct err e = {0};
        assert_doc(patch_merge(target->root, patch->root, &e), t[i][2], &e);
    }
}

static void merge_without_patch(void **state)
{
    struct err e = {0};

    assert_null(patch_merge(NULL, NULL, &e));
    assert_int_equal(e.code, -EINVAL);
}

static void diff_turns_one_into_the_other(void **state)
{
    static const char *const t[][3] = {
        {"{\"a\":1}", "{\"a\":1}", "{}"},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1.0}", "{}"},
        {"{\"a\":1}", "{\"a\":2}", "{\"a\":2}"},
        {"{\"a\":1}", "{}", "{\"a\":null}"},
        {"{\"a\":{\"b\":1,\"c\":[1,2]}}", "{\"a\":{\"b\":1,\"c\":[1]}}", "{\"a\":{\"c\":[1]}}"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":null}}"},
        {"{}", "{\"a\":{}}", "{\"a\":{}}"},
        {"{\"a\":1}", "{\"a\":{\"x\":{\"y\":1}}}", "{\"a\":{\"x\":{\"y\":1}}}"},
        {"[1]", "{\"a\":1}", "{\"a\":1}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *from = doc(t[i][0]), *to = doc(t[i][1]), *patch = doc(t[i][2]);
        struct err e = {0};
        assert_doc(patch_diff(from->root, to->root), t[i][2], &e);
        _cleanup_jmut_ yyjson_mut_doc *again = patch_merge(from->root, patch->root, &e);
        _cleanup_jdoc_ yyjson_doc *frozen = yyjson_mut_doc_imut_copy(again, NULL);
        assert_true(json_equal(frozen->root, to->root));
    }
}

static void large_objects_merge_quickly(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 << 20);
    struct err e = {0};

    buf_addc(&b, '{');
    for (int i = 0; i < 100000; i++)
        buf_addf(&b, "%s\"key%d\":%d", i ? "," : "", 100000 - i, i);
    buf_addc(&b, '}');
    _cleanup_jdoc_ yyjson_doc *a = json_parse(b.p, b.n, &e);
    buf_clear(&b);
    buf_addc(&b, '{');
    for (int i = 0; i < 100000; i++)
        buf_addf(&b, "%s\"key%d\":%d", i ? "," : "", i, i);
    buf_addc(&b, '}');
    _cleanup_jdoc_ yyjson_doc *p = json_parse(b.p, b.n, &e);
    _cleanup_jmut_ yyjson_mut_doc *m = patch_merge(a->root, p->root, &e);
    assert_int_equal(yyjson_mut_obj_size(m->root), 100001);
}

static void json_patch_operations(void **state)
{
    static const char *const t[][3] = {
        {"{\"a\":1}", "[]", "{\"a\":1}"},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
         "{\"foo\":\"bar\",\"baz\":\"qux\"}"},
        {"{\"foo\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":2}]",
         "{\"foo\":[1,2,3]}"},
        {"{\"foo\":[1]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[2]}]",
         "{\"foo\":[1,[2]]}"},
        {"{\"foo\":[1]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":2}]", "{\"foo\":[1,2]}"},
        {"{\"foo\":1}", "[{\"op\":\"add\",\"path\":\"/foo\",\"value\":2}]", "{\"foo\":2}"},
        {"{\"foo\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[7]}]", "[7]"},
        {"{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{\"b\":2}"},
        {"{\"a\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/a/0\"}]", "{\"a\":[2,3]}"},
        {"{\"a\":[1,2,3]}", "[{\"op\":\"replace\",\"path\":\"/a/2\",\"value\":9}]",
         "{\"a\":[1,2,9]}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}"},
        {"{\"a\":{\"b\":1},\"c\":{}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/c/d\"}]",
         "{\"a\":{},\"c\":{\"d\":1}}"},
        {"{\"a\":[1,2,3]}", "[{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/a/2\"}]",
         "{\"a\":[2,3,1]}"},
        {"{\"a\":[1]}",
         "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},"
         "{\"op\":\"add\",\"path\":\"/a/-\",\"value\":2}]",
         "{\"a\":[1,2],\"b\":[1]}"},
        {"{\"a/b\":1,\"m~n\":2}",
         "[{\"op\":\"remove\",\"path\":\"/a~1b\"},"
         "{\"op\":\"replace\",\"path\":\"/m~0n\",\"value\":3}]",
         "{\"m~n\":3}"},
        {"{\"\":{\"\":1}}", "[{\"op\":\"replace\",\"path\":\"//\",\"value\":2}]",
         "{\"\":{\"\":2}}"},
        {"{\"a\":{\"x\":[1,{\"y\":null}]}}",
         "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"x\":[1.0,{\"y\":null}]}}]",
         "{\"a\":{\"x\":[1,{\"y\":null}]}}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *target = doc(t[i][0]), *ops = doc(t[i][1]);
        struct err e = {0};
        assert_doc(patch_json(target->root, ops->root, &e), t[i][2], &e);
    }
}

static void json_patch_refusals(void **state)
{
    static const struct {
        const char *target, *ops;
        int code;
    } t[] = {
        {"{}", "{}", -EINVAL},
        {"{}", "[1]", -EINVAL},
        {"{}", "[{\"op\":\"add\"}]", -EINVAL},
        {"{}", "[{\"op\":\"spin\",\"path\":\"/a\"}]", -EINVAL},
        {"{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", -EINVAL},
        {"{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", -EINVAL},
        {"{}", "[{\"op\":\"add\",\"path\":\"/a~2\",\"value\":1}]", -EINVAL},
        {"{}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]", -ENOENT},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]", -ENOENT},
        {"{\"a\":[]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":1}]", -ENOENT},
        {"{\"a\":[0]}", "[{\"op\":\"add\",\"path\":\"/a/00\",\"value\":1}]", -EINVAL},
        {"{\"a\":[0]}", "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":1}]", -EINVAL},
        {"{\"a\":[0]}", "[{\"op\":\"remove\",\"path\":\"/a/-\"}]", -ENOENT},
        {"{\"a\":[0]}", "[{\"op\":\"remove\",\"path\":\"/a/99999999999999999999\"}]", -EINVAL},
        {"{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", -ENOENT},
        {"{}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]", -ENOENT},
        {"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", -EINVAL},
        {"{\"a\":{}}", "[{\"op\":\"move\",\"path\":\"/a/b\"}]", -EINVAL},
        {"{\"a\":{}}", "[{\"op\":\"copy\",\"from\":\"/x\",\"path\":\"/a/b\"}]", -ENOENT},
        {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]", -EPERM},
        {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":\"1\"}]", -EPERM},
        {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":null}]", -ENOENT},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *target = doc(t[i].target), *ops = doc(t[i].ops);
        struct err e = {0};
        assert_null(patch_json(target->root, ops->root, &e));
        if (e.code != t[i].code)
            fail_msg("%s: %d, wanted %d (%s)", t[i].ops, e.code, t[i].code, e.msg);
        assert_true(e.msg[0]);
    }
}

static void doubling_copies_are_bounded(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    struct err e = {0};

    /* Each copy puts the document into itself: sizes double. */
    buf_addz(&b, "[");
    for (int i = 0; i < 60; i++)
        buf_addf(&b, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/k%d\"}", i ? "," : "", i);
    buf_addz(&b, "]");
    _cleanup_jdoc_ yyjson_doc *target = doc("{\"a\":{\"x\":\"0123456789\"}}"), *ops = doc(b.p);
    assert_null(patch_json(target->root, ops->root, &e));
    assert_int_equal(e.code, -E2BIG);
}

static void too_many_operations(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4 << 20);
    struct err e = {0};

    buf_addz(&b, "[");
    for (int i = 0; i <= LIMIT_PATCH_OPS; i++)
        buf_addf(&b, "%s{\"op\":\"test\",\"path\":\"/a\",\"value\":1}", i ? "," : "");
    buf_addz(&b, "]");
    _cleanup_jdoc_ yyjson_doc *target = doc("{\"a\":1}"), *ops = doc(b.p);
    assert_null(patch_json(target->root, ops->root, &e));
    assert_int_equal(e.code, -E2BIG);
}

static void moves_cannot_nest_without_end(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4 << 20);
    struct err e = {0};

    buf_addz(&b, "[");
    for (int i = 0; i < 400; i++)
        buf_addf(&b,
                 "%s{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"},"
                 "{\"op\":\"add\",\"path\":\"/a\",\"value\":{}},"
                 "{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/a/x\"}",
                 i ? "," : "");
    buf_addz(&b, "]");
    _cleanup_jdoc_ yyjson_doc *target = doc("{\"a\":{}}"), *ops = doc(b.p);
    assert_null(patch_json(target->root, ops->root, &e));
    assert_int_equal(e.code, -EINVAL);
}

static const char *keys(void *ctx, const char *path)
{
    static const char *const t[][2] = {{"c", "name"},
                                       {"c.env", "name"},
                                       {"c.ports", "containerPort"},
                                       {"finalizers", ""},
                                       {"deep.c", "name"}};

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        if (streq(t[i][0], path))
            return t[i][1];
    }
    return NULL;
}

static void strategic(void **state)
{
    static const char *const t[][3] = {
        /* objects as in a merge patch */
        {"{\"a\":1,\"b\":{\"c\":1}}", "{\"a\":null,\"b\":{\"d\":2}}", "{\"b\":{\"c\":1,\"d\":2}}"},
        {"{}", "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}"},
        /* atomic lists are replaced */
        {"{\"args\":[1,2]}", "{\"args\":[3]}", "{\"args\":[3]}"},
        /* keyed lists merge; new items come first, as the API server puts them */
        {"{\"c\":[{\"name\":\"a\",\"i\":1},{\"name\":\"b\"}]}",
         "{\"c\":[{\"name\":\"b\",\"i\":2}]}",
         "{\"c\":[{\"name\":\"a\",\"i\":1},{\"name\":\"b\",\"i\":2}]}"},
        {"{\"c\":[{\"name\":\"a\"}]}", "{\"c\":[{\"name\":\"b\"}]}",
         "{\"c\":[{\"name\":\"b\"},{\"name\":\"a\"}]}"},
        {"{}", "{\"c\":[{\"name\":\"b\",\"x\":null}]}", "{\"c\":[{\"name\":\"b\"}]}"},
        {"{\"c\":[{\"name\":\"a\",\"env\":[{\"name\":\"X\",\"value\":\"1\"}]}]}",
         "{\"c\":[{\"name\":\"a\",\"env\":[{\"name\":\"X\",\"value\":\"2\"}]}]}",
         "{\"c\":[{\"name\":\"a\",\"env\":[{\"name\":\"X\",\"value\":\"2\"}]}]}"},
        {"{\"c\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80}]}]}",
         "{\"c\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80,\"name\":\"h\"}]}]}",
         "{\"c\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80,\"name\":\"h\"}]}]}"},
        /* directives */
        {"{\"c\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
         "{\"c\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}", "{\"c\":[{\"name\":\"b\"}]}"},
        {"{\"c\":[{\"name\":\"a\"}]}", "{\"c\":[{\"name\":\"z\"},{\"$patch\":\"replace\"}]}",
         "{\"c\":[{\"name\":\"z\"}]}"},
        {"{\"m\":{\"a\":1,\"b\":2}}", "{\"m\":{\"$patch\":\"replace\",\"c\":3}}",
         "{\"m\":{\"c\":3}}"},
        {"{\"m\":{\"a\":1}}", "{\"m\":{\"$patch\":\"delete\"}}", "{\"m\":{}}"},
        {"{\"m\":{\"a\":1}}", "{\"m\":{\"$patch\":\"merge\",\"b\":2}}",
         "{\"m\":{\"a\":1,\"b\":2}}"},
        {"{\"s\":{\"type\":\"x\",\"rolling\":{\"a\":1}}}",
         "{\"s\":{\"$retainKeys\":[\"type\"],\"type\":\"y\"}}", "{\"s\":{\"type\":\"y\"}}"},
        /* sets of scalars */
        {"{\"finalizers\":[\"a\",\"b\"]}", "{\"finalizers\":[\"b\",\"c\"]}",
         "{\"finalizers\":[\"a\",\"b\",\"c\"]}"},
        {"{\"finalizers\":[\"a\",\"b\"]}", "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}",
         "{\"finalizers\":[\"b\"]}"},
        {"{\"finalizers\":[\"a\",\"b\"]}",
         "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"finalizers\":[\"c\"],"
         "\"$setElementOrder/finalizers\":[\"b\",\"c\"]}",
         "{\"finalizers\":[\"b\",\"c\"]}"},
        /* order */
        {"{\"c\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"x\"}]}",
         "{\"$setElementOrder/c\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
         "{\"c\":[{\"name\":\"b\"},{\"name\":\"a\"},{\"name\":\"x\"}]}"},
        {"{\"deep\":{\"c\":[{\"name\":\"a\"}]}}",
         "{\"deep\":{\"$setElementOrder/"
         "c\":[{\"name\":\"a\"},{\"name\":\"n\"}],\"c\":[{\"name\":\"n\"}]}}",
         "{\"deep\":{\"c\":[{\"name\":\"a\"},{\"name\":\"n\"}]}}"},
        {"{\"c\":1}", "{\"c\":[{\"name\":\"n\"}]}", "{\"c\":[{\"name\":\"n\"}]}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *target = doc(t[i][0]), *patch = doc(t[i][1]);
        struct err e = {0};
        assert_doc(patch_strategic(target->root, patch->root, keys, NULL, &e), t[i][2], &e);
    }
}

static void strategic_refusals(void **state)
{
    static const char *const t[][3] = {
        {"{}", "[]", "object"},
        {"{\"c\":[{\"name\":\"a\"}]}", "{\"c\":[{\"image\":\"x\"}]}", "\"name\""},
        {"{\"c\":[{\"name\":\"a\"}]}", "{\"c\":[1]}", "\"name\""},
        {"{}", "{\"finalizers\":[{}]}", "scalar"},
        {"{}", "{\"m\":{\"$patch\":\"explode\"}}", "$patch"},
        {"{\"m\":{\"a\":1}}", "{\"m\":{\"$retainKeys\":[\"a\"],\"b\":1}}", "$retainKeys"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        _cleanup_jdoc_ yyjson_doc *target = doc(t[i][0]), *patch = doc(t[i][1]);
        struct err e = {0};
        assert_null(patch_strategic(target->root, patch->root, keys, NULL, &e));
        assert_int_equal(e.code, -EINVAL);
        if (!strstr(e.msg, t[i][2]))
            fail_msg("\"%s\" does not mention %s", e.msg, t[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_by_rfc),
        cmocka_unit_test(merge_without_patch),
        cmocka_unit_test(diff_turns_one_into_the_other),
        cmocka_unit_test(large_objects_merge_quickly),
        cmocka_unit_test(json_patch_operations),
        cmocka_unit_test(json_patch_refusals),
        cmocka_unit_test(doubling_copies_are_bounded),
        cmocka_unit_test(too_many_operations),
        cmocka_unit_test(moves_cannot_nest_without_end),
        cmocka_unit_test(strategic),
        cmocka_unit_test(strategic_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
