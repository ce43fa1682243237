/* Both documents are walked together; what is missing on one side shows as an entry with only the
 * other's line. */
#include "contract/diff.h"

#include "base/buf.h"
#include "base/limits.h"

struct walk {
    struct buf path, out;
    size_t left;
};

static void side(struct buf *out, char sign, yyjson_val *v)
{
    if (!v)
        return;
    _cleanup_free_ char *text = json_text(v, NULL);
    buf_addf(out, "\n\t%c: %s", sign, text);
}

static void differ(struct walk *w, yyjson_val *a, yyjson_val *b)
{
    if (w->left == 0)
        return;
    w->left--;
    buf_addf(&w->out, "%s%s:", w->out.n ? "\n" : "", buf_z(&w->path));
    side(&w->out, '-', a);
    side(&w->out, '+', b);
}

static void visit(struct walk *w, yyjson_val *a, yyjson_val *b);

static void visit_at(struct walk *w, yyjson_val *a, yyjson_val *b, const char *name, size_t index)
{
    size_t mark = w->path.n;

    if (name)
        buf_addf(&w->path, ".%s", name);
    else
        buf_addf(&w->path, "[%zu]", index);
    visit(w, a, b);
    w->path.n = mark;
    w->path.p[mark] = '\0';
}

static void visit_objects(struct walk *w, yyjson_val *a, yyjson_val *b)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(a, i, n, key, value)
        visit_at(w, value, yyjson_obj_get(b, yyjson_get_str(key)), yyjson_get_str(key), 0);
    yyjson_obj_foreach(b, i, n, key, value)
    {
        if (!yyjson_obj_get(a, yyjson_get_str(key)))
            visit_at(w, NULL, value, yyjson_get_str(key), 0);
    }
}

static void visit(struct walk *w, yyjson_val *a, yyjson_val *b)
{
    if (a && b && json_equal(a, b))
        return;
    if (yyjson_is_obj(a) && yyjson_is_obj(b)) {
        visit_objects(w, a, b);
    } else if (yyjson_is_arr(a) && yyjson_is_arr(b)) {
        size_t na = yyjson_arr_size(a), nb = yyjson_arr_size(b);
        for (size_t i = 0; i < (na > nb ? na : nb); i++)
            visit_at(w, yyjson_arr_get(a, i), yyjson_arr_get(b, i), NULL, i);
    } else {
        differ(w, a, b);
    }
}

char *json_diff(const char *title, const yyjson_val *before, const yyjson_val *after, size_t max)
{
    struct walk w = {.path = BUF_INIT(LIMIT_OBJECT), .out = BUF_INIT(LIMIT_OBJECT), .left = max};

    buf_addz(&w.path, title);
    visit(&w, (yyjson_val *)before, (yyjson_val *)after);
    buf_done(&w.path);
    return buf_steal(&w.out, NULL);
}
