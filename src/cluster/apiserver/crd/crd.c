/*
 * Reads a CustomResourceDefinition into kinds, with the checks that Kubernetes makes at creation:
 * names, versions, one storage version, a structural schema, printer columns and the scale
 * subresource. Conversion webhooks are refused: versions of one resource must share their fields
 * (strategy None).
 */
#include "cluster/apiserver/crd/crd.h"

#include <stdio.h>

#include "kube/names.h"

static const char **strings(const yyjson_val *list)
{
    size_t i, n, at = 0;
    yyjson_val *v;

    if (!yyjson_arr_size((void *)(uintptr_t)list))
        return NULL;
    const char **out = xcalloc(yyjson_arr_size((void *)(uintptr_t)list) + 1, sizeof(*out));

    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, n, v) if (yyjson_is_str(v)) out[at++] =
        yyjson_get_str(v);
    return out;
}

static struct jsonpath *column_path(const yyjson_val *col, struct field_path *path,
                                    struct field_errors *errs)
{
    struct err e = {0};
    const char *text = jget_str(col, "jsonPath");
    size_t mark = path_key(path, "jsonPath");
    struct jsonpath *p = NULL;

    if (!text || !*text)
        field_required(errs, path_z(path), NULL);
    else if (!(p = jsonpath_parse(text, &e)))
        field_invalid_str(errs, path_z(path), text, "%s", e.msg);
    path_pop(path, mark);
    return p;
}

static struct api_column *columns(const yyjson_val *list, struct field_path *path,
                                  struct field_errors *errs)
{
    size_t n = yyjson_arr_size((void *)(uintptr_t)list), i, max, at = 0;
    struct api_column *out = xcalloc(n + 2, sizeof(*out));
    yyjson_val *col;

    if (!n) { /* none declared at all: the age */
        out[0] = (struct api_column){.name = "Age", .type = "date", .format = ""};
        out[0].path = jsonpath_parse(".metadata.creationTimestamp", NULL);
        return out;
    }
    size_t mark = path_key(path, "additionalPrinterColumns");

    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, col)
    {
        size_t item = path_index(path, i);
        struct jsonpath *p = column_path(col, path, errs);

        if (!jget_str(col, "name") || !jget_str(col, "type"))
            field_required(errs, path_z(path), "name and type must be set");
        else if (p)
            out[at++] = (struct api_column){
                .name = jget_str(col, "name"),
                .type = jget_str(col, "type"),
                .format = jget_str(col, "format") ? jget_str(col, "format") : "",
                .description = jget_str(col, "description"),
                .priority = (int)jget_int(col, 0, "priority"),
                .path = steal(&p),
            };
        jsonpath_free(p);
        path_pop(path, item);
    }
    path_pop(path, mark);
    return out;
}

static struct jsonpath *scale_path(const yyjson_val *scale, const char *key, bool needed,
                                   struct field_path *path, struct field_errors *errs)
{
    const char *text = jget_str(scale, key);
    size_t mark = path_key(path, key);
    struct jsonpath *p = text && *text ? jsonpath_parse(text, NULL) : NULL;

    if (needed && (!text || !*text))
        field_required(errs, path_z(path), NULL);
    else if (text && *text && (!p || !jsonpath_keys(p)))
        field_invalid_str(errs, path_z(path), text, "should be a json path without array notation");
    path_pop(path, mark);
    return p;
}

static void read_scale(struct api_kind *k, const yyjson_val *version, struct field_path *path,
                       struct field_errors *errs)
{
    yyjson_val *scale = jget(version, "subresources", "scale");

    if (!yyjson_is_obj(scale))
        return;
    size_t mark = path_key(path, "subresources.scale");

    k->has_scale = true;
    k->scale_spec = scale_path(scale, "specReplicasPath", true, path, errs);
    k->scale_status = scale_path(scale, "statusReplicasPath", true, path, errs);
    k->scale_selector = scale_path(scale, "labelSelectorPath", false, path, errs);
    path_pop(path, mark);
}

static void read_schema(struct api_kind *k, const yyjson_val *version, struct field_path *path,
                        struct field_errors *errs)
{
    yyjson_val *text = jget(version, "schema", "openAPIV3Schema");
    size_t mark = path_key(path, "schema.openAPIV3Schema");

    k->schema_text = text;
    if (!text)
        field_required(errs, path_z(path), "schemas are required");
    else
        k->schema = schema_compile(text, path, errs);
    path_pop(path, mark);
}

static struct api_kind *read_version(const yyjson_val *crd, const yyjson_val *version,
                                     const struct kobj *keep, struct field_path *path,
                                     struct field_errors *errs)
{
    struct api_kind *k = xnew(struct api_kind);
    yyjson_val *names = jget(crd, "spec", "names");
    const char *singular = jget_str(names, "singular"), *list_kind = jget_str(names, "listKind");

    k->refs = 1;
    k->definition = kobj_ref(keep);
    k->res.group = jget_str(crd, "spec", "group");
    k->res.version = jget_str(version, "name");
    k->res.plural = jget_str(names, "plural");
    k->res.kind = jget_str(names, "kind");
    k->res.namespaced = streq(jget_str(crd, "spec", "scope"), "Namespaced");
    k->singular = xstrdup(singular && *singular ? singular : k->res.plural);
    k->list_kind = list_kind && *list_kind ? xstrdup(list_kind) : xasprintf("%sList", k->res.kind);
    k->short_names = strings(jget(names, "shortNames"));
    k->categories = strings(jget(names, "categories"));
    k->served = jget_bool(version, false, "served");
    k->storage = k->preferred = jget_bool(version, false, "storage");
    k->has_status = yyjson_is_obj(jget(version, "subresources", "status"));
    k->has_generation = true;
    k->terminating = jget_str(crd, "metadata", "deletionTimestamp") != NULL;
    k->columns = columns(jget(version, "additionalPrinterColumns"), path, errs);
    read_scale(k, version, path, errs);
    read_schema(k, version, path, errs);
    return k;
}

static void need(const yyjson_val *v, const char *path, struct field_errors *errs)
{
    if (!yyjson_is_str((void *)(uintptr_t)v) || !*yyjson_get_str((void *)(uintptr_t)v))
        field_required(errs, path, NULL);
}

static void check_label(const char *name, const char *path, struct field_errors *errs)
{
    const char *why = name && *name ? why_not_dns1035_label(name) : NULL;

    if (why)
        field_invalid_str(errs, path, name, "%s", why);
}

/* Kinds may have capitals; they stand in the head of every stored object as they are. */
static void check_kind(const char *kind, const char *path, struct field_errors *errs)
{
    _cleanup_free_ char *lower = xstrdup(kind);

    for (char *c = lower; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    const char *why = *lower ? why_not_dns1035_label(lower) : NULL;

    if (why)
        field_invalid_str(errs, path, kind, "may have mixed case, but should otherwise match: %s",
                          why);
}

static void check_labels(const yyjson_val *names, const char *key, struct field_errors *errs)
{
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(jget(names, key), i, n, v)
    {
        char path[64];

        snprintf(path, sizeof(path), "spec.names.%s[%zu]", key, i);
        if (yyjson_is_str(v) && yyjson_get_len(v))
            check_label(yyjson_get_str(v), path, errs);
        else
            field_required(errs, path, NULL);
    }
}

static void check_names(const yyjson_val *crd, struct field_errors *errs)
{
    const yyjson_val *names = jget(crd, "spec", "names");
    const char *kind = jget_str(names, "kind"), *list_kind = jget_str(names, "listKind");

    need(jget(names, "plural"), "spec.names.plural", errs);
    need(jget(names, "kind"), "spec.names.kind", errs);
    check_label(jget_str(names, "plural"), "spec.names.plural", errs);
    check_label(jget_str(names, "singular"), "spec.names.singular", errs);
    check_kind(kind, "spec.names.kind", errs);
    check_kind(list_kind, "spec.names.listKind", errs);
    if (kind && *kind && streq(kind, list_kind))
        field_invalid_str(errs, "spec.names.listKind", list_kind,
                          "kind and listKind may not be the same");
    check_labels(names, "shortNames", errs);
    check_labels(names, "categories", errs);
}

static void check_spec(const yyjson_val *crd, struct field_errors *errs)
{
    static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
    const char *group = jget_str(crd, "spec", "group"), *scope = jget_str(crd, "spec", "scope");
    const char *plural = jget_str(crd, "spec", "names", "plural");
    const char *name = jget_str(crd, "metadata", "name");
    const char *strategy = jget_str(crd, "spec", "conversion", "strategy");

    need(jget(crd, "spec", "group"), "spec.group", errs);
    need(jget(crd, "spec", "scope"), "spec.scope", errs);
    if (scope && !streq(scope, scopes[0]) && !streq(scope, scopes[1]))
        field_unsupported(errs, "spec.scope", scope, scopes);
    if (group && (!is_dns1123_subdomain(group) || !strchr(group, '.')))
        field_invalid_str(errs, "spec.group", group, "should be a domain with at least one dot");
    check_names(crd, errs);
    if (group && plural && name) {
        _cleanup_free_ char *want = xasprintf("%s.%s", plural, group);

        if (!streq(want, name))
            field_invalid_str(errs, "metadata.name", name,
                              "must be spec.names.plural+\".\"+spec.group");
    }
    if (strategy && *strategy && !streq(strategy, "None")) {
        static const char *const known[] = {"None", NULL};

        field_unsupported(errs, "spec.conversion.strategy", strategy, known);
    }
}

static void check_versions(struct api_kind *const *list, size_t n, struct field_errors *errs)
{
    size_t stored = 0;

    for (size_t i = 0; i < n; i++) {
        stored += list[i]->storage;
        for (size_t j = 0; j < i; j++)
            if (streq(list[i]->res.version, list[j]->res.version))
                field_duplicate(errs, "spec.versions", list[i]->res.version);
    }
    if (stored != 1)
        field_error_add(errs, FE_INVALID, "spec.versions", "\"\"",
                        "must have exactly one version marked as storage version");
}

int crd_kinds(const yyjson_val *crd, struct api_kind **ret, size_t *ret_n, size_t max,
              struct field_errors *errs)
{
    size_t i, n, at = 0, before = errs->v.n;
    yyjson_val *versions, *v;
    const struct kobj *keep _cleanup_kobj_ = kobj_from_val(crd);
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;

    crd = kobj_root(keep);
    versions = jget(crd, "spec", "versions");
    check_spec(crd, errs);
    if (!yyjson_arr_size(versions))
        field_required(errs, "spec.versions", NULL);
    if (errs->v.n > before)
        return -1;
    path_key(&path, "spec.versions");
    yyjson_arr_foreach(versions, i, n, v)
    {
        size_t mark = path_index(&path, i);

        if (i >= max)
            field_error_add(errs, FE_TOO_MANY, path_z(&path), NULL, "at most %zu versions", max);
        else if (!jget_str(v, "name") || !is_dns1035_label(jget_str(v, "name")))
            field_required(errs, path_z(&path), "a version needs a name");
        else
            ret[at++] = read_version(crd, v, keep, &path, errs);
        path_pop(&path, mark);
    }
    check_versions(ret, at, errs);
    if (errs->v.n > before) {
        while (at)
            api_kind_unref(ret[--at]);
        return -1;
    }
    for (i = 0; i < at; i++)
        for (size_t j = 0; j < at; j++)
            if (ret[j]->storage)
                ret[i]->storage_version = ret[j]->res.version;
    *ret_n = at;
    return 0;
}
