/* What a CustomResourceDefinition may declare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/apiserver/crd/crd.h"
#include "cluster/apiserver/kinds/canon.h"

static const struct kube_resource crds = {"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                          "CustomResourceDefinition", false};

/* A definition that is right, with spec.names changed by `names`. Says "" or "path: text" of the
 * first error; the caller frees. */
static char *verdict(const char *names)
{
    _cleanup_jdoc_ yyjson_doc *add = json_parse(names, strlen(names), NULL), *d = NULL;
    _cleanup_errors_ struct field_errors errs = {0};
    struct kmut *m = kmut_new(&crds, NULL, "ws.x.io");
    struct api_kind *kinds[2];
    yyjson_val *k, *v;
    size_t i, max, n = 0;

    jm_set_str(KM(m), "x.io", "spec", "group");
    jm_set_str(KM(m), "Namespaced", "spec", "scope");
    jm_set_str(KM(m), "ws", "spec", "names", "plural");
    jm_set_str(KM(m), "W", "spec", "names", "kind");
    yyjson_mut_val *version = jm_add_obj(m->d, jm_arr(KM(m), "spec", "versions"));

    jm_set_str(m->d, version, "v1", "name");
    jm_set_bool(m->d, version, true, "served");
    jm_set_bool(m->d, version, true, "storage");
    jm_set_str(m->d, version, "object", "schema", "openAPIV3Schema", "type");
    yyjson_obj_foreach(yyjson_doc_get_root(add), i, max, k, v)
        jm_set_copy(KM(m), v, "spec", "names", yyjson_get_str(k));
    d = yyjson_mut_val_imut_copy(m->root, NULL);
    int r = crd_kinds(yyjson_doc_get_root(d), kinds, &n, 2, &errs);

    kmut_free(m);
    while (n)
        api_kind_unref(kinds[--n]);
    assert_int_equal(r<0, errs.v.n> 0);
    return errs.v.n ? xasprintf("%s: %s", errs.v.p[0].path, errs.v.p[0].text) : xstrdup("");
}

static void test_names(void **state)
{
    static const struct {
        const char *names, *want; /* the beginning of the first error, "" = accepted */
    } rows[] = {
        {"{}", ""},
        {"{\"singular\":\"w\",\"listKind\":\"WList\",\"shortNames\":[\"a\"],\"categories\":"
         "[\"all\"]}",
         ""},
        {"{\"kind\":\"W\\\"x\"}", "spec.names.kind: Invalid value: \"W\\\"x\": may have mixed "},
        {"{\"kind\":\"W\\\\\"}", "spec.names.kind: Invalid value"},
        {"{\"kind\":\"W x\"}", "spec.names.kind: Invalid value"},
        {"{\"kind\":\"1W\"}", "spec.names.kind: Invalid value"},
        {"{\"kind\":\"\\u00c4\"}", "spec.names.kind: Invalid value"},
        {"{\"kind\":\"\"}", "spec.names.kind: Required value"},
        {"{\"kind\":7}", "spec.names.kind: Required value"},
        {"{\"kind\":\"A1234567890123456789012345678901234567890123456789012345678901234\"}",
         "spec.names.kind: Invalid value"},
        {"{\"listKind\":\"W\\\"xList\"}", "spec.names.listKind: Invalid value"},
        {"{\"listKind\":\"W List\"}", "spec.names.listKind: Invalid value"},
        {"{\"listKind\":\"W\"}", "spec.names.listKind: Invalid value: \"W\": kind and listKind"},
        {"{\"singular\":\"W\"}", "spec.names.singular: Invalid value"},
        {"{\"singular\":\"w\\\"\"}", "spec.names.singular: Invalid value"},
        {"{\"plural\":\"w.s\"}", "spec.names.plural: Invalid value"},
        {"{\"shortNames\":[\"a\",\"B\"]}", "spec.names.shortNames[1]: Invalid value"},
        {"{\"shortNames\":[\"a\\\"\"]}", "spec.names.shortNames[0]: Invalid value"},
        {"{\"shortNames\":[1]}", "spec.names.shortNames[0]: Required value"},
        {"{\"categories\":[\"all\",\"x/y\"]}", "spec.names.categories[1]: Invalid value"},
        {"{\"categories\":[\"\"]}", "spec.names.categories[0]: Required value"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = verdict(rows[i].names);

        if (rows[i].want[0] ? !z_starts(got, rows[i].want) : got[0])
            fail_msg("%s: \"%s\", want \"%s\"", rows[i].names, got, rows[i].want);
    }
}

/* An object whose type would need escaping has no stored form, whoever let it through. */
static void test_no_stored_form(void **state)
{
    static const char *const rows[] = {
        "{\"apiVersion\":\"x.io/v1\",\"kind\":\"W\\\"x\",\"metadata\":{\"name\":\"a\"}}",
        "{\"apiVersion\":\"x.io/v1\",\"kind\":\"W\\\\\",\"metadata\":{\"name\":\"a\"}}",
        "{\"apiVersion\":\"x.io/v1\\n\",\"kind\":\"W\",\"metadata\":{\"name\":\"a\"}}",
        "{\"kind\":\"W\",\"metadata\":{\"name\":\"a\"}}",
        "{\"apiVersion\":\"x.io/v1\",\"kind\":5,\"metadata\":{\"name\":\"a\"}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct kobj *o = kobj_parse(rows[i], strlen(rows[i]), NULL);
        struct kmut *m = kmut_from(o);
        size_t n;

        assert_null(canon_text(m, &n));
        kmut_free(m);
        kobj_unref(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_stored_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
