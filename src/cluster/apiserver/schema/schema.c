/*
 * Compiles a JSONSchemaProps object. References and the keywords that structural schemas do not
 * allow are refused with the CRD's own field paths. Schemas below allOf / anyOf / oneOf / not only
 * validate: they neither prune nor default. Rules in CEL (x-kubernetes-validations) are kept in the
 * CRD but not evaluated.
 */
#include "cluster/apiserver/schema/schema.h"

#include <errno.h>
#include <stdio.h>

#define MAX_SCHEMA_DEPTH 64

struct compile {
    struct field_path *path;
    struct field_errors *errs;
    int depth;
    size_t room; /* what is left for patterns */
};

static struct schema *compile(struct compile *c, const yyjson_val *v);

static void free_vec(schema_vec *v)
{
    for (size_t i = 0; i < v->n; i++)
        schema_free(v->p[i]);
    vec_done(v);
}

void schema_free(struct schema *s)
{
    if (!s)
        return;
    map_free(s->props);
    schema_free(s->additional);
    schema_free(s->items);
    schema_free(s->not_);
    free_vec(&s->all_of);
    free_vec(&s->any_of);
    free_vec(&s->one_of);
    vec_done(&s->required);
    vec_done(&s->map_keys);
    pattern_free(s->pattern);
    free(s);
}

static void free_schema_value(void *s)
{
    schema_free(s);
}

static struct schema *below(struct compile *c, const char *key, const yyjson_val *v)
{
    size_t mark = path_key(c->path, key);
    struct schema *s = compile(c, v);

    path_pop(c->path, mark);
    return s;
}

static void read_type(struct compile *c, struct schema *s, const yyjson_val *v)
{
    static const char *const names[] = {
        [SCHEMA_OBJECT] = "object",   [SCHEMA_ARRAY] = "array",   [SCHEMA_STRING] = "string",
        [SCHEMA_INTEGER] = "integer", [SCHEMA_NUMBER] = "number", [SCHEMA_BOOLEAN] = "boolean"};
    static const char *const supported[] = {"array",  "boolean", "integer", "number",
                                            "object", "string",  NULL};
    const char *t = jget_str(v, "type");

    if (!t || !*t)
        return;
    for (size_t i = 1; i < ARRAY_LEN(names); i++)
        if (streq(t, names[i]))
            s->type = (enum schema_type)i;
    if (s->type != SCHEMA_ANY)
        return;
    size_t mark = path_key(c->path, "type");

    field_unsupported(c->errs, path_z(c->path), t, supported);
    path_pop(c->path, mark);
}

static int64_t bound(const yyjson_val *v, const char *key)
{
    return jget_int(v, -1, key);
}

static void read_bounds(struct schema *s, const yyjson_val *v)
{
    yyjson_val *min = jget(v, "minimum"), *max = jget(v, "maximum");

    s->has_min = yyjson_is_num(min);
    s->has_max = yyjson_is_num(max);
    s->min = yyjson_get_num(min);
    s->max = yyjson_get_num(max);
    s->exclusive_min = jget_bool(v, false, "exclusiveMinimum");
    s->exclusive_max = jget_bool(v, false, "exclusiveMaximum");
    s->multiple_of = yyjson_get_num(jget(v, "multipleOf"));
    s->min_len = bound(v, "minLength");
    s->max_len = bound(v, "maxLength");
    s->min_items = bound(v, "minItems");
    s->max_items = bound(v, "maxItems");
    s->min_props = bound(v, "minProperties");
    s->max_props = bound(v, "maxProperties");
}

static void read_format(struct schema *s, const yyjson_val *v)
{
    const char *f = jget_str(v, "format");

    if (streq(f, "int32"))
        s->format = FORMAT_INT32;
    else if (streq(f, "int64"))
        s->format = FORMAT_INT64;
    else
        s->string_format = string_format_find(f);
}

static void read_extensions(struct compile *c, struct schema *s, const yyjson_val *v)
{
    const char *list = jget_str(v, "x-kubernetes-list-type");
    yyjson_val *keys = jget(v, "x-kubernetes-list-map-keys"), *k;
    size_t i, n;

    s->nullable = jget_bool(v, false, "nullable");
    s->preserve = jget_bool(v, false, "x-kubernetes-preserve-unknown-fields");
    s->int_or_string = jget_bool(v, false, "x-kubernetes-int-or-string");
    s->embedded = jget_bool(v, false, "x-kubernetes-embedded-resource");
    if (streq(list, "set"))
        s->list = LIST_SET;
    else if (streq(list, "map"))
        s->list = LIST_MAP;
    yyjson_arr_foreach(keys, i, n, k) if (yyjson_is_str(k))
        vec_push(&s->map_keys, yyjson_get_str(k));
    if (s->list == LIST_MAP && !s->map_keys.n) {
        size_t mark = path_key(c->path, "x-kubernetes-list-map-keys");

        field_required(c->errs, path_z(c->path),
                       "must not be empty if x-kubernetes-list-type is map");
        path_pop(c->path, mark);
    }
}

static void read_pattern(struct compile *c, struct schema *s, const yyjson_val *v)
{
    const char *text = jget_str(v, "pattern");
    size_t mark = path_key(c->path, "pattern");
    struct err e = {0};

    if (jget(v, "pattern") && !text)
        field_error_add(c->errs, FE_TYPE_INVALID, path_z(c->path), "\"\"", "must be a string");
    if (text && *text && !(s->pattern = pattern_compile(text, &c->room, &e)))
        field_invalid_str(c->errs, path_z(c->path), text,
                          "must be a valid regular expression, but isn't: %s", e.msg);
    s->pattern_text = text;
    path_pop(c->path, mark);
}

static void read_object(struct compile *c, struct schema *s, const yyjson_val *v)
{
    yyjson_val *props = jget(v, "properties"), *add = jget(v, "additionalProperties"), *k, *p;
    yyjson_val *required = jget(v, "required");
    size_t i, n;

    if (yyjson_is_obj(props) && yyjson_obj_size(props)) {
        size_t mark = path_key(c->path, "properties");

        s->props = map_new(free_schema_value);
        yyjson_obj_foreach(props, i, n, k, p)
        {
            size_t key = path_map_key(c->path, yyjson_get_str(k));
            struct schema *child = compile(c, p);

            path_pop(c->path, key);
            if (child)
                map_set(s->props, yyjson_get_str(k), child);
        }
        path_pop(c->path, mark);
    }
    if (yyjson_is_bool(add)) {
        s->additional_any = yyjson_get_bool(add);
        s->forbids_additional = !s->additional_any;
    } else if (yyjson_is_obj(add)) {
        s->additional = below(c, "additionalProperties", add);
    }
    yyjson_arr_foreach(required, i, n, k) if (yyjson_is_str(k))
        vec_push(&s->required, yyjson_get_str(k));
}

static void read_several(struct compile *c, schema_vec *to, const char *key, const yyjson_val *v)
{
    yyjson_val *list = jget(v, key), *one;
    size_t i, n, mark = path_key(c->path, key);

    yyjson_arr_foreach(list, i, n, one)
    {
        size_t at = path_index(c->path, i);
        struct schema *s = compile(c, one);

        path_pop(c->path, at);
        if (s)
            vec_push(to, s);
    }
    path_pop(c->path, mark);
}

static void read_refused(struct compile *c, const yyjson_val *v)
{
    static const char *const keys[] = {
        "$ref",       "definitions", "dependencies", "patternProperties", "additionalItems",
        "uniqueItems"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        yyjson_val *f = jget(v, keys[i]);

        if (!f || yyjson_is_null(f) || (yyjson_is_bool(f) && !yyjson_get_bool(f)))
            continue;
        size_t mark = path_key(c->path, keys[i]);

        field_error_add(c->errs, FE_FORBIDDEN, path_z(c->path), NULL, "%s is not supported",
                        keys[i]);
        path_pop(c->path, mark);
    }
}

static struct schema *compile(struct compile *c, const yyjson_val *v)
{
    if (!yyjson_is_obj((void *)(uintptr_t)v)) {
        field_error_add(c->errs, FE_TYPE_INVALID, path_z(c->path), "\"schema\"",
                        "must be an object");
        return NULL;
    }
    if (c->depth >= MAX_SCHEMA_DEPTH) {
        field_error_add(c->errs, FE_TOO_LONG, path_z(c->path), NULL,
                        "schemas may be nested %d deep", MAX_SCHEMA_DEPTH);
        return NULL;
    }
    struct schema *s = xnew(struct schema);

    c->depth++;
    read_type(c, s, v);
    read_bounds(s, v);
    read_format(s, v);
    read_extensions(c, s, v);
    read_pattern(c, s, v);
    read_object(c, s, v);
    read_refused(c, v);
    if (yyjson_is_obj(jget(v, "items")))
        s->items = below(c, "items", jget(v, "items"));
    if (yyjson_is_obj(jget(v, "not")))
        s->not_ = below(c, "not", jget(v, "not"));
    read_several(c, &s->all_of, "allOf", v);
    read_several(c, &s->any_of, "anyOf", v);
    read_several(c, &s->one_of, "oneOf", v);
    s->def = jget(v, "default");
    s->one_of_values = jget(v, "enum");
    c->depth--;
    return s;
}

struct schema *schema_compile(const yyjson_val *v, struct field_path *path,
                              struct field_errors *errs)
{
    struct compile c = {path, errs, 0, SCHEMA_PATTERN_ROOM};
    size_t before = errs->v.n;
    struct schema *s = compile(&c, v);

    if (errs->v.n == before)
        return s;
    schema_free(s);
    return NULL;
}
