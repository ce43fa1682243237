/* The list is kept sorted, so that equal sets are equal texts. */
#include "serving/labeler/labels.h"

#include "base/clock.h"
#include "base/vec.h"
#include "contract/names.h"

typedef VEC(struct str) names;

static void collect(void *ctx, const char *route, size_t n)
{
    names *list = ctx;

    vec_push(list, ((struct str){route, n}));
}

void routes_each(const struct kobj *o, void (*fn)(void *ctx, const char *route, size_t n),
                 void *ctx)
{
    const char *text = kobj_annotation(o, A_ROUTES);
    struct str rest = str_of(text ? text : ""), part;

    while (str_split(&rest, ',', &part)) {
        if (part.n)
            fn(ctx, part.p, part.n);
    }
}

static size_t index_of(const names *list, const char *route)
{
    size_t i = 0;

    while (i < list->n && !str_eq(list->p[i], str_of(route)))
        i++;
    return i;
}

static int by_name(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    int r = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

    return r ? r : (x->n > y->n) - (x->n < y->n);
}

/* The list after the change as text; "" when it is empty. */
static char *edited(const struct kobj *o, const char *route, bool add)
{
    names list = {0};
    char *text = xstrdup("");

    routes_each(o, collect, &list);
    size_t at = index_of(&list, route);
    if (add && at == list.n)
        vec_push(&list, str_of(route));
    else if (!add && at < list.n)
        vec_remove(&list, at);
    if (list.n)
        qsort(list.p, list.n, sizeof(list.p[0]), by_name);
    for (size_t i = 0; i < list.n; i++) {
        _cleanup_free_ char *before = text;
        text = xasprintf("%s%s" STR_FMT, before, i ? "," : "", STR_ARG(list.p[i]));
    }
    vec_done(&list);
    return text;
}

static void set_state(yyjson_mut_doc *d, yyjson_mut_val *root, const char *state, int64_t now_ns)
{
    char now[RFC3339_LEN];

    clock_rfc3339(now_ns, now);
    jm_set_str(d, root, state, "metadata", "labels", L_ROUTING_STATE);
    jm_set_str(d, root, now, "metadata", "annotations", A_ROUTING_STATE_MODIFIED);
}

char *routes_patch(const struct kobj *o, bool is_revision, const char *route, bool add,
                   int64_t now_ns)
{
    const char *have = kobj_annotation(o, A_ROUTES);
    _cleanup_free_ char *list = edited(o, route, add);
    const char *state = *list ? "active" : "reserve";
    bool list_changes = !streq(have ? have : "", list) || (have && !*list);
    bool state_changes = is_revision && !streq(kobj_label(o, L_ROUTING_STATE), state);

    if (!list_changes && !state_changes)
        return NULL;
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    if (list_changes && *list)
        jm_set_str(d, root, list, "metadata", "annotations", A_ROUTES);
    else if (list_changes)
        jm_set(d, root, yyjson_mut_null(d), "metadata", "annotations", A_ROUTES);
    if (state_changes)
        set_state(d, root, state, now_ns);
    return json_mut_text(root, NULL);
}
