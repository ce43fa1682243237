/*
 * Pruning and defaulting walk object and schema side by side. A node that preserves unknown fields
 * still prunes and defaults the fields that it names. An embedded resource keeps its apiVersion,
 * kind and metadata, like the root.
 */
#include "cluster/apiserver/schema/schema.h"
#include "cluster/apiserver/schema/tree.h"

struct prune {
    struct field_path path;
    void (*unknown)(void *ctx, const char *path);
    void *ctx;
};

static bool is_type_field(const char *key)
{
    return streq(key, "apiVersion") || streq(key, "kind") || streq(key, "metadata");
}

static void prune(struct prune *p, const struct schema *s, yyjson_mut_val *v, bool resource);

static void prune_object(struct prune *p, const struct schema *s, yyjson_mut_val *o, bool resource)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(o);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        const char *key = yyjson_mut_get_str(k);
        const struct schema *child = s->props ? map_get(s->props, key) : NULL;

        if (resource && is_type_field(key))
            continue;
        if (!child)
            child = s->additional;
        size_t mark = path_key(&p->path, key);

        if (child)
            prune(p, child, yyjson_mut_obj_iter_get_val(k), child->embedded);
        else if (!s->preserve && !s->additional_any) {
            if (p->unknown)
                p->unknown(p->ctx, path_z(&p->path));
            yyjson_mut_obj_iter_remove(&it);
        }
        path_pop(&p->path, mark);
    }
}

static void prune(struct prune *p, const struct schema *s, yyjson_mut_val *v, bool resource)
{
    size_t i = 0;

    if (yyjson_mut_is_obj(v)) {
        prune_object(p, s, v, resource);
        return;
    }
    if (!yyjson_mut_is_arr(v) || !s->items)
        return;
    TREE_EACH(item, v)
    {
        size_t mark = path_index(&p->path, i++);

        prune(p, s->items, item, s->items->embedded);
        path_pop(&p->path, mark);
    }
}

void schema_prune(const struct schema *s, yyjson_mut_val *root,
                  void (*unknown)(void *ctx, const char *path), void *ctx)
{
    struct prune p = {FIELD_PATH_INIT, unknown, ctx};

    prune(&p, s, root, true);
    field_path_donep(&p.path);
}

static void fill(const struct schema *s, yyjson_mut_doc *d, yyjson_mut_val *v);

static void fill_one(const struct schema *s, yyjson_mut_doc *d, yyjson_mut_val *o, const char *key)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(o, key);

    if (s->def && (!v || (yyjson_mut_is_null(v) && !s->nullable)))
        jm_set_copy(d, o, s->def, key);
    v = yyjson_mut_obj_get(o, key);
    if (v)
        fill(s, d, v);
}

static void fill(const struct schema *s, yyjson_mut_doc *d, yyjson_mut_val *v)
{
    const char *key;
    struct schema *child;

    if (yyjson_mut_is_arr(v) && s->items) {
        TREE_EACH(item, v)
        fill(s->items, d, item);
        return;
    }
    if (!yyjson_mut_is_obj(v))
        return;
    for (size_t it = 0; s->props && map_next(s->props, &it, &key, &child);)
        fill_one(child, d, v, key);
    if (!s->additional)
        return;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);

    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));)
        if (!s->props || !map_has(s->props, yyjson_mut_get_str(k)))
            fill(s->additional, d, yyjson_mut_obj_iter_get_val(k));
}

void schema_default(const struct schema *s, yyjson_mut_doc *d, yyjson_mut_val *root)
{
    fill(s, d, root);
}
