/* Dependents are found by their owner's uid in the stored bytes; only what has it there is parsed.
 */
#include "cluster/apiserver/write/dependents.h"

static void orphan_done(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct write *w = ctx;

    write_clear(w);
    api_kind_unref(w->kind);
    free(w);
}

static bool drop_owner(struct kmut *o, const char *uid)
{
    yyjson_mut_val *refs = jm_get(o->root, "metadata", "ownerReferences");
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(refs);
    bool hit = false;

    for (yyjson_mut_val *r; refs && (r = yyjson_mut_arr_iter_next(&it));)
        if (streq(jm_get_str(r, "uid"), uid)) {
            yyjson_mut_arr_iter_remove(&it);
            hit = true;
        }
    if (hit && !yyjson_mut_arr_size(refs))
        jm_del(o->root, "metadata", "ownerReferences");
    return hit;
}

struct orphaner {
    struct api_core *core;
    const char *uid;
};

static int orphan_one(void *ctx, const struct store_obj *so)
{
    struct orphaner * or = ctx;
    struct str b = store_obj_bytes(so), rest = str_of(store_obj_key(so)), group, plural;

    if (!memmem(b.p, b.n, or->uid, strlen(or->uid)))
        return 0;
    const struct kobj *o _cleanup_kobj_ = kobj_parse(b.p, b.n, NULL);

    if (!o || !str_split(&rest, '/', &group) || !str_split(&rest, '/', &plural))
        return 0;
    _cleanup_free_ char *g = xstrndup(group.p, group.n), *p = xstrndup(plural.p, plural.n);
    const struct api_kind *kind = kinds_storage(or->core->kinds, g, p);
    _cleanup_status_ struct api_status st = {0};

    if (!kind)
        return 0;
    struct write *w = xnew(struct write);

    *w = (struct write){.core = or->core,
                        .kind = api_kind_ref(kind),
                        .ns = kobj_namespace(o),
                        .name = kobj_name(o),
                        .sub = "",
                        .user = &api_server_user,
                        .done = orphan_done,
                        .ctx = w};
    write_begin(w);
    if (write_load(w, &st) < 0) {
        write_fail(w, &st);
        return 0;
    }
    w->obj = kmut_from(w->old);
    if (drop_owner(w->obj, or->uid))
        write_store(w);
    else
        write_keep(w);
    return 0;
}

void orphan_dependents(struct api_core *core, const char *uid)
{
    struct orphaner or = {core, uid};

    if (*uid)
        store_each(core->store, "", orphan_one, & or);
}

static int mentions(void *ctx, const struct store_obj *so)
{
    const char *uid = ctx;
    struct str b = store_obj_bytes(so);

    if (!memmem(b.p, b.n, uid, strlen(uid)))
        return 0;
    const struct kobj *o _cleanup_kobj_ = kobj_parse(b.p, b.n, NULL);
    yyjson_val *ref;
    size_t i, n;

    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "ownerReferences"), i, n, ref)
    {
        if (streq(jget_str(ref, "uid"), uid))
            return 1;
    }
    return 0;
}

bool has_dependents(struct api_core *core, const char *uid)
{
    return *uid && store_each(core->store, "", mentions, (void *)(uintptr_t)uid);
}
