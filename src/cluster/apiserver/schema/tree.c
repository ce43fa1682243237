/* Walks are recursive: depth is bounded where documents come in (LIMIT_JSON_DEPTH). */
#include "cluster/apiserver/schema/tree.h"

#include "base/map.h"

#define MANY_KEYS 16 /* from here on duplicates are looked for by hash */

static bool num_equal(const yyjson_mut_val *a, const yyjson_mut_val *b)
{
    bool ra = yyjson_mut_is_real((void *)(uintptr_t)a),
         rb = yyjson_mut_is_real((void *)(uintptr_t)b);
    yyjson_mut_val *ma = (void *)(uintptr_t)a, *mb = (void *)(uintptr_t)b;

    if (ra || rb)
        return yyjson_mut_get_num(ma) == yyjson_mut_get_num(mb);
    if (yyjson_mut_is_sint(ma) != yyjson_mut_is_sint(mb) &&
        (yyjson_mut_get_sint(ma) < 0 || yyjson_mut_get_sint(mb) < 0))
        return false;
    return yyjson_mut_get_uint(ma) == yyjson_mut_get_uint(mb);
}

/* An immutable value has the same tag and union as a mutable one, so scalars compare through the
 * mutable view. */
static bool scalar_equal(const yyjson_mut_val *a, const yyjson_mut_val *b)
{
    yyjson_mut_val *ma = (void *)(uintptr_t)a, *mb = (void *)(uintptr_t)b;

    if (yyjson_mut_get_type(ma) != yyjson_mut_get_type(mb))
        return false;
    switch (yyjson_mut_get_type(ma)) {
    case YYJSON_TYPE_NUM:
        return num_equal(a, b);
    case YYJSON_TYPE_BOOL:
        return yyjson_mut_get_bool(ma) == yyjson_mut_get_bool(mb);
    case YYJSON_TYPE_STR:
        return yyjson_mut_get_len(ma) == yyjson_mut_get_len(mb) &&
               !memcmp(yyjson_mut_get_str(ma), yyjson_mut_get_str(mb), yyjson_mut_get_len(ma));
    default:
        return true;
    }
}

static bool obj_equal(yyjson_mut_val *a, yyjson_val *b)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(a);

    if (yyjson_mut_obj_size(a) != yyjson_obj_size(b))
        return false;
    yyjson_obj_iter ib = yyjson_obj_iter_with(b);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_val *other = yyjson_obj_iter_getn(&ib, yyjson_mut_get_str(k), yyjson_mut_get_len(k));

        if (!other || !tree_equal(yyjson_mut_obj_iter_get_val(k), other))
            return false;
    }
    return true;
}

bool tree_equal(const yyjson_mut_val *ca, const yyjson_val *cb)
{
    yyjson_mut_val *a = (void *)(uintptr_t)ca;
    yyjson_val *b = (void *)(uintptr_t)cb;

    if (!a || !b)
        return !a && !b;
    if (yyjson_mut_is_obj(a))
        return yyjson_is_obj(b) && obj_equal(a, b);
    if (!yyjson_mut_is_arr(a))
        return !yyjson_is_ctn(b) && scalar_equal(a, (const yyjson_mut_val *)(const void *)b);
    if (!yyjson_is_arr(b) || yyjson_mut_arr_size(a) != yyjson_arr_size(b))
        return false;
    yyjson_mut_arr_iter ia = yyjson_mut_arr_iter_with(a);
    yyjson_arr_iter ib = yyjson_arr_iter_with(b);

    for (yyjson_mut_val *v; (v = yyjson_mut_arr_iter_next(&ia));)
        if (!tree_equal(v, yyjson_arr_iter_next(&ib)))
            return false;
    return true;
}

static bool obj_same(yyjson_mut_val *a, yyjson_mut_val *b)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(a);

    if (yyjson_mut_obj_size(a) != yyjson_mut_obj_size(b))
        return false;
    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_mut_val *other =
            yyjson_mut_obj_getn(b, yyjson_mut_get_str(k), yyjson_mut_get_len(k));

        if (!other || !tree_same(yyjson_mut_obj_iter_get_val(k), other))
            return false;
    }
    return true;
}

bool tree_same(const yyjson_mut_val *ca, const yyjson_mut_val *cb)
{
    yyjson_mut_val *a = (void *)(uintptr_t)ca, *b = (void *)(uintptr_t)cb;

    if (!a || !b)
        return !a && !b;
    if (yyjson_mut_is_obj(a))
        return yyjson_mut_is_obj(b) && obj_same(a, b);
    if (!yyjson_mut_is_arr(a))
        return !yyjson_mut_is_ctn(b) && scalar_equal(a, b);
    if (!yyjson_mut_is_arr(b) || yyjson_mut_arr_size(a) != yyjson_mut_arr_size(b))
        return false;
    yyjson_mut_arr_iter ia = yyjson_mut_arr_iter_with(a), ib = yyjson_mut_arr_iter_with(b);

    for (yyjson_mut_val *v; (v = yyjson_mut_arr_iter_next(&ia));)
        if (!tree_same(v, yyjson_mut_arr_iter_next(&ib)))
            return false;
    return true;
}

static bool listed(const char *key, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        if (streq(key, list[i]))
            return true;
    return false;
}

bool tree_equal_without(const yyjson_mut_val *a, const yyjson_val *b, const char *const *without)
{
    size_t na = 0, nb = 0;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with((void *)(uintptr_t)a);
    yyjson_obj_iter ib = yyjson_obj_iter_with((void *)(uintptr_t)b);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        if (listed(yyjson_mut_get_str(k), without))
            continue;
        na++;
        if (!tree_equal(yyjson_mut_obj_iter_get_val(k),
                        yyjson_obj_get((void *)(uintptr_t)b, yyjson_mut_get_str(k))))
            return false;
    }
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&ib));)
        nb += !listed(yyjson_get_str(k), without);
    return na == nb;
}

void tree_drop_nulls(yyjson_mut_val *v)
{
    if (yyjson_mut_is_arr(v)) {
        TREE_EACH(item, v)
        tree_drop_nulls(item);
        return;
    }
    if (!yyjson_mut_is_obj(v))
        return;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_mut_val *m = yyjson_mut_obj_iter_get_val(k);

        if (yyjson_mut_is_null(m))
            yyjson_mut_obj_iter_remove(&it);
        else
            tree_drop_nulls(m);
    }
}

struct unique {
    struct field_path path;
    void (*dup)(void *ctx, const char *path);
    void *ctx;
};

static bool has_duplicate(yyjson_mut_val *o)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(o), before;

    if (yyjson_mut_obj_size(o) > MANY_KEYS)
        return true; /* the other way finds out */
    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        before = yyjson_mut_obj_iter_with(o);
        for (yyjson_mut_val *b; (b = yyjson_mut_obj_iter_next(&before)) && b != k;)
            if (streq(yyjson_mut_get_str(b), yyjson_mut_get_str(k)))
                return true;
    }
    return false;
}

/* Takes the pairs out and puts back the last one of each key. */
static void unique_obj(struct unique *u, yyjson_mut_val *o)
{
    VEC(yyjson_mut_val *) keys = {0}, vals = {0};
    struct map *last = map_new(NULL);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(o);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        vec_push(&keys, k);
        vec_push(&vals, yyjson_mut_obj_iter_get_val(k));
        map_set(last, yyjson_mut_get_str(k), k);
    }
    if (map_len(last) < keys.n) {
        yyjson_mut_obj_clear(o);
        for (size_t i = 0; i < keys.n; i++) {
            const char *key = yyjson_mut_get_str(keys.p[i]);

            if (map_get(last, key) == keys.p[i]) {
                yyjson_mut_obj_add(o, keys.p[i], vals.p[i]);
                continue;
            }
            size_t mark = path_key(&u->path, key);

            u->dup(u->ctx, path_z(&u->path));
            path_pop(&u->path, mark);
        }
    }
    map_free(last);
    vec_done(&keys);
    vec_done(&vals);
}

static void unique(struct unique *u, yyjson_mut_val *v)
{
    size_t i = 0;

    if (yyjson_mut_is_arr(v)) {
        TREE_EACH(item, v)
        {
            size_t mark = path_index(&u->path, i++);

            unique(u, item);
            path_pop(&u->path, mark);
        }
        return;
    }
    if (!yyjson_mut_is_obj(v))
        return;
    if (has_duplicate(v))
        unique_obj(u, v);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        if (!yyjson_mut_is_ctn(yyjson_mut_obj_iter_get_val(k)))
            continue;
        size_t mark = path_key(&u->path, yyjson_mut_get_str(k));

        unique(u, yyjson_mut_obj_iter_get_val(k));
        path_pop(&u->path, mark);
    }
}

void tree_unique(yyjson_mut_val *root, void (*dup)(void *ctx, const char *path), void *ctx)
{
    struct unique u = {FIELD_PATH_INIT, dup, ctx};

    unique(&u, root);
    field_path_donep(&u.path);
}

void tree_default_str(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const char *v)
{
    const char *now = yyjson_mut_get_str(yyjson_mut_obj_get(o, key));

    if (!now || !*now)
        jm_set_str(d, o, v, key);
}

void tree_default_int(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t v)
{
    if (!yyjson_mut_obj_get(o, key))
        jm_set_int(d, o, v, key);
}

void tree_default_bool(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, bool v)
{
    if (!yyjson_mut_obj_get(o, key))
        jm_set_bool(d, o, v, key);
}

void tree_default_obj(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key)
{
    if (!yyjson_mut_obj_get(o, key))
        jm_obj(d, o, key);
}

void tree_type_first(yyjson_mut_doc *d, yyjson_mut_val *root)
{
    static const char *const keys[] = {"kind", "apiVersion"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        yyjson_mut_val *v = yyjson_mut_obj_remove_key(root, keys[i]);

        if (v)
            yyjson_mut_obj_insert(root, yyjson_mut_str(d, keys[i]), v, 0);
    }
}
