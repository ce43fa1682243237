/*
 * One walk over value and table side by side. Paths are kept with indices, which unknown fields are
 * told with; Go leaves them out where it complains of a type.
 */
#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/clock.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktype.h"
#include "kube/names.h"

struct walk {
    yyjson_mut_doc *d;
    const struct kdecode *how;
    struct field_path path;
    struct err *e;
};

static int read_object(struct walk *w, const struct ktype *t, yyjson_mut_val *o, bool root);

/* ---- complaints ---- */
static const char *json_kind(yyjson_mut_val *v)
{
    switch (yyjson_mut_get_type(v)) {
    case YYJSON_TYPE_OBJ:
        return "object";
    case YYJSON_TYPE_ARR:
        return "array";
    case YYJSON_TYPE_STR:
        return "string";
    case YYJSON_TYPE_BOOL:
        return "bool";
    default:
        return "number";
    }
}

static const char *go_base(const struct kfield *f, char ret[static 64])
{
    static const char *const names[] = {
        [K_STR] = "string",      [K_INT32] = "int32",          [K_INT64] = "int64",
        [K_BOOL] = "bool",       [K_DOUBLE] = "float64",       [K_BYTES] = "[]uint8",
        [K_TIME] = "time.Time",  [K_MICRO_TIME] = "time.Time", [K_QUANTITY] = "resource.Quantity",
        [K_INT_OR_STR] = "int32"};

    if (f->base >= K_OBJ)
        snprintf(ret, 64, "v1.%s", f->of ? f->of->name : "JSON");
    else
        snprintf(ret, 64, "%s", names[f->base]);
    return ret;
}

/* The path without indices. */
static void field_names(const struct walk *w, struct buf *out)
{
    bool skip = false;

    for (const char *p = path_z(&w->path); *p; p++) {
        skip |= *p == '[';
        if (!skip)
            buf_addc(out, *p);
        skip &= *p != ']';
    }
}

static void number_text(yyjson_mut_val *v, char *ret, size_t n)
{
    if (yyjson_mut_is_uint(v))
        snprintf(ret, n, "%llu", (unsigned long long)yyjson_mut_get_uint(v));
    else if (yyjson_mut_is_sint(v))
        snprintf(ret, n, "%lld", (long long)yyjson_mut_get_sint(v));
    else
        snprintf(ret, n, "%.9g", yyjson_mut_get_num(v));
}

/* `shape` is what stands in front of the element's type: "[]", "map[string]" or "". */
static int wrong(struct walk *w, const struct ktype *t, const struct kfield *f, const char *shape,
                 yyjson_mut_val *v)
{
    _cleanup_buf_ struct buf names = BUF_INIT(4096);
    char base[64], num[48] = " ";

    field_names(w, &names);
    if (yyjson_mut_is_num(v) && (f->base == K_INT32 || f->base == K_INT64))
        number_text(v, num + 1, sizeof(num) - 1);
    else
        num[0] = '\0';
    return err_set(w->e, -EINVAL,
                   "json: cannot unmarshal %s%s into Go struct field %s.%s of type %s%s",
                   json_kind(v), num, t->name, buf_z(&names), shape, go_base(f, base));
}

/* ---- scalars ---- */
static bool is_whole(yyjson_mut_val *v, enum kbase base)
{
    if (yyjson_mut_is_uint(v))
        return yyjson_mut_get_uint(v) <= (base == K_INT32 ? INT32_MAX : INT64_MAX);
    return yyjson_mut_is_sint(v) && (base != K_INT32 || yyjson_mut_get_sint(v) >= INT32_MIN);
}

static int read_quantity(struct walk *w, const struct ktype *t, const struct kfield *f,
                         yyjson_mut_val *v)
{
    int64_t milli;
    char text[40];

    if (yyjson_mut_is_num(v)) {
        number_text(v, text, sizeof(text));
        yyjson_mut_val *s = yyjson_mut_strcpy(w->d, text);

        yyjson_mut_set_strn(v, yyjson_mut_get_str(s), yyjson_mut_get_len(s));
    }
    if (!yyjson_mut_is_str(v))
        return wrong(w, t, f, "", v);
    if (quantity_parse_milli(yyjson_mut_get_str(v), &milli, NULL) < 0)
        return err_set(w->e, -EINVAL,
                       "%s: quantities must match the regular expression "
                       "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                       path_z(&w->path));
    return 0;
}

static int read_text(struct walk *w, const struct ktype *t, const struct kfield *f,
                     yyjson_mut_val *v)
{
    const char *s = yyjson_mut_get_str(v);
    int64_t ns;

    if (!s)
        return wrong(w, t, f, "", v);
    if (f->base == K_BYTES && !base64_valid(s))
        return err_set(w->e, -EINVAL, "illegal base64 data in %s", path_z(&w->path));
    if ((f->base == K_TIME || f->base == K_MICRO_TIME) && *s && clock_rfc3339_parse(s, &ns) < 0)
        return err_set(w->e, -EINVAL, "parsing time \"%.64s\" in %s: it is not as RFC 3339 has it",
                       s, path_z(&w->path));
    return 0;
}

static int read_one(struct walk *w, const struct ktype *t, const struct kfield *f,
                    yyjson_mut_val *v);

static int read_items(struct walk *w, const struct ktype *t, const struct kfield *f,
                      yyjson_mut_val *list)
{
    struct kfield one = *f;
    size_t i = 0;
    int r = 0;

    one.shape = K_ONE;
    TREE_EACH(item, list)
    {
        size_t mark = path_index(&w->path, i++);

        r = read_one(w, t, &one, item);
        path_pop(&w->path, mark);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A schema, or a thing of another shape in its place. */
static int read_schema(struct walk *w, const struct ktype *t, const struct kfield *f,
                       yyjson_mut_val *v)
{
    static const struct kfield strings = {.base = K_STR};
    struct kfield list = {.base = K_OBJ, .of = f->of};

    if (yyjson_mut_is_obj(v))
        return read_object(w, f->of, v, false);
    if (f->base == K_SCHEMA_OR_BOOL && yyjson_mut_is_bool(v))
        return 0;
    if (f->base != K_SCHEMA_OR_BOOL && yyjson_mut_is_arr(v))
        return read_items(w, t, f->base == K_SCHEMA_OR_LIST ? &list : &strings, v);
    return wrong(w, t, f, "", v);
}

/* What null stands for inside a list. */
static void make_zero(struct walk *w, const struct kfield *f, yyjson_mut_val *v)
{
    if (f->base == K_OBJ)
        yyjson_mut_set_obj(v);
    else if (f->base == K_STR)
        yyjson_mut_set_strn(v, "", 0);
    else if (f->base == K_INT32 || f->base == K_INT64)
        yyjson_mut_set_int(v, 0);
}

static int read_one(struct walk *w, const struct ktype *t, const struct kfield *f,
                    yyjson_mut_val *v)
{
    if (yyjson_mut_is_null(v))
        make_zero(w, f, v);
    switch (f->base) {
    case K_OBJ:
        return yyjson_mut_is_obj(v) ? read_object(w, f->of, v, false) : wrong(w, t, f, "", v);
    case K_INT32:
    case K_INT64:
        return is_whole(v, f->base) ? 0 : wrong(w, t, f, "", v);
    case K_BOOL:
        return yyjson_mut_is_bool(v) ? 0 : wrong(w, t, f, "", v);
    case K_DOUBLE:
        return yyjson_mut_is_num(v) ? 0 : wrong(w, t, f, "", v);
    case K_QUANTITY:
        return read_quantity(w, t, f, v);
    case K_INT_OR_STR:
        return yyjson_mut_is_str(v) || is_whole(v, K_INT32) ? 0 : wrong(w, t, f, "", v);
    case K_SCHEMA_OR_BOOL:
    case K_SCHEMA_OR_LIST:
    case K_SCHEMA_OR_STRS:
        return read_schema(w, t, f, v);
    case K_JSON:
        return 0;
    default:
        return read_text(w, t, f, v);
    }
}

/* ---- lists, maps, objects ---- */
static int read_entries(struct walk *w, const struct ktype *t, const struct kfield *f,
                        yyjson_mut_val *map)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(map);
    struct kfield one = *f;

    one.shape = K_ONE;
    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);
        size_t mark = path_map_key(&w->path, yyjson_mut_get_str(k));
        int r = 0;

        if (yyjson_mut_is_null(v))
            yyjson_mut_obj_iter_remove(&it);
        else if (f->shape == K_MAP)
            r = read_one(w, t, &one, v);
        else
            r = yyjson_mut_is_arr(v) ? read_items(w, t, f, v) : wrong(w, t, f, "[]", v);
        path_pop(&w->path, mark);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_field(struct walk *w, const struct ktype *t, const struct kfield *f,
                      yyjson_mut_val *v)
{
    if (f->base == K_SKIPPED)
        return 0;
    if (f->shape == K_ONE)
        return read_one(w, t, f, v);
    if (f->shape == K_LIST)
        return yyjson_mut_is_arr(v) ? read_items(w, t, f, v) : wrong(w, t, f, "[]", v);
    return yyjson_mut_is_obj(v) ? read_entries(w, t, f, v) : wrong(w, t, f, "map[string]", v);
}

static bool counts_as_unset(const struct kfield *f, yyjson_mut_val *v)
{
    if (f->ptr || !v)
        return !v;
    return yyjson_mut_is_str(v) ? yyjson_mut_get_len(v) == 0
                                : yyjson_mut_is_int(v) && yyjson_mut_get_sint(v) == 0;
}

static void fill(struct walk *w, const struct ktype *t, yyjson_mut_val *o)
{
    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE)
            fill(w, f->of, o);
        if (!f->def || !counts_as_unset(f, yyjson_mut_obj_get(o, f->name)))
            continue;
        if (f->base == K_OBJ)
            jm_obj(w->d, o, f->name);
        else if (f->base == K_STR)
            jm_set(w->d, o, yyjson_mut_str(w->d, f->def), f->name);
        else
            jm_set_int(w->d, o, strtol(f->def, NULL, 10), f->name);
    }
}

static bool is_type_field(const char *key)
{
    return streq(key, "apiVersion") || streq(key, "kind");
}

static int read_object(struct walk *w, const struct ktype *t, yyjson_mut_val *o, bool root)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(o);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        const char *key = yyjson_mut_get_str(k);
        const struct kfield *f = ktype_field(t, key);
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);
        int r = 0;

        if (root && is_type_field(key))
            continue;
        size_t mark = path_key(&w->path, key);

        if (!f && w->how->unknown)
            w->how->unknown(w->how->ctx, path_z(&w->path));
        if (!f || f->base == K_SKIPPED || yyjson_mut_is_null(v))
            yyjson_mut_obj_iter_remove(&it);
        else
            r = read_field(w, t, f, v);
        path_pop(&w->path, mark);
        if (r < 0)
            return r;
    }
    if (w->how->defaults)
        fill(w, t, o);
    return 0;
}

int ktype_decode(const struct ktype *t, yyjson_mut_doc *d, yyjson_mut_val *root,
                 const struct kdecode *how, struct err *e)
{
    struct walk w = {d, how, FIELD_PATH_INIT, e};

    if (how->at)
        path_key(&w.path, how->at);
    int r = read_object(&w, t, root, !how->at);

    field_path_donep(&w.path);
    return r;
}
