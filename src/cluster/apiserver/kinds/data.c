/* What ConfigMaps and Secrets share: keys, and data that may not change any more. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/data.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"

#define MAX_DATA (1024 * 1024)

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

/* How many bytes the base64 text stands for. */
static size_t decoded_len(yyjson_mut_val *v)
{
    size_t n = yyjson_mut_get_len(v), pad = 0;
    const char *s = yyjson_mut_get_str(v);

    while (pad < 2 && pad < n && s[n - 1 - pad] == '=')
        pad++;
    return n / 4 * 3 > pad ? n / 4 * 3 - pad : 0;
}

void data_check_size(const struct kmut *o, struct field_errors *errs)
{
    static const char *const fields[] = {"data", "binaryData"};
    size_t total = 0;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(yyjson_mut_obj_get(o->root, fields[i]));
        bool coded = i || streq(jm_get_str(o->root, "kind"), "Secret");

        for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
            yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);

            total += coded ? decoded_len(v) : yyjson_mut_get_len(v);
        }
    }
    if (total > MAX_DATA)
        field_error_add(errs, FE_TOO_LONG, "data", NULL, "may not be more than %d bytes", MAX_DATA);
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
