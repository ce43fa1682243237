/* DELETE of an object. */
#include "cluster/apiserver/verbs/delete_options.h"
#include "cluster/apiserver/verbs/verbs.h"

static void deleted_or_not(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct api_request *r = ctx;
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);

    if (fail || !deleted) {
        request_written(r, fail, object, deleted);
        return;
    }
    api_success_json(&r->kind->res, kobj_name(r->w.old), kobj_uid(r->w.old), &b);
    request_reply(r, 200, "application/json", buf_str(&b));
}

/* ---- what cannot be read ---- */

static void discarded(void *ctx, const struct err *err, const struct store_obj *obj)
{
    struct api_request *r = ctx;
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);

    if (err) {
        api_fail_store(&r->st, err);
        request_fail(r);
        return;
    }
    api_success_json(&r->kind->res, r->path.name, "", &b);
    request_reply(r, 200, "application/json", buf_str(&b));
}

/* An object that is damaged on disk has no finalizers and nothing to wait for: it can only be
 * forgotten. False when it is not one. */
static bool discard(struct api_request *r)
{
    struct store *s = r->env->core->store;
    _cleanup_free_ char *key = kind_key(&r->kind->res, r->path.ns, r->path.name);
    struct err e = {0};

    if (r->q.dry_run || store_get_latest(s, key, NULL) || store_damaged(s, key, NULL) == 0)
        return false;
    int in_flight = store_discard(s, key, discarded, r, &e);
    if (in_flight < 0)
        discarded(r, &e, NULL);
    return true;
}

void verb_delete(struct api_request *r)
{
    struct delete_options o;

    request_begin_write(r);
    if (delete_options_read(r, &o) < 0) {
        request_fail(r);
        return;
    }
    if (discard(r))
        return;
    r->w.dry_run = r->q.dry_run;
    r->w.done = deleted_or_not;
    write_delete(&r->w, &o);
}
