/*
 * Input: an array [openAPIV3Schema, object]. What can be compiled must prune, default and validate;
 * doing it twice must change nothing more. The schema is also read as the one version of a
 * definition.
 */
#include <stdint.h>
#include <stdlib.h>

#include "cluster/apiserver/crd/crd.h"
#include "cluster/apiserver/schema/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unknown(void *ctx, const char *path)
{
    ++*(size_t *)ctx;
}

static void try_object(const struct schema *s, yyjson_val *object)
{
    _cleanup_errors_ struct field_errors errs = {0};
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_val_mut_copy(m, object);
    size_t n = 0;

    schema_prune(s, root, unknown, &n);
    schema_default(s, m, root);
    schema_prune(s, root, NULL, NULL);
    schema_default(s, m, root);
    _cleanup_free_ char *once = json_mut_text(root, NULL);

    n = 0;
    schema_prune(s, root, unknown, &n);
    schema_default(s, m, root);
    _cleanup_free_ char *twice = json_mut_text(root, NULL);

    if (!streq(once, twice))
        abort();
    schema_validate(s, root, &errs);
}

static void try_definition(yyjson_val *schema)
{
    static const struct kube_resource crd = {"apiextensions.k8s.io", "v1",
                                             "customresourcedefinitions",
                                             "CustomResourceDefinition", false};
    _cleanup_(kmut_freep) struct kmut *m = kmut_new(&crd, NULL, "a.b.c");
    _cleanup_errors_ struct field_errors errs = {0};
    struct api_kind *kinds[2];
    size_t n = 0;

    jm_set_str(KM(m), "b.c", "spec", "group");
    jm_set_str(KM(m), "Namespaced", "spec", "scope");
    jm_set_str(KM(m), "a", "spec", "names", "plural");
    jm_set_str(KM(m), "A", "spec", "names", "kind");
    yyjson_mut_val *v = jm_add_obj(m->d, jm_arr(KM(m), "spec", "versions"));

    jm_set_str(m->d, v, "v1", "name");
    jm_set_bool(m->d, v, true, "served");
    jm_set_bool(m->d, v, true, "storage");
    jm_set_copy(m->d, v, schema, "schema", "openAPIV3Schema");
    _cleanup_jdoc_ yyjson_doc *d = yyjson_mut_val_imut_copy(m->root, NULL);

    if (crd_kinds(yyjson_doc_get_root(d), kinds, &n, 2, &errs) == 0)
        while (n)
            api_kind_unref(kinds[--n]);
    else if (!errs.v.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_jdoc_ yyjson_doc *d = json_parse((const char *)data, size, NULL);
    yyjson_val *schema = d ? yyjson_arr_get(d->root, 0) : NULL;
    yyjson_val *object = d ? yyjson_arr_get(d->root, 1) : NULL;
    _cleanup_errors_ struct field_errors errs = {0};
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;

    if (!schema || !object)
        return 0;
    struct schema *s = schema_compile(schema, &path, &errs);

    if (s)
        try_object(s, object);
    schema_free(s);
    try_definition(schema);
    return 0;
}
