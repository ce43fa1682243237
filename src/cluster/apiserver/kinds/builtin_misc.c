/* The kinds that are little more than documents. */
#include "base/base64.h"
#include "base/limits.h"
#include "cluster/apiserver/kinds/builtin.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"

/* ---- namespaces ---- */
static void namespace_defaults(struct kmut *o, const yyjson_val *old)
{
    const char *name = jm_get_str(o->root, "metadata", "name");

    if (old) /* only the finalize subresource changes them, and it hands them in */
        tree_default_obj(o->d, o->root, "spec");
    if (!jm_get(o->root, "spec", "finalizers") && old)
        jm_set_copy(KM(o), jget(old, "spec", "finalizers"), "spec", "finalizers");
    if (!old && !jm_get(o->root, "spec", "finalizers"))
        jm_add_str(o->d, jm_arr(KM(o), "spec", "finalizers"), "kubernetes");
    if (!jm_get(o->root, "status", "phase"))
        jm_set_str(KM(o), "Active", "status", "phase");
    if (name)
        jm_set_str(KM(o), name, "metadata", "labels", "kubernetes.io/metadata.name");
}

/* ---- config maps and secrets ---- */
static bool is_key(const char *s)
{
    size_t n = strlen(s);

    if (!n || n > 253 || streq(s, ".") || streq(s, ".."))
        return false;
    return strspn(s, "-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == n;
}

static void check_data(const struct kmut *o, const char *field, bool base64,
                       struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *data = yyjson_mut_obj_get(o->root, field);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(data);

    path_key(&path, field);
    if (data && !yyjson_mut_is_obj(data))
        field_error_add(errs, FE_TYPE_INVALID, field, "\"\"", "must be an object");
    for (yyjson_mut_val *k; data && (k = yyjson_mut_obj_iter_next(&it));) {
        const char *key = yyjson_mut_get_str(k);
        const char *value = yyjson_mut_get_str(yyjson_mut_obj_iter_get_val(k));
        size_t mark = path_map_key(&path, key);

        if (!is_key(key))
            field_invalid_str(errs, path_z(&path), key,
                              "a valid config key must consist of alphanumeric characters, '-', "
                              "'_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex "
                              "used for validation is '[-._a-zA-Z0-9]+')");
        if (!value)
            field_error_add(errs, FE_TYPE_INVALID, path_z(&path), "\"\"", "must be a string");
        else if (base64 && !base64_valid(value))
            field_error_add(errs, FE_INVALID, path_z(&path), "\"\"", "must be base64");
        path_pop(&path, mark);
    }
}

static void check_immutable(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    static const char *const fields[] = {"data", "binaryData"};

    if (!jget_bool(old, false, "immutable"))
        return;
    if (!jm_get_bool(o->root, false, "immutable"))
        field_error_add(errs, FE_FORBIDDEN, "immutable", NULL,
                        "field is immutable when `immutable` is set");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!tree_equal(yyjson_mut_obj_get(o->root, fields[i]), jget(old, fields[i])))
            field_error_add(errs, FE_FORBIDDEN, fields[i], NULL,
                            "field is immutable when `immutable` is set");
}

static void configmap_validate(const struct kmut *o, const yyjson_val *old,
                               struct field_errors *errs)
{
    check_data(o, "data", false, errs);
    check_data(o, "binaryData", true, errs);
    check_immutable(o, old, errs);
}

static void secret_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *plain = yyjson_mut_obj_get(o->root, "stringData");
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(plain);

    for (yyjson_mut_val *k; plain && (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);

        if (!yyjson_mut_is_str(v))
            continue;
        _cleanup_buf_ struct buf b = BUF_INIT(4 * LIMIT_API_BODY);

        base64_add(&b, yyjson_mut_get_str(v), yyjson_mut_get_len(v));
        jm_set_str(KM(o), buf_z(&b), "data", yyjson_mut_get_str(k));
    }
    yyjson_mut_obj_remove_key(o->root, "stringData");
    tree_default_str(o->d, o->root, "type", "Opaque");
}

static void secret_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    check_data(o, "data", true, errs);
    check_immutable(o, old, errs);
    if (old && !streq(jm_get_str(o->root, "type"), jget_str(old, "type")))
        field_invalid_str(errs, "type", jm_get_str(o->root, "type"), "field is immutable");
}

/* ---- endpoints ---- */
static void endpoints_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *subsets = yyjson_mut_obj_get(o->root, "subsets");

    TREE_EACH(s, subsets)
    {
        yyjson_mut_val *ports = jm_get(s, "ports");

        TREE_EACH(p, ports)
        if (yyjson_mut_is_obj(p))
            tree_default_str(o->d, p, "protocol", "TCP");
    }
}

static void endpoints_validate(const struct kmut *o, const yyjson_val *old,
                               struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *subsets = yyjson_mut_obj_get(o->root, "subsets");
    size_t i = 0;

    path_key(&path, "subsets");
    TREE_EACH(s, subsets)
    {
        yyjson_mut_val *ports = jm_get(s, "ports");
        size_t mark = path_index(&path, i++), at = path_key(&path, "ports"), n = 0;

        TREE_EACH(p, ports)
        {
            size_t item = path_index(&path, n++);

            port_number_validate(p, &path, "port", true, errs);
            protocol_validate(p, &path, errs);
            path_pop(&path, item);
        }
        path_pop(&path, at);
        path_pop(&path, mark);
    }
}

static void slice_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *ports = yyjson_mut_obj_get(o->root, "ports");

    TREE_EACH(p, ports)
    {
        if (!yyjson_mut_is_obj(p))
            continue;
        tree_default_str(o->d, p, "protocol", "TCP");
        if (!jm_get(p, "name"))
            jm_set_str(o->d, p, "", "name");
    }
}

static void slice_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    static const char *const types[] = {"IPv4", "IPv6", "FQDN", NULL};
    const char *type = jm_get_str(o->root, "addressType");

    if (!type || !*type)
        field_required(errs, "addressType", NULL);
    else if (!streq(type, types[0]) && !streq(type, types[1]) && !streq(type, types[2]))
        field_unsupported(errs, "addressType", type, types);
    if (old && type && !streq(type, jget_str(old, "addressType")))
        field_invalid_str(errs, "addressType", type, "field is immutable");
}

/* ---- events ---- */
static void event_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    const char *ns = jm_get_str(o->root, "metadata", "namespace");
    const char *about = jm_get_str(o->root, "involvedObject", "namespace");

    if (about && *about && !streq(ns, about))
        field_invalid_str(errs, "involvedObject.namespace", about,
                          "does not match event.namespace");
}

static const char *const event_fields[] = {"involvedObject.kind",
                                           "involvedObject.namespace",
                                           "involvedObject.name",
                                           "involvedObject.uid",
                                           "involvedObject.apiVersion",
                                           "involvedObject.resourceVersion",
                                           "involvedObject.fieldPath",
                                           "reason",
                                           "reportingComponent",
                                           "source",
                                           "type",
                                           NULL};

const struct builtin builtin_namespace = {
    .defaults = namespace_defaults,
    .columns = columns_namespace,
    .name_rule = "label",
    .fields = (const char *const[]){"status.phase", NULL},
};
const struct builtin builtin_configmap = {.validate = configmap_validate,
                                          .columns = columns_configmap};
const struct builtin builtin_secret = {
    .defaults = secret_defaults,
    .validate = secret_validate,
    .columns = columns_secret,
    .fields = (const char *const[]){"type", NULL},
};
const struct builtin builtin_endpoints = {
    .defaults = endpoints_defaults, .validate = endpoints_validate, .columns = columns_endpoints};
const struct builtin builtin_endpointslice = {
    .defaults = slice_defaults, .validate = slice_validate, .columns = columns_endpointslice};
const struct builtin builtin_event = {
    .validate = event_validate, .columns = columns_event, .fields = event_fields};
const struct builtin builtin_serviceaccount = {.columns = columns_serviceaccount};
const struct builtin builtin_node = {.columns = columns_node,
                                     .fields = (const char *const[]){"spec.unschedulable", NULL}};
const struct builtin builtin_lease = {.columns = columns_lease};
