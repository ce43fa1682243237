/*
 * JSON patch (RFC 6902): operations applied one after the other to a mutable copy. A path is
 * resolved to the container that holds its last part, so that each operation is one change of one
 * container; the path "" is the document itself.
 *
 * The only operation that can make a document grow beyond what was sent is `copy`, so copied bytes
 * are counted.
 */
#include <errno.h>

#include "base/limits.h"
#include "json/patch.h"

struct place {
    yyjson_mut_val *parent; /* NULL: the whole document */
    char *key;              /* last part of the path, unescaped */
    size_t key_n;
    yyjson_mut_val *value; /* what is there now, NULL when nothing */
};

static void place_done(struct place *p)
{
    free(p->key);
}

struct op {
    yyjson_mut_doc *d;
    size_t number;
    const char *name, *path;
    yyjson_val *self;
    size_t *copied;
};

static int fail(const struct op *op, int code, const char *path, const char *why, struct err *e)
{
    return err_set(e, code, "JSON patch operation %zu (%s \"%s\"): %s", op->number, op->name, path,
                   why);
}

/* "~1" is a slash and "~0" a tilde; any other tilde is malformed. */
static char *unescape(struct str part, size_t *ret_n)
{
    char *out = xmalloc(part.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] != '~') {
            out[n++] = part.p[i];
        } else if (i + 1 < part.n && (part.p[i + 1] == '0' || part.p[i + 1] == '1')) {
            out[n++] = part.p[++i] == '0' ? '~' : '/';
        } else {
            free(out);
            return NULL;
        }
    }
    out[n] = '\0';
    *ret_n = n;
    return out;
}

/* An index has no leading zeros; "-" is the place behind the last item. */
static int array_index(const struct place *p, size_t *ret)
{
    size_t size = yyjson_mut_arr_size(p->parent);
    uint64_t at;

    if (p->key_n == 1 && p->key[0] == '-') {
        *ret = size;
        return 0;
    }
    if ((p->key_n > 1 && p->key[0] == '0') || str_u64((struct str){p->key, p->key_n}, &at) < 0)
        return -EINVAL;
    *ret = at > size ? size + 1 : (size_t)at;
    return 0;
}

static int look(const struct op *op, const char *path, struct place *p, struct err *e)
{
    size_t at;

    p->value = NULL;
    if (yyjson_mut_is_obj(p->parent)) {
        p->value = yyjson_mut_obj_getn(p->parent, p->key, p->key_n);
        return 0;
    }
    if (!yyjson_mut_is_arr(p->parent))
        return fail(op, -ENOENT, path, "a part of the path is neither an object nor an array", e);
    if (array_index(p, &at) < 0)
        return fail(op, -EINVAL, path, "a part of the path is not an array index", e);
    p->value = yyjson_mut_arr_get(p->parent, at);
    return 0;
}

static int resolve(const struct op *op, const char *path, size_t n, struct place *p, struct err *e)
{
    struct str rest = {path, n}, part;
    int r;

    *p = (struct place){.value = op->d->root};
    if (n == 0)
        return 0;
    if (path[0] != '/')
        return fail(op, -EINVAL, path, "a path begins with a slash", e);
    str_split(&rest, '/', &part);
    while (str_split(&rest, '/', &part)) {
        if (!p->value)
            return fail(op, -ENOENT, path, "a part of the path does not exist", e);
        free(p->key);
        p->parent = p->value;
        p->key = unescape(part, &p->key_n);
        if (!p->key)
            return fail(op, -EINVAL, path, "a tilde must be written ~0", e);
        r = look(op, path, p, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int resolve_existing(const struct op *op, const char *path, size_t n, struct place *p,
                            struct err *e)
{
    int r = resolve(op, path, n, p, e);

    if (r < 0)
        return r;
    return p->value ? 0 : fail(op, -ENOENT, path, "the path does not exist", e);
}

static int put(const struct op *op, struct place *p, yyjson_mut_val *v, struct err *e)
{
    size_t at;

    if (!p->parent) {
        yyjson_mut_doc_set_root(op->d, v);
        return 0;
    }
    if (yyjson_mut_is_obj(p->parent)) {
        yyjson_mut_val *k = yyjson_mut_strncpy(op->d, p->key, p->key_n);
        if (p->value)
            yyjson_mut_obj_replace(p->parent, k, v);
        else
            yyjson_mut_obj_add(p->parent, k, v);
        return 0;
    }
    if (array_index(p, &at) < 0 || !yyjson_mut_arr_insert(p->parent, v, at))
        return fail(op, -ENOENT, op->path, "the index lies beyond the end of the array", e);
    return 0;
}

static yyjson_mut_val *take(const struct op *op, struct place *p)
{
    size_t at;

    if (!p->parent)
        yyjson_mut_doc_set_root(op->d, yyjson_mut_null(op->d));
    else if (yyjson_mut_is_obj(p->parent))
        yyjson_mut_obj_remove_keyn(p->parent, p->key, p->key_n);
    else if (array_index(p, &at) == 0)
        yyjson_mut_arr_remove(p->parent, at);
    return p->value;
}

/* The size of the value as text, roughly, until it is beyond the limit; depth too, since copies can
 * nest. */
static void measure(const yyjson_mut_val *cv, size_t depth, size_t *bytes, size_t *deepest)
{
    yyjson_mut_val *v = (yyjson_mut_val *)(uintptr_t)cv, *k, *member;
    size_t i, max;

    if (depth > *deepest)
        *deepest = depth;
    *bytes += 4;
    if (yyjson_mut_is_str(v))
        *bytes += yyjson_mut_get_len(v);
    if (*bytes > LIMIT_OBJECT || depth > LIMIT_JSON_DEPTH)
        return;
    yyjson_mut_obj_foreach(v, i, max, k, member)
    {
        *bytes += yyjson_mut_get_len(k) + 4;
        measure(member, depth + 1, bytes, deepest);
    }
    yyjson_mut_arr_foreach(v, i, max, member) measure(member, depth + 1, bytes, deepest);
}

static size_t path_depth(const char *path)
{
    size_t n = 0;

    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* Checks what putting `v` at the operation's path would make of the document. */
static int check_growth(const struct op *op, const yyjson_mut_val *v, bool copies, struct err *e)
{
    size_t bytes = 0, deepest = 0;

    measure(v, path_depth(op->path), &bytes, &deepest);
    if (deepest > LIMIT_JSON_DEPTH)
        return fail(op, -EINVAL, op->path, "the result would be nested too deep", e);
    if (copies)
        *op->copied += bytes;
    if (*op->copied > LIMIT_OBJECT)
        return fail(op, -E2BIG, op->path, "the patch copies more than an object may hold", e);
    return 0;
}

static bool equal(const yyjson_mut_val *am, yyjson_val *b)
{
    yyjson_mut_val *a = (yyjson_mut_val *)(uintptr_t)am, *k, *v;
    size_t i, max;

    if (yyjson_mut_get_type(a) != yyjson_get_type(b))
        return false;
    if (yyjson_mut_is_obj(a)) {
        if (yyjson_mut_obj_size(a) != yyjson_obj_size(b))
            return false;
        yyjson_obj_iter it = yyjson_obj_iter_with(b);
        yyjson_mut_obj_foreach(a, i, max, k, v)
        {
            yyjson_val *other =
                yyjson_obj_iter_getn(&it, yyjson_mut_get_str(k), yyjson_mut_get_len(k));
            if (!other || !equal(v, other))
                return false;
        }
        return true;
    }
    if (yyjson_mut_is_arr(a)) {
        if (yyjson_mut_arr_size(a) != yyjson_arr_size(b))
            return false;
        yyjson_arr_iter it = yyjson_arr_iter_with(b);
        yyjson_mut_arr_foreach(a, i, max, v)
        {
            if (!equal(v, yyjson_arr_iter_next(&it)))
                return false;
        }
        return true;
    }
    _cleanup_jdoc_ yyjson_doc *scalar = yyjson_mut_val_imut_copy(a, NULL);
    return json_equal(yyjson_doc_get_root(scalar), b);
}

static int put_at_path(const struct op *op, yyjson_mut_val *v, bool copies, struct err *e)
{
    _cleanup_(place_done) struct place to = {0};
    int r = check_growth(op, v, copies, e);

    if (r == 0)
        r = resolve(op, op->path, strlen(op->path), &to, e);
    return r < 0 ? r : put(op, &to, v, e);
}

static int do_add(const struct op *op, struct err *e)
{
    yyjson_val *v = jget(op->self, "value");

    if (!v)
        return fail(op, -EINVAL, op->path, "there is no \"value\"", e);
    return put_at_path(op, yyjson_val_mut_copy(op->d, v), false, e);
}

static int do_remove(const struct op *op, struct err *e)
{
    _cleanup_(place_done) struct place at = {0};
    int r = resolve_existing(op, op->path, strlen(op->path), &at, e);

    if (r == 0)
        take(op, &at);
    return r;
}

static int do_replace(const struct op *op, struct err *e)
{
    _cleanup_(place_done) struct place at = {0};
    yyjson_val *v = jget(op->self, "value");

    if (!v)
        return fail(op, -EINVAL, op->path, "there is no \"value\"", e);
    int r = resolve_existing(op, op->path, strlen(op->path), &at, e);
    if (r < 0)
        return r;
    yyjson_mut_val *fresh = yyjson_val_mut_copy(op->d, v);
    r = check_growth(op, fresh, false, e);
    if (r < 0)
        return r;
    if (yyjson_mut_is_arr(at.parent))
        take(op, &at);
    return put(op, &at, fresh, e);
}

static int do_move(const struct op *op, struct err *e)
{
    _cleanup_(place_done) struct place at = {0};
    const char *from = jget_str(op->self, "from");
    size_t n = from ? strlen(from) : 0;

    if (!from)
        return fail(op, -EINVAL, op->path, "there is no \"from\"", e);
    if (strncmp(op->path, from, n) == 0 && op->path[n] == '/')
        return fail(op, -EINVAL, op->path, "a value cannot be moved into itself", e);
    int r = resolve_existing(op, from, n, &at, e);
    return r < 0 ? r : put_at_path(op, take(op, &at), false, e);
}

static int do_copy(const struct op *op, struct err *e)
{
    _cleanup_(place_done) struct place at = {0};
    const char *from = jget_str(op->self, "from");

    if (!from)
        return fail(op, -EINVAL, op->path, "there is no \"from\"", e);
    int r = resolve_existing(op, from, strlen(from), &at, e);
    if (r < 0)
        return r;
    r = check_growth(op, at.value, false, e);
    return r < 0 ? r : put_at_path(op, yyjson_mut_val_mut_copy(op->d, at.value), true, e);
}

static int do_test(const struct op *op, struct err *e)
{
    _cleanup_(place_done) struct place at = {0};
    yyjson_val *v = jget(op->self, "value");

    if (!v)
        return fail(op, -EINVAL, op->path, "there is no \"value\"", e);
    int r = resolve_existing(op, op->path, strlen(op->path), &at, e);
    if (r < 0)
        return r;
    return equal(at.value, v) ? 0 : fail(op, -EPERM, op->path, "the value is another one", e);
}

static const struct {
    const char *name;
    int (*run)(const struct op *op, struct err *e);
} operations[] = {{"add", do_add},   {"remove", do_remove}, {"replace", do_replace},
                  {"move", do_move}, {"copy", do_copy},     {"test", do_test}};

static int apply(struct op *op, struct err *e)
{
    op->name = jget_str(op->self, "op");
    op->path = jget_str(op->self, "path");
    if (!op->name || !op->path)
        return err_set(e, -EINVAL,
                       "JSON patch operation %zu: it needs \"op\" and \"path\", both strings",
                       op->number);
    if (strlen(op->path) != yyjson_get_len(jget(op->self, "path")))
        return fail(op, -EINVAL, op->path, "the path holds a NUL character", e);
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (streq(op->name, operations[i].name))
            return operations[i].run(op, e);
    }
    return fail(op, -EINVAL, op->path, "there is no such operation", e);
}

yyjson_mut_doc *patch_json(const yyjson_val *target, const yyjson_val *ops, struct err *e)
{
    yyjson_val *list = (yyjson_val *)(uintptr_t)ops, *self;
    size_t i, max, copied = 0;

    if (!yyjson_is_arr(list)) {
        err_set(e, -EINVAL, "a JSON patch is an array of operations");
        return NULL;
    }
    if (yyjson_arr_size(list) > LIMIT_PATCH_OPS) {
        err_set(e, -E2BIG, "the JSON patch has %zu operations; at most %d are taken",
                yyjson_arr_size(list), LIMIT_PATCH_OPS);
        return NULL;
    }
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(d, yyjson_val_mut_copy(d, (yyjson_val *)(uintptr_t)target));
    yyjson_arr_foreach(list, i, max, self)
    {
        struct op op = {.d = d, .number = i, .self = self, .copied = &copied};
        if (apply(&op, e) < 0)
            return NULL;
    }
    return steal(&d);
}
