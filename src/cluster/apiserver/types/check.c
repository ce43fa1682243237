/* Runs over what has been decoded: every value has its type. */
#include <stdio.h>

#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktype.h"

static bool is_word(const char *s, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (streq(s, words[i]))
            return true;
    return !*s;
}

static void check_word(const struct kfield *f, yyjson_mut_val *v, struct field_path *path,
                       struct field_errors *errs)
{
    const char *s = yyjson_mut_get_str(v);

    if (f->words && s && !is_word(s, f->words))
        field_unsupported(errs, path_z(path), s, f->words);
}

static void check_value(const struct kfield *f, yyjson_mut_val *v, struct field_path *path,
                        struct field_errors *errs)
{
    if (f->base == K_OBJ)
        ktype_check(f->of, v, path, errs);
    else
        check_word(f, v, path, errs);
}

static void check_list(const struct kfield *f, yyjson_mut_val *list, struct field_path *path,
                       struct field_errors *errs)
{
    size_t i = 0;

    TREE_EACH(item, list)
    {
        size_t mark = path_index(path, i++);

        check_value(f, item, path, errs);
        path_pop(path, mark);
    }
}

static bool is_nothing(yyjson_mut_val *v)
{
    return !v || (yyjson_mut_is_str(v) && !yyjson_mut_get_len(v)) ||
           (yyjson_mut_is_arr(v) && !yyjson_mut_arr_size(v)) ||
           (yyjson_mut_is_int(v) && !yyjson_mut_get_sint(v));
}

static void check_required(const struct ktype *t, yyjson_mut_val *o, struct field_path *path,
                           struct field_errors *errs)
{
    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE)
            check_required(f->of, o, path, errs);
        if (!f->required || !is_nothing(yyjson_mut_obj_get(o, f->name)))
            continue;
        size_t mark = path_key(path, f->name);

        field_required(errs, path_z(path), NULL);
        path_pop(path, mark);
    }
}

void ktype_check(const struct ktype *t, yyjson_mut_val *root, struct field_path *path,
                 struct field_errors *errs)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(root);

    check_required(t, root, path, errs);
    for (yyjson_mut_val *k; (k = yyjson_mut_obj_iter_next(&it));) {
        const struct kfield *f = ktype_field(t, yyjson_mut_get_str(k));
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);

        if (!f || (f->base != K_OBJ && !f->words))
            continue;
        size_t mark = path_key(path, f->name);

        if (f->shape == K_ONE)
            check_value(f, v, path, errs);
        else if (f->shape == K_LIST)
            check_list(f, v, path, errs);
        path_pop(path, mark);
    }
}
