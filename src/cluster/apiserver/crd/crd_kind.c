/*
 * A definition as an object: derived names, conditions and stored versions, the finalizer that its
 * deletion waits for, and whether it declares kinds that can be served.
 */
#include "cluster/apiserver/crd/crd.h"

#include <stdio.h>

#include "base/clock.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"

#define RULES_NOT_ENFORCED "this server keeps rules in CEL but does not evaluate them"

void crd_set_condition(struct kmut *o, const char *type, bool status, const char *reason,
                       const char *message)
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
    jm_set_str(o->d, c, status ? "True" : "False", "status");
    jm_set_str(o->d, c, now, "lastTransitionTime");
    jm_set_str(o->d, c, reason, "reason");
    jm_set_str(o->d, c, message, "message");
}

static void drop_condition(struct kmut *o, const char *type)
{
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(jm_get(o->root, "status", "conditions"));

    for (yyjson_mut_val *c; (c = yyjson_mut_arr_iter_next(&it));)
        if (streq(jm_get_str(c, "type"), type))
            yyjson_mut_arr_iter_remove(&it);
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

/* Rules in CEL anywhere in the schemas: how many. */
static size_t count_rules(yyjson_mut_val *v)
{
    size_t n = 0;

    if (yyjson_mut_is_arr(v)) {
        TREE_EACH(item, v)
        n += count_rules(item);
        return n;
    }
    if (!yyjson_mut_is_obj(v))
        return 0;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_mut_val *one = yyjson_mut_obj_iter_get_val(k);

        if (streq(yyjson_mut_get_str(k), "x-kubernetes-validations") && yyjson_mut_is_arr(one))
            n += yyjson_mut_arr_size(one);
        else
            n += count_rules(one);
    }
    return n;
}

static size_t rules(const struct kmut *o)
{
    return count_rules(jm_get(o->root, "spec", "versions"));
}

static void crd_warn(const struct kmut *o, void (*warn)(void *to, const char *text), void *to)
{
    size_t n = rules(o);

    if (!n)
        return;
    _cleanup_free_ char *text =
        xasprintf("%zu rules in x-kubernetes-validations: " RULES_NOT_ENFORCED, n);

    warn(to, text);
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
    crd_set_condition(o, "NamesAccepted", true, "NoConflicts", "no conflicts found");
    crd_set_condition(o, "Established", true, "InitialNamesAccepted",
                      "the initial names have been accepted");
    if (rules(o))
        crd_set_condition(o, "ValidationRulesEnforced", false, "NotSupported", RULES_NOT_ENFORCED);
    else
        drop_condition(o, "ValidationRulesEnforced");
    stored_versions(o);
}

static void check_stored_versions(const yyjson_val *crd, struct field_errors *errs)
{
    yyjson_val *stored, *v;
    size_t i, n, j, m;

    yyjson_arr_foreach(jget(crd, "status", "storedVersions"), i, n, stored)
    {
        const char *name = yyjson_get_str(stored);
        bool found = false;
        char path[48];

        yyjson_arr_foreach(jget(crd, "spec", "versions"), j, m, v) found |=
            streq(jget_str(v, "name"), name);
        snprintf(path, sizeof(path), "status.storedVersions[%zu]", i);
        if (!found)
            field_invalid_str(
                errs, path, name,
                "missing from spec.versions; %s was previously a storage version, and "
                "must remain in spec.versions until a storage migration ensures no "
                "data remains persisted in %s and removes %s from "
                "status.storedVersions",
                name, name, name);
    }
}

/* Groups of the Kubernetes project itself are reviewed by it. */
static void check_approval(const yyjson_val *crd, const yyjson_val *old, struct field_errors *errs)
{
    static const char note[] = "api-approved.kubernetes.io";
    static const char path[] = "metadata.annotations[api-approved.kubernetes.io]";
    const char *group = jget_str(crd, "spec", "group");
    const char *said = jget_str(crd, "metadata", "annotations", note);

    if (!group || old)
        return;
    if (!z_ends(group, ".k8s.io") && !z_ends(group, ".kubernetes.io") && !streq(group, "k8s.io") &&
        !streq(group, "kubernetes.io"))
        return;
    if (!said || !*said)
        field_required(errs, path,
                       "protected groups must have approval annotation "
                       "\"api-approved.kubernetes.io\", see "
                       "https://github.com/kubernetes/enhancements/pull/1111");
    else if (!z_starts(said, "unapproved") && !z_starts(said, "http://") &&
             !z_starts(said, "https://"))
        field_invalid_str(errs, path, said,
                          "must be the URL of the review, or begin with "
                          "\"unapproved\"");
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
    check_stored_versions(root, errs);
    check_approval(root, old, errs);
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
    .warn = crd_warn,
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
