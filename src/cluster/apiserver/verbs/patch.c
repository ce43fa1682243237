/*
 * PATCH: the newest version, changed by one of the patch languages, goes the way of an update.
 * Without a resourceVersion in the patch there is nothing to conflict with. Strategic merge knows
 * the merge keys of built-in kinds only, so custom resources refuse it (415), as Kubernetes does.
 */
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/verbs/patching.h"
#include "cluster/apiserver/verbs/verbs.h"

/* What was stored in another version of the API is addressed in the request's. */
static struct kmut *change(void *ctx, const struct write *w, struct api_status *st)
{
    const struct api_request *r = ctx;
    struct kmut *m;

    if (version_is_stored(r->kind))
        return patch_apply(r, kobj_root(w->old), st);
    m = kmut_from(w->old);
    version_to(m, r->kind);
    struct kobj *target = kmut_freeze(m);
    struct kmut *out = patch_apply(r, kobj_root(target), st);

    kobj_unref(target);
    kmut_free(m);
    return out;
}

void verb_patch(struct api_request *r)
{
    request_begin_write(r);
    if (patch_read(r) < 0) {
        request_fail(r);
        return;
    }
    r->w.change = change;
    r->w.change_ctx = r;
    write_update(&r->w);
}
