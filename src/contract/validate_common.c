/* What the validation of a pod, its containers and their parts share; it knows none of them. */
#include "contract/validate.h"

bool json_is_zero(yyjson_val *v)
{
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_BOOL:
        return !yyjson_get_bool(v);
    case YYJSON_TYPE_NUM:
        return yyjson_get_num(v) == 0;
    case YYJSON_TYPE_STR:
        return yyjson_get_len(v) == 0;
    case YYJSON_TYPE_ARR:
    case YYJSON_TYPE_OBJ:
        return yyjson_get_len(v) == 0;
    default:
        return true;
    }
}

static bool listed(const char *const *list, const char *name)
{
    for (; *list; list++) {
        if (streq(*list, name))
            return true;
    }
    return false;
}

void validate_members(struct field_errors *fe, const struct fpath *at, yyjson_val *obj,
                      const char *const *allowed)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(obj, i, n, key, value)
    {
        if (!json_is_zero(value) && !listed(allowed, yyjson_get_str(key)))
            fe_disallowed(fe, at, yyjson_get_str(key));
    }
}

void validate_id(struct field_errors *fe, const struct fpath *at, yyjson_val *obj,
                 const char *field)
{
    yyjson_val *v = jget(obj, field);

    if (yyjson_is_int(v) && (yyjson_get_sint(v) < 0 || yyjson_get_sint(v) > INT32_MAX))
        fe_bounds(fe, at, field, 0, yyjson_get_sint(v), INT32_MAX);
}
