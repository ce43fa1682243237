/* Which objects a list, watch or collection means. */
#include "cluster/apiserver/verbs/select.h"

#include "base/mem.h"

struct checked {
    const struct api_kind *kind;
    char path[256];
};

static int check_path(void *ctx, const char *path)
{
    struct checked *c = ctx;
    const char *const *f = c->kind->builtin ? c->kind->builtin->fields : NULL;

    if (streq(path, "metadata.name") || streq(path, "metadata.namespace"))
        return 0;
    for (; f && *f; f++)
        if (streq(path, *f))
            return 0;
    strncpy(c->path, path, sizeof(c->path) - 1);
    return -1;
}

int select_check(const struct api_query *q, const struct api_kind *k, struct api_status *st)
{
    struct checked c = {.kind = k};

    if (!q->fields || field_selector_each(q->fields, check_path, &c) >= 0)
        return 0;
    return api_fail_bad(st,
                        "Unable to find \"%s/%s, Resource=%s\" that match label selector \"\", "
                        "field selector \"%s\": field label not supported: %s",
                        k->res.group, k->res.version, k->res.plural, q->text_fields, c.path);
}

bool select_object(const struct api_query *q, const yyjson_val *obj)
{
    if (q->labels &&
        !selector_matches(
            q->labels,
            yyjson_obj_get(yyjson_obj_get((void *)(uintptr_t)obj, "metadata"), "labels")))
        return false;
    return !q->fields || field_selector_matches(q->fields, obj);
}
