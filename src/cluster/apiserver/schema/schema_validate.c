/*
 * Validation collects every error, in Kubernetes' wording ("PATH in body must be …", where PATH is
 * the field's). Type errors stop the walk below them; anyOf and oneOf try their branches with
 * errors kept apart.
 */
#include <math.h>
#include <stdio.h>

#include "base/limits.h"
#include "cluster/apiserver/schema/schema.h"
#include "cluster/apiserver/schema/tree.h"

struct check {
    struct field_path path;
    struct field_errors *errs;
    uint64_t budget; /* of patterns */
};

static void validate(struct check *c, const struct schema *s, yyjson_mut_val *v, bool resource);

static const char *type_name(yyjson_mut_val *v)
{
    switch (yyjson_mut_get_type(v)) {
    case YYJSON_TYPE_OBJ:
        return "object";
    case YYJSON_TYPE_ARR:
        return "array";
    case YYJSON_TYPE_STR:
        return "string";
    case YYJSON_TYPE_BOOL:
        return "boolean";
    case YYJSON_TYPE_NUM:
        return yyjson_mut_is_int(v) || trunc(yyjson_mut_get_num(v)) == yyjson_mut_get_num(v)
                   ? "integer"
                   : "number";
    default:
        return "null";
    }
}

static bool type_fits(const struct schema *s, const char *name)
{
    static const char *const names[] = {
        [SCHEMA_OBJECT] = "object",   [SCHEMA_ARRAY] = "array",   [SCHEMA_STRING] = "string",
        [SCHEMA_INTEGER] = "integer", [SCHEMA_NUMBER] = "number", [SCHEMA_BOOLEAN] = "boolean"};

    if (s->int_or_string)
        return streq(name, "integer") || streq(name, "string");
    if (s->type == SCHEMA_ANY)
        return true;
    return streq(name, names[s->type]) || (s->type == SCHEMA_NUMBER && streq(name, "integer"));
}

static void bad_type(struct check *c, const struct schema *s, const char *name)
{
    static const char *const want[] = {
        [SCHEMA_ANY] = "integer,string", [SCHEMA_OBJECT] = "object",   [SCHEMA_ARRAY] = "array",
        [SCHEMA_STRING] = "string",      [SCHEMA_INTEGER] = "integer", [SCHEMA_NUMBER] = "number",
        [SCHEMA_BOOLEAN] = "boolean"};
    char quoted[32];

    snprintf(quoted, sizeof(quoted), "\"%s\"", name);
    field_error_add(c->errs, FE_TYPE_INVALID, path_z(&c->path), quoted,
                    "%s in body must be of type %s: \"%s\"", path_z(&c->path),
                    want[s->int_or_string ? SCHEMA_ANY : s->type], name);
}

static void invalid(struct check *c, yyjson_mut_val *v, const char *fmt, const char *what)
{
    _cleanup_buf_ struct buf value = BUF_INIT(4096), text = BUF_INIT(4096);

    go_value(&value, v);
    buf_addf(&text, "%s in body ", path_z(&c->path));
    buf_addz(&text, fmt);
    field_error_add(c->errs, FE_INVALID, path_z(&c->path), buf_z(&value), "%s%s", buf_z(&text),
                    what);
}

static void number_text(double d, char ret[static 32])
{
    if (trunc(d) == d && fabs(d) < 1e15)
        snprintf(ret, 32, "%lld", (long long)d);
    else
        snprintf(ret, 32, "%g", d);
}

static void check_number(struct check *c, const struct schema *s, yyjson_mut_val *v)
{
    double n = yyjson_mut_get_num(v);
    char lim[32];

    if (s->has_min && (n < s->min || (s->exclusive_min && n == s->min))) {
        number_text(s->min, lim);
        invalid(c, v,
                s->exclusive_min ? "should be greater than "
                                 : "should be greater than or equal to ",
                lim);
    }
    if (s->has_max && (n > s->max || (s->exclusive_max && n == s->max))) {
        number_text(s->max, lim);
        invalid(c, v,
                s->exclusive_max ? "should be less than " : "should be less than or equal to ",
                lim);
    }
    if (s->multiple_of > 0 && fmod(n, s->multiple_of) != 0) {
        number_text(s->multiple_of, lim);
        invalid(c, v, "should be a multiple of ", lim);
    }
    if (s->format == FORMAT_INT32 && (n < -2147483648.0 || n > 2147483647.0))
        invalid(c, v, "must be of type int32", "");
    if (s->format == FORMAT_INT64 && (n < -9223372036854775808.0 || n >= 9223372036854775808.0))
        invalid(c, v, "must be of type int64", "");
}

static int64_t utf8_len(const char *p, size_t n)
{
    int64_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += (p[i] & 0xc0) != 0x80;
    return len;
}

static void check_pattern(struct check *c, const struct schema *s, yyjson_mut_val *v)
{
    struct str text = {yyjson_mut_get_str(v), yyjson_mut_get_len(v)};
    enum pattern_result r = pattern_search(s->pattern, text, &c->budget);
    _cleanup_buf_ struct buf q = BUF_INIT(8192);

    if (r == PATTERN_YES)
        return;
    buf_addf(&q, "'%s'", s->pattern_text);
    invalid(c, v,
            r == PATTERN_NO ? "should match "
                            : "is too long to find out within this server's bound if it matches ",
            buf_z(&q));
}

static void check_string(struct check *c, const struct schema *s, yyjson_mut_val *v)
{
    const char *z = yyjson_mut_get_str(v);
    int64_t len = utf8_len(z, yyjson_mut_get_len(v));
    char lim[64];

    if (s->min_len >= 0 && len < s->min_len) {
        snprintf(lim, sizeof(lim), "%lld chars long", (long long)s->min_len);
        invalid(c, v, "should be at least ", lim);
    }
    if (s->max_len >= 0 && len > s->max_len)
        field_error_add(c->errs, FE_TOO_LONG, path_z(&c->path), NULL,
                        "may not be more than %lld bytes", (long long)s->max_len);
    if (s->pattern)
        check_pattern(c, s, v);
    if (s->string_format && !s->string_format->fits(z)) {
        _cleanup_buf_ struct buf q = BUF_INIT(8192);

        buf_addf(&q, "%s: ", s->string_format->name);
        go_quote(&q, z);
        invalid(c, v, "must be of type ", buf_z(&q));
    }
}

static void check_enum(struct check *c, const struct schema *s, yyjson_mut_val *v)
{
    yyjson_val *one;
    size_t i, n;

    yyjson_arr_foreach(s->one_of_values, i, n, one) if (tree_equal(v, one)) return;
    _cleanup_buf_ struct buf value = BUF_INIT(4096), list = BUF_INIT(8192);

    go_value(&value, v);
    yyjson_arr_foreach(s->one_of_values, i, n, one)
    {
        _cleanup_free_ char *text = json_text(one, NULL);

        if (yyjson_is_str(one))
            buf_addf(&list, "%s%s", i ? ", " : "", text);
        else
            buf_addf(&list, "%s\"%s\"", i ? ", " : "", text);
    }
    field_error_add(c->errs, FE_UNSUPPORTED, path_z(&c->path), buf_z(&value),
                    "supported values: %s", buf_z(&list));
}

/* The identity of a list-map's item: its keys' values as text, in the order of the keys. */
static void item_key(const struct schema *s, yyjson_mut_val *item, struct buf *id, struct buf *go)
{
    buf_addz(go, "map[string]interface {}{");
    for (size_t i = 0; i < s->map_keys.n; i++) {
        const char *key = s->map_keys.p[i];
        yyjson_mut_val *v = yyjson_mut_obj_get(item, key);
        _cleanup_free_ char *text = v ? json_mut_text(v, NULL) : xstrdup("");

        buf_addf(id, "%s\x1f", text);
        if (!v)
            continue;
        buf_addf(go, "%s\"%s\":", i ? ", " : "", key);
        go_value(go, v);
    }
    buf_addc(go, '}');
}

static void check_unique(struct check *c, const struct schema *s, yyjson_mut_val *list)
{
    struct map *seen = map_new(NULL);
    size_t i = 0;

    TREE_EACH(item, list)
    {
        _cleanup_buf_ struct buf id = BUF_INIT(LIMIT_OBJECT), go = BUF_INIT(4096);
        size_t mark = path_index(&c->path, i++);

        if (s->list == LIST_MAP) {
            item_key(s, item, &id, &go);
        } else {
            _cleanup_free_ char *text = json_mut_text(item, NULL);

            buf_addz(&id, text);
            go_value(&go, item);
        }
        if (map_has(seen, buf_z(&id)))
            field_error_add(c->errs, FE_DUPLICATE, path_z(&c->path), buf_z(&go), NULL);
        else
            map_set(seen, buf_z(&id), list);
        path_pop(&c->path, mark);
    }
    map_free(seen);
}

static void check_array(struct check *c, const struct schema *s, yyjson_mut_val *v)
{
    int64_t n = (int64_t)yyjson_mut_arr_size(v);
    size_t i = 0;

    if (s->min_items >= 0 && n < s->min_items)
        field_invalid_int(c->errs, path_z(&c->path), n,
                          "%s in body should have at least %lld items", path_z(&c->path),
                          (long long)s->min_items);
    if (s->max_items >= 0 && n > s->max_items) {
        char num[24];

        snprintf(num, sizeof(num), "%lld", (long long)n);
        field_error_add(c->errs, FE_TOO_MANY, path_z(&c->path), num, "must have at most %lld items",
                        (long long)s->max_items);
        return; /* the work below is bounded by the schema then */
    }
    if (s->list != LIST_ATOMIC)
        check_unique(c, s, v);
    if (!s->items)
        return;
    TREE_EACH(item, v)
    {
        size_t mark = path_index(&c->path, i++);

        validate(c, s->items, item, false);
        path_pop(&c->path, mark);
    }
}

static void check_required(struct check *c, const struct schema *s, yyjson_mut_val *v)
{
    for (size_t i = 0; i < s->required.n; i++) {
        if (yyjson_mut_obj_get(v, s->required.p[i]))
            continue;
        size_t mark = path_key(&c->path, s->required.p[i]);

        field_required(c->errs, path_z(&c->path), NULL);
        path_pop(&c->path, mark);
    }
}

static void check_embedded(struct check *c, yyjson_mut_val *v)
{
    static const char *const keys[] = {"apiVersion", "kind"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *z = yyjson_mut_get_str(yyjson_mut_obj_get(v, keys[i]));

        if (z && *z)
            continue;
        size_t mark = path_key(&c->path, keys[i]);

        field_required(c->errs, path_z(&c->path), "must not be empty");
        path_pop(&c->path, mark);
    }
}

static void check_object(struct check *c, const struct schema *s, yyjson_mut_val *v, bool resource)
{
    int64_t n = (int64_t)yyjson_mut_obj_size(v);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);

    check_required(c, s, v);
    if (s->embedded)
        check_embedded(c, v);
    if (s->min_props >= 0 && n < s->min_props)
        field_invalid_int(c->errs, path_z(&c->path), n,
                          "%s in body should have at least %lld properties", path_z(&c->path),
                          (long long)s->min_props);
    if (s->max_props >= 0 && n > s->max_props) {
        char num[24];

        snprintf(num, sizeof(num), "%lld", (long long)n);
        field_error_add(c->errs, FE_TOO_MANY, path_z(&c->path), num, "must have at most %lld items",
                        (long long)s->max_props);
        return;
    }
    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        const char *key = yyjson_mut_get_str(k);
        const struct schema *child = s->props ? map_get(s->props, key) : NULL;

        if (resource && streq(key, "metadata"))
            continue; /* checked by its own rules */
        if (!child)
            child = s->additional;
        size_t mark = path_key(&c->path, key);

        if (child)
            validate(c, child, yyjson_mut_obj_iter_get_val(k), false);
        path_pop(&c->path, mark);
    }
}

static bool fits(struct check *c, const struct schema *s, yyjson_mut_val *v, bool resource)
{
    _cleanup_errors_ struct field_errors apart = {0};
    struct field_errors *keep = c->errs;

    c->errs = &apart;
    validate(c, s, v, resource);
    c->errs = keep;
    return apart.v.n == 0;
}

static size_t count_fits(struct check *c, const schema_vec *list, yyjson_mut_val *v, bool resource)
{
    size_t hits = 0;

    for (size_t i = 0; i < list->n; i++)
        hits += fits(c, list->p[i], v, resource);
    return hits;
}

static void check_branches(struct check *c, const struct schema *s, yyjson_mut_val *v,
                           bool resource)
{
    for (size_t i = 0; i < s->all_of.n; i++)
        validate(c, s->all_of.p[i], v, resource);
    if (s->any_of.n && !count_fits(c, &s->any_of, v, resource))
        field_error_add(c->errs, FE_INVALID, path_z(&c->path), "\"\"",
                        "\"%s\" must validate at least one schema (anyOf)", path_z(&c->path));
    if (s->one_of.n && count_fits(c, &s->one_of, v, resource) != 1)
        field_error_add(c->errs, FE_INVALID, path_z(&c->path), "\"\"",
                        "\"%s\" must validate one and only one schema (oneOf)", path_z(&c->path));
    if (s->not_ && fits(c, s->not_, v, resource))
        field_error_add(c->errs, FE_INVALID, path_z(&c->path), "\"\"",
                        "\"%s\" must not validate the schema (not)", path_z(&c->path));
}

static void validate(struct check *c, const struct schema *s, yyjson_mut_val *v, bool resource)
{
    const char *name = type_name(v);

    if (yyjson_mut_is_null(v) && (s->nullable || (s->type == SCHEMA_ANY && !s->int_or_string)))
        return;
    if (!type_fits(s, name)) {
        bad_type(c, s, name);
        return;
    }
    if (yyjson_mut_is_num(v))
        check_number(c, s, v);
    else if (yyjson_mut_is_str(v))
        check_string(c, s, v);
    else if (yyjson_mut_is_arr(v))
        check_array(c, s, v);
    else if (yyjson_mut_is_obj(v))
        check_object(c, s, v, resource);
    if (s->one_of_values)
        check_enum(c, s, v);
    check_branches(c, s, v, resource);
}

void schema_validate(const struct schema *s, const yyjson_mut_val *root, struct field_errors *errs)
{
    struct check c = {FIELD_PATH_INIT, errs, SCHEMA_PATTERN_STEPS};

    validate(&c, s, (yyjson_mut_val *)(uintptr_t)root, true);
    field_path_donep(&c.path);
}
