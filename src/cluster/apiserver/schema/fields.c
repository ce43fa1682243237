/*
 * The texts follow k8s.io/apimachinery's field.Error: "PATH: TYPE[: VALUE][: DETAIL]", where
 * Required, Forbidden and Too long show no value.
 */
#include "cluster/apiserver/schema/fields.h"

#include <stdio.h>

#define MAX_ERRORS 100
#define MAX_VALUE  1024

static const struct {
    const char *words, *reason;
    bool shows_value;
} types[] = {
    [FE_REQUIRED] = {"Required value", "FieldValueRequired", false},
    [FE_INVALID] = {"Invalid value", "FieldValueInvalid", true},
    [FE_TYPE_INVALID] = {"Invalid value", "FieldValueTypeInvalid", true},
    [FE_UNSUPPORTED] = {"Unsupported value", "FieldValueNotSupported", true},
    [FE_DUPLICATE] = {"Duplicate value", "FieldValueDuplicate", true},
    [FE_FORBIDDEN] = {"Forbidden", "FieldValueForbidden", false},
    [FE_TOO_LONG] = {"Too long", "FieldValueTooLong", false},
    [FE_TOO_MANY] = {"Too many", "FieldValueTooMany", true},
    [FE_NOT_FOUND] = {"Not found", "FieldValueNotFound", true},
};

void field_errors_done(struct field_errors *f)
{
    for (size_t i = 0; i < f->v.n; i++) {
        free(f->v.p[i].path);
        free(f->v.p[i].text);
    }
    vec_done(&f->v);
}

const char *field_error_reason(enum field_error_type t)
{
    return types[t].reason;
}

static void add(struct field_errors *f, enum field_error_type type, const char *path,
                const char *value, const char *fmt, va_list ap)
{
    _cleanup_buf_ struct buf b = BUF_INIT(8192);

    if (f->v.n >= MAX_ERRORS) {
        f->dropped++;
        return;
    }
    buf_addz(&b, types[type].words);
    if (value && types[type].shows_value)
        buf_addf(&b, ": %.*s", MAX_VALUE, value);
    if (fmt && *fmt) {
        buf_addz(&b, ": ");
        buf_vaddf(&b, fmt, ap);
    }
    struct field_error e = {type, xstrdup(path), buf_steal(&b, NULL)};
    vec_push(&f->v, e);
}

void field_error_add(struct field_errors *f, enum field_error_type type, const char *path,
                     const char *value, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(f, type, path, value, fmt, ap);
    va_end(ap);
}

void field_required(struct field_errors *f, const char *path, const char *detail)
{
    field_error_add(f, FE_REQUIRED, path, NULL, detail ? "%s" : NULL, detail);
}

void field_invalid_str(struct field_errors *f, const char *path, const char *value, const char *fmt,
                       ...)
{
    _cleanup_buf_ struct buf b = BUF_INIT(2 * MAX_VALUE);
    va_list ap;

    go_quote(&b, value ? value : "");
    va_start(ap, fmt);
    add(f, FE_INVALID, path, buf_z(&b), fmt, ap);
    va_end(ap);
}

void field_invalid_int(struct field_errors *f, const char *path, int64_t value, const char *fmt,
                       ...)
{
    char num[32];
    va_list ap;

    snprintf(num, sizeof(num), "%lld", (long long)value);
    va_start(ap, fmt);
    add(f, FE_INVALID, path, num, fmt, ap);
    va_end(ap);
}

void field_unsupported(struct field_errors *f, const char *path, const char *value,
                       const char *const *supported)
{
    _cleanup_buf_ struct buf v = BUF_INIT(2 * MAX_VALUE), list = BUF_INIT(8192);

    go_quote(&v, value ? value : "");
    for (size_t i = 0; supported[i]; i++) {
        if (i)
            buf_addz(&list, ", ");
        go_quote(&list, supported[i]);
    }
    field_error_add(f, FE_UNSUPPORTED, path, buf_z(&v), "supported values: %s", buf_z(&list));
}

void field_duplicate(struct field_errors *f, const char *path, const char *value)
{
    _cleanup_buf_ struct buf v = BUF_INIT(2 * MAX_VALUE);

    go_quote(&v, value ? value : "");
    field_error_add(f, FE_DUPLICATE, path, buf_z(&v), NULL);
}

void go_quote(struct buf *out, const char *s)
{
    buf_addc(out, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c == '\n')
            buf_addz(out, "\\n");
        else if (c == '\t')
            buf_addz(out, "\\t");
        else if (c == '\r')
            buf_addz(out, "\\r");
        else if (c < 0x20 || c == 0x7f)
            buf_addf(out, "\\x%02x", c);
        else
            buf_addc(out, *s);
    }
    buf_addc(out, '"');
}

static void go_map(struct buf *out, const yyjson_mut_val *v)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with((yyjson_mut_val *)(uintptr_t)v);
    const char *sep = "";

    buf_addz(out, "map[string]interface {}{");
    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it)); sep = ", ") {
        buf_addz(out, sep);
        go_quote(out, yyjson_mut_get_str(k));
        buf_addc(out, ':');
        go_value(out, yyjson_mut_obj_iter_get_val(k));
    }
    buf_addc(out, '}');
}

static void go_list(struct buf *out, const yyjson_mut_val *v)
{
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with((yyjson_mut_val *)(uintptr_t)v);
    const char *sep = "";

    buf_addz(out, "[]interface {}{");
    for (yyjson_mut_val *i; (i = yyjson_mut_arr_iter_next(&it)); sep = ", ") {
        buf_addz(out, sep);
        go_value(out, i);
    }
    buf_addc(out, '}');
}

void go_value(struct buf *out, const yyjson_mut_val *cv)
{
    yyjson_mut_val *v = (yyjson_mut_val *)(uintptr_t)cv;

    if (out->n > MAX_VALUE)
        return;
    switch (yyjson_mut_get_type(v)) {
    case YYJSON_TYPE_STR:
        go_quote(out, yyjson_mut_get_str(v));
        break;
    case YYJSON_TYPE_BOOL:
        buf_addz(out, yyjson_mut_get_bool(v) ? "true" : "false");
        break;
    case YYJSON_TYPE_NUM:
        if (yyjson_mut_is_real(v))
            buf_addf(out, "%g", yyjson_mut_get_real(v));
        else if (yyjson_mut_is_uint(v))
            buf_addf(out, "%llu", (unsigned long long)yyjson_mut_get_uint(v));
        else
            buf_addf(out, "%lld", (long long)yyjson_mut_get_sint(v));
        break;
    case YYJSON_TYPE_OBJ:
        go_map(out, v);
        break;
    case YYJSON_TYPE_ARR:
        go_list(out, v);
        break;
    default:
        buf_addz(out, "null");
    }
}

bool utf8_valid(const void *bytes, size_t n)
{
    const unsigned char *p = bytes, *end = p + n;

    while (p < end) {
        unsigned char c = *p++;
        size_t more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        unsigned low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        unsigned high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;

        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || (size_t)(end - p) < more)
            return false;
        for (; more; more--, low = 0x80, high = 0xbf)
            if (*p < low || *p++ > high)
                return false;
    }
    return true;
}

/* Walks go down at every key of an object: no formatting here. */
size_t path_key(struct field_path *p, const char *key)
{
    size_t mark = p->b.n;

    if (mark)
        buf_addc(&p->b, '.');
    buf_addz(&p->b, key);
    return mark;
}

size_t path_index(struct field_path *p, size_t i)
{
    size_t mark = p->b.n, at = 24;
    char num[24];

    num[--at] = ']';
    do
        num[--at] = (char)('0' + i % 10);
    while (i /= 10);
    num[--at] = '[';
    buf_add(&p->b, num + at, sizeof(num) - at);
    return mark;
}

size_t path_map_key(struct field_path *p, const char *key)
{
    size_t mark = p->b.n;

    buf_addc(&p->b, '[');
    buf_addz(&p->b, key);
    buf_addc(&p->b, ']');
    return mark;
}

void path_pop(struct field_path *p, size_t mark)
{
    if (!p->b.p)
        return;
    p->b.n = mark;
    p->b.p[mark] = '\0';
}
