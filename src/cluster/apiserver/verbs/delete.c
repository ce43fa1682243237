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

void verb_delete(struct api_request *r)
{
    struct delete_options o;

    request_begin_write(r);
    if (delete_options_read(r, &o) < 0) {
        request_fail(r);
        return;
    }
    r->w.dry_run = r->q.dry_run;
    r->w.done = deleted_or_not;
    write_delete(&r->w, &o);
}
