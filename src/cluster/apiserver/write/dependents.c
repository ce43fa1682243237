/* Dependents are found by their owner's uid in the stored bytes; only what has it there is parsed.
 */
#include "cluster/apiserver/write/dependents.h"

#include "cluster/apiserver/write/bulk.h"

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

/* ---- finding them ---- */
static bool is_owner(const struct store_obj *so, const char *uid)
{
    struct str b = store_obj_bytes(so);
    yyjson_val *ref;
    size_t i, n;

    if (!memmem(b.p, b.n, uid, strlen(uid)))
        return false;
    const struct kobj *o _cleanup_kobj_ = kobj_parse(b.p, b.n, NULL);

    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "ownerReferences"), i, n, ref)
    {
        if (streq(jget_str(ref, "uid"), uid))
            return true;
    }
    return false;
}

static int found(void *ctx, const struct store_obj *o)
{
    return is_owner(o, ctx);
}

bool has_dependents(struct api_core *core, const char *uid)
{
    return *uid && store_each(core->store, "", found, (void *)(uintptr_t)uid);
}

/* ---- letting them stay ---- */
struct orphaning {
    char *uid;
    bulk_keys keys;
    void (*done)(void *ctx, struct api_status *fail);
    void *ctx;
};

static int gather(void *ctx, const struct store_obj *o)
{
    struct orphaning *orphans = ctx;

    return is_owner(o, orphans->uid) ? bulk_collect(&orphans->keys, o) : 0;
}

static void orphan_one(void *ctx, struct write *w)
{
    const struct orphaning *orphans = ctx;
    _cleanup_status_ struct api_status st = {0};

    write_begin(w);
    if (write_load(w, &st) < 0) {
        write_fail(w, &st);
        return;
    }
    w->obj = kmut_from(w->old);
    if (drop_owner(w->obj, orphans->uid))
        write_store(w);
    else
        write_keep(w);
}

static void orphaned(void *ctx, struct api_status *fail)
{
    struct orphaning *orphans = ctx;

    orphans->done(orphans->ctx, fail);
    free(orphans->uid);
    free(orphans);
}

void orphan_dependents(struct api_core *core, const char *uid,
                       void (*done)(void *ctx, struct api_status *fail), void *ctx)
{
    struct orphaning *orphans = xnew(struct orphaning);
    const struct bulk_opts o = {.core = core,
                                .user = &api_server_user,
                                .run = orphan_one,
                                .done = orphaned,
                                .ctx = orphans};

    orphans->uid = xstrdup(uid);
    orphans->done = done;
    orphans->ctx = ctx;
    if (*uid)
        store_each(core->store, "", gather, orphans);
    bulk_start(&o, &orphans->keys);
}
