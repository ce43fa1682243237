/*
 * Strategic merge patch. Objects merge member by member as in a merge patch; lists whose path has a
 * merge key merge item by item. Directives are members whose name begins with "$"; they act and
 * never reach the result.
 *
 * The order of a merged list follows the API server's: items named by the patch come in the patch's
 * order, items only the target has keep theirs, and where the target's order does not decide
 * between the two, the patch's come first.
 */
#include <errno.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/vec.h"
#include "json/jindex.h"
#include "json/patch.h"

#define DELETE_LIST "$deleteFromPrimitiveList/"
#define ORDER_LIST  "$setElementOrder/"

struct run {
    yyjson_mut_doc *d;
    patch_merge_key_fn *keys;
    void *ctx;
    struct buf path;
    struct err *e;
    int r; /* the first failure */
};

/* One item of a list being merged. */
struct item {
    yyjson_val *key;       /* merge key's value, or the scalar itself */
    yyjson_mut_val *value; /* in the result's document */
    size_t server_at;      /* index in the target's list, or SIZE_MAX */
    size_t patch_at;       /* index in the order the patch asks for, or SIZE_MAX */
};
typedef VEC(struct item) item_vec;

static yyjson_mut_val *merge_object(struct run *run, yyjson_val *target, yyjson_val *patch);

static void set_fail(struct run *run, int code, const char *why)
{
    if (run->r == 0)
        run->r = err_set(run->e, code, "strategic merge patch: %s: %s",
                         run->path.n ? run->path.p : "the document", why);
}

static size_t push(struct run *run, const char *field)
{
    size_t was = run->path.n;

    if ((was && buf_addc(&run->path, '.') < 0) || buf_addz(&run->path, field) < 0)
        set_fail(run, -E2BIG, "the path of fields is too long");
    return was;
}

static void pop(struct run *run, size_t was)
{
    run->path.n = was;
    if (run->path.p)
        run->path.p[was] = '\0';
}

static bool is_directive(yyjson_val *key)
{
    const char *s = yyjson_get_str(key);

    return streq(s, "$patch") || streq(s, "$retainKeys") || z_starts(s, DELETE_LIST) ||
           z_starts(s, ORDER_LIST);
}

/* The member of the patch that directs a list: prefix and the list's name. */
static yyjson_val *directive_for(yyjson_val *patch, const char *prefix, const char *field)
{
    _cleanup_free_ char *name = xasprintf("%s%s", prefix, field);
    yyjson_val *v = jget(patch, name);

    return yyjson_is_arr(v) ? v : NULL;
}

static bool in_list(yyjson_val *list, yyjson_val *v)
{
    size_t i, max;
    yyjson_val *item;

    yyjson_arr_foreach(list, i, max, item)
    {
        if (json_equal(item, v))
            return true;
    }
    return false;
}

/* ---- lists ---- */

static yyjson_val *key_of(struct run *run, yyjson_val *item, const char *merge_key)
{
    yyjson_val *k = *merge_key ? jget(item, merge_key) : item;

    if (!k || yyjson_is_ctn(k)) {
        if (run->r == 0)
            run->r = err_set(run->e, -EINVAL, "strategic merge patch: an item of %s has no %s%s%s",
                             run->path.p, *merge_key ? "\"" : "scalar value", merge_key,
                             *merge_key ? "\" to merge by" : "");
        return NULL;
    }
    return k;
}

static struct item *find(item_vec *items, yyjson_val *key)
{
    for (size_t i = 0; i < items->n; i++) {
        if (json_equal(items->p[i].key, key))
            return &items->p[i];
    }
    return NULL;
}

static void take_target(struct run *run, item_vec *items, yyjson_val *list, const char *merge_key)
{
    size_t i, max;
    yyjson_val *v;

    yyjson_arr_foreach(list, i, max, v)
    {
        yyjson_val *k = key_of(run, v, merge_key);
        if (!k)
            return;
        if (*merge_key || !find(items, k))
            vec_push(items, ((struct item){k, yyjson_val_mut_copy(run->d, v), i, SIZE_MAX}));
    }
}

static void drop(item_vec *items, yyjson_val *key)
{
    for (size_t i = items->n; i-- > 0;) {
        if (json_equal(items->p[i].key, key))
            vec_remove(items, i);
    }
}

static yyjson_val *original(yyjson_val *list, const struct item *it)
{
    return it && it->server_at != SIZE_MAX ? yyjson_arr_get(list, it->server_at) : NULL;
}

static void take_patch_item(struct run *run, item_vec *items, yyjson_val *target, yyjson_val *v,
                            const char *merge_key, size_t at)
{
    const char *directive = yyjson_is_obj(v) ? jget_str(v, "$patch") : NULL;

    if (streq(directive, "replace"))
        return;
    yyjson_val *k = key_of(run, v, merge_key);
    if (!k)
        return;
    if (streq(directive, "delete")) {
        drop(items, k);
        return;
    }
    struct item *it = find(items, k);
    yyjson_mut_val *value =
        *merge_key ? merge_object(run, original(target, it), v) : yyjson_val_mut_copy(run->d, v);
    if (it)
        *it = (struct item){k, value, it->server_at, at};
    else
        vec_push(items, ((struct item){k, value, SIZE_MAX, at}));
}

/* A lone {"$patch": "replace"} item turns the merge of its list into a replacement. */
static bool replaces_list(yyjson_val *list)
{
    size_t i, max;
    yyjson_val *v;

    yyjson_arr_foreach(list, i, max, v)
    {
        if (yyjson_is_obj(v) && streq(jget_str(v, "$patch"), "replace") && yyjson_obj_size(v) == 1)
            return true;
    }
    return false;
}

static void apply_order(struct run *run, item_vec *items, yyjson_val *order, const char *merge_key)
{
    size_t i, max;
    yyjson_val *v;

    for (size_t n = 0; n < items->n; n++)
        items->p[n].patch_at = SIZE_MAX;
    yyjson_arr_foreach(order, i, max, v)
    {
        yyjson_val *k = key_of(run, v, merge_key);
        struct item *it = k ? find(items, k) : NULL;
        if (it)
            it->patch_at = i;
    }
}

static int by_patch(const void *a, const void *b)
{
    size_t x = ((const struct item *)a)->patch_at, y = ((const struct item *)b)->patch_at;

    return (x > y) - (x < y);
}

/* Items of the patch sort to the front; those behind them are the target's own, in their old order.
 */
static size_t split(item_vec *items)
{
    size_t named = 0;
    item_vec own = {0};

    for (size_t i = 0; i < items->n; i++) {
        if (items->p[i].patch_at != SIZE_MAX)
            items->p[named++] = items->p[i];
        else
            vec_push(&own, items->p[i]);
    }
    if (own.n)
        memcpy(items->p + named, own.p, own.n * sizeof(*own.p));
    vec_done(&own);
    if (named)
        qsort(items->p, named, sizeof(*items->p), by_patch);
    return named;
}

static yyjson_mut_val *in_order(struct run *run, item_vec *items)
{
    yyjson_mut_val *out = yyjson_mut_arr(run->d);
    size_t named = split(items), i = 0, j = named;

    while (i < named || j < items->n) {
        bool own_first = i == named || (j < items->n && items->p[i].server_at != SIZE_MAX &&
                                        items->p[j].server_at < items->p[i].server_at);
        yyjson_mut_arr_append(out, items->p[own_first ? j++ : i++].value);
    }
    return out;
}

static bool too_long(struct run *run, yyjson_val *list)
{
    if (yyjson_arr_size(list) <= LIMIT_PATCH_OPS)
        return false;
    set_fail(run, -E2BIG, "the list is too long to be merged");
    return true;
}

/* patch may be NULL: only the directives act. */
static yyjson_mut_val *merge_list(struct run *run, yyjson_val *target, yyjson_val *patch,
                                  yyjson_val *removed, yyjson_val *order, const char *merge_key)
{
    item_vec items = {0};
    size_t i, max;
    yyjson_val *v;

    if (too_long(run, target) || too_long(run, patch) || too_long(run, removed) ||
        too_long(run, order))
        return yyjson_mut_null(run->d);
    if (!replaces_list(patch))
        take_target(run, &items, target, merge_key);
    yyjson_arr_foreach(removed, i, max, v) drop(&items, v);
    yyjson_arr_foreach(patch, i, max, v) take_patch_item(run, &items, target, v, merge_key, i);
    if (order)
        apply_order(run, &items, order, merge_key);
    yyjson_mut_val *out = in_order(run, &items);
    vec_done(&items);
    return out;
}

/* ---- objects ---- */

static yyjson_mut_val *merge_member(struct run *run, yyjson_val *parent_patch, yyjson_val *key,
                                    yyjson_val *old, yyjson_val *change)
{
    const char *field = yyjson_get_str(key);
    yyjson_val *removed = directive_for(parent_patch, DELETE_LIST, field);
    yyjson_val *order = directive_for(parent_patch, ORDER_LIST, field);
    yyjson_mut_val *out;

    if (run->r < 0)
        return yyjson_mut_null(run->d);
    size_t was = push(run, field);
    bool list = yyjson_is_arr(change) || (!change && yyjson_is_arr(old));
    const char *merge_key = list ? run->keys(run->ctx, run->path.p) : NULL;
    if (merge_key && (change || removed || order))
        out = merge_list(run, old, change, removed, order, merge_key);
    else if (yyjson_is_obj(change))
        out = merge_object(run, old, change);
    else
        out = yyjson_val_mut_copy(run->d, change ? change : old);
    pop(run, was);
    return out;
}

/* Every member of the patch must be listed, or the patch would remove what it sets. */
static yyjson_val *retained(struct run *run, yyjson_val *patch)
{
    yyjson_val *keep = jget(patch, "$retainKeys"), *k, *v;
    size_t i, max;

    if (!keep)
        return NULL;
    if (!yyjson_is_arr(keep))
        set_fail(run, -EINVAL, "$retainKeys is a list of member names");
    yyjson_obj_foreach(patch, i, max, k, v)
    {
        if (!is_directive(k) && !yyjson_is_null(v) && !in_list(keep, k))
            set_fail(run, -EINVAL, "$retainKeys lacks a member that the patch sets");
    }
    return keep;
}

static bool has_directives(yyjson_val *patch)
{
    size_t i, max;
    yyjson_val *k, *v;

    yyjson_obj_foreach(patch, i, max, k, v)
    {
        if (is_directive(k))
            return true;
    }
    return false;
}

static void merge_members(struct run *run, yyjson_mut_val *out, yyjson_val *target,
                          yyjson_val *patch)
{
    _cleanup_jindex_ struct jindex old = jindex_of(target), changes = jindex_of(patch);
    bool directed = has_directives(patch);
    yyjson_val *keep = retained(run, patch), *k, *v;
    size_t i, max;

    yyjson_obj_foreach(old.obj, i, max, k, v)
    {
        yyjson_val *change = jindex_get(&changes, k);
        if (yyjson_is_null(change) || (keep && !in_list(keep, k)))
            continue;
        yyjson_mut_val *merged = change || directed ? merge_member(run, patch, k, v, change)
                                                    : yyjson_val_mut_copy(run->d, v);
        yyjson_mut_obj_add(out, yyjson_val_mut_copy(run->d, k), merged);
    }
    yyjson_obj_foreach(patch, i, max, k, v)
    {
        if (is_directive(k) || yyjson_is_null(v) || jindex_get(&old, k))
            continue;
        yyjson_mut_obj_add(out, yyjson_val_mut_copy(run->d, k),
                           merge_member(run, patch, k, NULL, v));
    }
}

static yyjson_mut_val *merge_object(struct run *run, yyjson_val *target, yyjson_val *patch)
{
    yyjson_mut_val *out = yyjson_mut_obj(run->d);
    yyjson_val *directive = jget(patch, "$patch");
    const char *what = yyjson_get_str(directive);

    if (run->r < 0)
        return out;
    if (!yyjson_is_obj(patch)) {
        set_fail(run, -EINVAL, "the patch has something else where an object is needed");
        return out;
    }
    if (directive && !streq(what, "delete") && !streq(what, "replace") && !streq(what, "merge"))
        set_fail(run, -EINVAL, "$patch is one of delete, replace and merge");
    if (!streq(what, "delete"))
        merge_members(run, out, streq(what, "replace") ? NULL : target, patch);
    return out;
}

yyjson_mut_doc *patch_strategic(const yyjson_val *target, const yyjson_val *patch,
                                patch_merge_key_fn *keys, void *ctx, struct err *e)
{
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    struct run run = {d, keys, ctx, BUF_INIT(LIMIT_API_BODY), e, 0};

    yyjson_mut_doc_set_root(
        d, merge_object(&run, (yyjson_val *)(uintptr_t)target, (yyjson_val *)(uintptr_t)patch));
    buf_done(&run.path);
    return run.r < 0 ? NULL : steal(&d);
}
