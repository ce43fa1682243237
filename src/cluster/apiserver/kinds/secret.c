/* Secrets. */
#include "cluster/apiserver/kinds/builtin.h"

#include "base/base64.h"
#include "base/limits.h"
#include "cluster/apiserver/kinds/data.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_secret, "Secret", OBJ(1, "metadata", kt_object_meta), BOOL_P(5, "immutable"),
            BYTES_MAP(2, "data"), STR_MAP(4, "stringData"), STR(3, "type", .def = "Opaque"));

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
}

static void secret_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    data_validate(o, "data", errs);
    data_check_size(o, errs);
    data_keep_immutable(o, old, errs);
    if (old && !streq(jm_get_str(o->root, "type"), jget_str(old, "type")))
        field_invalid_str(errs, "type", jm_get_str(o->root, "type"), "field is immutable");
}

static void secret_type(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "type"), "Opaque");
}

static const struct api_column columns_secret[] = {
    {"Type", "string", "", "What the secret is for.", 0, secret_type, NULL},
    {"Data", "integer", "", "Number of keys.", 0, data_count, NULL},
    COLUMN_AGE,
    COLUMN_END};

const struct builtin builtin_secret = {
    .type = &kt_secret,
    .defaults = secret_defaults,
    .validate = secret_validate,
    .columns = columns_secret,
    .fields = (const char *const[]){"type", NULL},
};
