/*
 * A definition as an object: derived names, conditions and stored versions, the finalizer that its
 * deletion waits for, and whether it declares kinds that can be served.
 */
#include "base/clock.h"
#include "cluster/apiserver/crd/crd.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"

static void set_condition(struct kmut *o, const char *type, const char *reason, const char *message)
{
    yyjson_mut_val *list = jm_arr(KM(o), "status", "conditions"), *c = NULL;
    char now[RFC3339_LEN];

    TREE_EACH(one, list)
    if (streq(jm_get_str(one, "type"), type))
        c = one;
    if (c)
        return;
    clock_rfc3339(clock_wall_ns(), now);
    c = jm_add_obj(o->d, list);
    jm_set_str(o->d, c, type, "type");
    jm_set_str(o->d, c, "True", "status");
    jm_set_str(o->d, c, now, "lastTransitionTime");
    jm_set_str(o->d, c, reason, "reason");
    jm_set_str(o->d, c, message, "message");
}

static void name_defaults(struct kmut *o)
{
    const char *kind = jm_get_str(o->root, "spec", "names", "kind");

    if (!kind)
        return;
    if (!jm_get_str(o->root, "spec", "names", "singular")) {
        _cleanup_free_ char *lower = xstrdup(kind);

        for (char *c = lower; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        jm_set_str(KM(o), lower, "spec", "names", "singular");
    }
    if (!jm_get_str(o->root, "spec", "names", "listKind")) {
        _cleanup_free_ char *list = xasprintf("%sList", kind);

        jm_set_str(KM(o), list, "spec", "names", "listKind");
    }
}

static void add_finalizer(struct kmut *o)
{
    yyjson_mut_val *list = jm_arr(KM(o), "metadata", "finalizers");

    TREE_EACH(f, list)
    if (streq(yyjson_mut_get_str(f), CRD_FINALIZER))
        return;
    jm_add_str(o->d, list, CRD_FINALIZER);
}

static void stored_versions(struct kmut *o)
{
    yyjson_mut_val *versions = jm_get(o->root, "spec", "versions");
    yyjson_mut_val *stored = jm_arr(KM(o), "status", "storedVersions");

    TREE_EACH(v, versions)
    {
        bool known = false;

        if (!jm_get_bool(v, false, "storage"))
            continue;
        TREE_EACH(s, stored)
        known |= streq(yyjson_mut_get_str(s), jm_get_str(v, "name"));
        if (!known && jm_get_str(v, "name"))
            jm_add_str(o->d, stored, jm_get_str(v, "name"));
    }
}

static void crd_defaults(struct kmut *o, const yyjson_val *old)
{
    if (!yyjson_mut_is_obj(jm_get(o->root, "spec", "names")))
        return;
    name_defaults(o);
    if (!jm_get(o->root, "spec", "conversion", "strategy"))
        jm_set_str(KM(o), "None", "spec", "conversion", "strategy");
    if (!jm_get(o->root, "metadata", "deletionTimestamp"))
        add_finalizer(o);
    jm_set(KM(o), yyjson_mut_val_mut_copy(o->d, jm_get(o->root, "spec", "names")), "status",
           "acceptedNames");
    set_condition(o, "NamesAccepted", "NoConflicts", "no conflicts found");
    set_condition(o, "Established", "InitialNamesAccepted", "the initial names have been accepted");
    stored_versions(o);
}

static void crd_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    static const char *const fixed[] = {"group", "scope"};
    struct api_kind *kinds[CRD_MAX_VERSIONS];
    _cleanup_jdoc_ yyjson_doc *d = yyjson_mut_val_imut_copy(o->root, NULL);
    const yyjson_val *root = yyjson_doc_get_root(d);
    size_t n = 0;

    if (!yyjson_is_obj(jget(root, "spec"))) {
        field_required(errs, "spec", NULL);
        return;
    }
    if (crd_kinds(root, kinds, &n, CRD_MAX_VERSIONS, errs) == 0)
        while (n)
            api_kind_unref(kinds[--n]);
    for (size_t i = 0; old && i < ARRAY_LEN(fixed); i++) {
        _cleanup_free_ char *path = xasprintf("spec.%s", fixed[i]);

        if (!streq(jget_str(root, "spec", fixed[i]), jget_str(old, "spec", fixed[i])))
            field_invalid_str(errs, path, jget_str(root, "spec", fixed[i]), "field is immutable");
    }
}

void crd_claim_names(const struct kinds *ks, const struct kmut *crd, struct field_errors *errs)
{
    const char *group = jm_get_str(crd->root, "spec", "group");
    const char *plural = jm_get_str(crd->root, "spec", "names", "plural");
    const char *kind = jm_get_str(crd->root, "spec", "names", "kind");
    const struct api_kind *there = kinds_storage(ks, group, plural);

    if (there && there->builtin)
        field_invalid_str(errs, "spec.names.plural", plural, "is a built-in resource");
    if (kinds_clash(ks, group, plural, kind))
        field_invalid_str(errs, "spec.names.kind", kind, "\"%s\" is already in use", kind);
}

static const struct builtin builtin_crd = {
    .type = &kt_custom_resource_definition,
    .defaults = crd_defaults,
    .validate = crd_validate,
    .columns = columns_crd,
};
const struct api_kind crd_kind = {
    .res = {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
            false},
    .singular = "customresourcedefinition",
    .list_kind = "CustomResourceDefinitionList",
    .short_names = (const char *const[]){"crd", "crds", NULL},
    .has_status = true,
    .has_generation = true,
    .storage = true,
    .served = true,
    .preferred = true,
    .builtin = &builtin_crd,
};
