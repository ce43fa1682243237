/* Look-ups run over a type's fields in order: types are small, and their names differ early. */
#include "cluster/apiserver/types/ktype.h"

const struct kfield *ktype_field(const struct ktype *t, const char *name)
{
    const struct kfield *found = NULL;

    for (const struct kfield *f = t->fields; f->name && !found; f++) {
        if (f->base == K_INLINE)
            found = ktype_field(f->of, name);
        else if (f->name[0] == name[0] && streq(f->name, name))
            found = f;
    }
    return found;
}

/* The path is a field per step; lists that merge by key are stepped into without an index. */
const char *ktype_merge_key(const struct ktype *t, const char *path)
{
    const struct kfield *f = NULL;
    struct str rest = str_of(path), step;

    while (t && str_split(&rest, '.', &step)) {
        _cleanup_free_ char *name = xstrndup(step.p, step.n);

        f = ktype_field(t, name);
        t = f && f->base == K_OBJ && f->shape != K_MAP ? f->of : NULL;
        if (!f)
            return NULL;
    }
    return f && !rest.n ? f->key : NULL;
}
