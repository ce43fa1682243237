/* What ConfigMaps and Secrets share: keys, and data that may not change any more. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/data.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"

static bool is_key(const char *s)
{
    size_t n = strlen(s);

    if (!n || n > 253 || streq(s, ".") || streq(s, ".."))
        return false;
    return strspn(s, "-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == n;
}

void data_validate(const struct kmut *o, const char *field, struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *data = yyjson_mut_obj_get(o->root, field);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(data);

    path_key(&path, field);
    for (yyjson_mut_val *k; data && (k = yyjson_mut_obj_iter_next(&it));) {
        const char *key = yyjson_mut_get_str(k);
        size_t mark = path_map_key(&path, key);

        if (!is_key(key))
            field_invalid_str(errs, path_z(&path), key,
                              "a valid config key must consist of alphanumeric characters, '-', "
                              "'_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex "
                              "used for validation is '[-._a-zA-Z0-9]+')");
        path_pop(&path, mark);
    }
}

void data_keep_immutable(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
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

void data_count(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%zu", yyjson_obj_size(jget(o, "data")) + yyjson_obj_size(jget(o, "binaryData")));
}
