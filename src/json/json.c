/* Paths are lists of keys that end in NULL; what sets a field makes the objects on its way. */
#include "json/json.h"

#include <errno.h>
#include <math.h>

#include "base/limits.h"

/* yyjson parses without recursion but writers and walkers recurse, so depth is checked up front. */
static int check_depth(const char *p, size_t n, struct err *e)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH)
                return err_set(e, -EINVAL, "JSON is nested deeper than %d levels",
                               LIMIT_JSON_DEPTH);
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return 0;
}

static void position(const char *p, size_t at, int *ret_line, int *ret_col)
{
    *ret_line = *ret_col = 1;
    for (size_t i = 0; i < at; i++) {
        (*ret_col)++;
        if (p[i] == '\n') {
            (*ret_line)++;
            *ret_col = 1;
        }
    }
}

yyjson_doc *json_parse(const char *p, size_t n, struct err *e)
{
    yyjson_read_err re;
    int line, col;

    if (check_depth(p, n, e) < 0)
        return NULL;
    yyjson_doc *d = yyjson_read_opts((char *)(uintptr_t)p, n, YYJSON_READ_NOFLAG, NULL, &re);
    if (d)
        return d;
    position(p, re.pos < n ? re.pos : n, &line, &col);
    err_set(e, -EINVAL, "invalid JSON at line %d column %d: %s", line, col, re.msg);
    return NULL;
}

char *json_text(const yyjson_val *v, size_t *ret_n)
{
    size_t n = 0;
    char *p = yyjson_val_write(v, YYJSON_WRITE_NOFLAG, &n);

    if (ret_n)
        *ret_n = p ? n : 0;
    return p ? p : xstrdup("");
}

char *json_mut_text(const yyjson_mut_val *v, size_t *ret_n)
{
    size_t n = 0;
    char *p = yyjson_mut_val_write(v, YYJSON_WRITE_NOFLAG, &n);

    if (ret_n)
        *ret_n = p ? n : 0;
    return p ? p : xstrdup("");
}

yyjson_val *jget_p(const yyjson_val *v, const char *const *path)
{
    yyjson_val *at = (yyjson_val *)(uintptr_t)v;

    for (; at && *path; path++)
        at = yyjson_obj_get(at, *path);
    return at;
}

const char *jget_str_p(const yyjson_val *v, const char *const *path)
{
    return yyjson_get_str(jget_p(v, path));
}

int64_t jget_int_p(const yyjson_val *v, int64_t def, const char *const *path)
{
    yyjson_val *x = jget_p(v, path);

    if (yyjson_is_int(x))
        return yyjson_get_sint(x);
    if (yyjson_is_real(x) && fabs(yyjson_get_real(x)) < 9e18)
        return (int64_t)yyjson_get_real(x);
    return def;
}

bool jget_bool_p(const yyjson_val *v, bool def, const char *const *path)
{
    yyjson_val *x = jget_p(v, path);

    return yyjson_is_bool(x) ? yyjson_get_bool(x) : def;
}

static bool num_equal(const yyjson_val *a, const yyjson_val *b)
{
    yyjson_val *x = (yyjson_val *)(uintptr_t)a, *y = (yyjson_val *)(uintptr_t)b;

    if (yyjson_is_real(x) || yyjson_is_real(y))
        return yyjson_get_num(x) == yyjson_get_num(y);
    /* Equal bits are equal numbers unless one means a negative one and the other one beyond int64.
     */
    if (yyjson_is_sint(x) != yyjson_is_sint(y) && yyjson_get_uint(x) > INT64_MAX)
        return false;
    return yyjson_get_uint(x) == yyjson_get_uint(y);
}

bool json_equal(const yyjson_val *av, const yyjson_val *bv)
{
    yyjson_val *a = (yyjson_val *)(uintptr_t)av, *b = (yyjson_val *)(uintptr_t)bv;
    size_t i, max;
    yyjson_val *k, *v;

    if (!a || !b)
        return a == b;
    if (yyjson_get_type(a) != yyjson_get_type(b))
        return false;
    switch (yyjson_get_type(a)) {
    case YYJSON_TYPE_OBJ:
        if (yyjson_obj_size(a) != yyjson_obj_size(b))
            return false;
        yyjson_obj_foreach(a, i, max, k, v)
        {
            yyjson_val *other = yyjson_obj_getn(b, yyjson_get_str(k), yyjson_get_len(k));
            if (!other || !json_equal(v, other))
                return false;
        }
        return true;
    case YYJSON_TYPE_ARR: {
        if (yyjson_arr_size(a) != yyjson_arr_size(b))
            return false;
        yyjson_arr_iter it;
        yyjson_arr_iter_init(b, &it);
        yyjson_arr_foreach(a, i, max, v)
        {
            if (!json_equal(v, yyjson_arr_iter_next(&it)))
                return false;
        }
        return true;
    }
    case YYJSON_TYPE_STR:
        return yyjson_get_len(a) == yyjson_get_len(b) &&
               memcmp(yyjson_get_str(a), yyjson_get_str(b), yyjson_get_len(a)) == 0;
    case YYJSON_TYPE_NUM:
        return num_equal(a, b);
    case YYJSON_TYPE_BOOL:
        return yyjson_get_bool(a) == yyjson_get_bool(b);
    default:
        return true;
    }
}

yyjson_mut_val *jm_get_p(const yyjson_mut_val *v, const char *const *path)
{
    yyjson_mut_val *at = (yyjson_mut_val *)(uintptr_t)v;

    for (; at && *path; path++)
        at = yyjson_mut_obj_get(at, *path);
    return at;
}

const char *jm_get_str_p(const yyjson_mut_val *v, const char *const *path)
{
    return yyjson_mut_get_str(jm_get_p(v, path));
}

int64_t jm_get_int_p(const yyjson_mut_val *v, int64_t def, const char *const *path)
{
    yyjson_mut_val *x = jm_get_p(v, path);

    return yyjson_mut_is_int(x) ? yyjson_mut_get_sint(x) : def;
}

bool jm_get_bool_p(const yyjson_mut_val *v, bool def, const char *const *path)
{
    yyjson_mut_val *x = jm_get_p(v, path);

    return yyjson_mut_is_bool(x) ? yyjson_mut_get_bool(x) : def;
}

/*
 * Replaces in place, so that the member keeps its position. Replacing copies the value into the old
 * one's node: what is to be changed further is the returned value, not v.
 */
static yyjson_mut_val *put(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_mut_val *v)
{
    yyjson_mut_val *k = yyjson_mut_strcpy(d, key);

    if (!yyjson_mut_obj_get(o, key)) {
        yyjson_mut_obj_add(o, k, v);
        return v;
    }
    yyjson_mut_obj_replace(o, k, v);
    return yyjson_mut_obj_get(o, key);
}

/* The object that holds the last key of the path; makes those on the way. */
static yyjson_mut_val *parent_of(yyjson_mut_doc *d, yyjson_mut_val *o, const char *const **path)
{
    while ((*path)[1]) {
        yyjson_mut_val *next = yyjson_mut_obj_get(o, **path);
        if (!yyjson_mut_is_obj(next))
            next = put(d, o, **path, yyjson_mut_obj(d));
        o = next;
        (*path)++;
    }
    return o;
}

void jm_set_p(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_mut_val *v, const char *const *path)
{
    o = parent_of(d, o, &path);
    put(d, o, *path, v);
}

void jm_set_str_p(yyjson_mut_doc *d, yyjson_mut_val *o, const char *v, const char *const *path)
{
    if (v)
        jm_set_p(d, o, yyjson_mut_strcpy(d, v), path);
    else
        jm_del_p(o, path);
}

void jm_set_int_p(yyjson_mut_doc *d, yyjson_mut_val *o, int64_t v, const char *const *path)
{
    jm_set_p(d, o, yyjson_mut_sint(d, v), path);
}

void jm_set_bool_p(yyjson_mut_doc *d, yyjson_mut_val *o, bool v, const char *const *path)
{
    jm_set_p(d, o, yyjson_mut_bool(d, v), path);
}

void jm_set_copy_p(yyjson_mut_doc *d, yyjson_mut_val *o, const yyjson_val *v,
                   const char *const *path)
{
    if (v)
        jm_set_p(d, o, yyjson_val_mut_copy(d, (yyjson_val *)(uintptr_t)v), path);
    else
        jm_del_p(o, path);
}

void jm_del_p(yyjson_mut_val *o, const char *const *path)
{
    for (; o && path[1]; path++)
        o = yyjson_mut_obj_get(o, *path);
    if (yyjson_mut_is_obj(o))
        yyjson_mut_obj_remove_key(o, *path);
}

yyjson_mut_val *jm_obj_p(yyjson_mut_doc *d, yyjson_mut_val *o, const char *const *path)
{
    o = parent_of(d, o, &path);
    yyjson_mut_val *v = yyjson_mut_obj_get(o, *path);
    return yyjson_mut_is_obj(v) ? v : put(d, o, *path, yyjson_mut_obj(d));
}

yyjson_mut_val *jm_arr_p(yyjson_mut_doc *d, yyjson_mut_val *o, const char *const *path)
{
    o = parent_of(d, o, &path);
    yyjson_mut_val *v = yyjson_mut_obj_get(o, *path);
    return yyjson_mut_is_arr(v) ? v : put(d, o, *path, yyjson_mut_arr(d));
}

yyjson_mut_val *jm_add_obj(yyjson_mut_doc *d, yyjson_mut_val *arr)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);

    yyjson_mut_arr_append(arr, o);
    return o;
}

void jm_add_str(yyjson_mut_doc *d, yyjson_mut_val *arr, const char *s)
{
    yyjson_mut_arr_append(arr, yyjson_mut_strcpy(d, s));
}
