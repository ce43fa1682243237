/* POST and PUT. */
#include "cluster/apiserver/core.h"

static void answered(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct api_request *r = ctx;

    if (!fail) {
        request_reply_object(r, r->ok_code, object);
        return;
    }
    api_fail(&r->st, fail->code, fail->reason, "%s", fail->message);
    request_fail(r);
}

static int begin(struct api_request *r)
{
    request_begin_write(r);
    r->w.done = answered;
    r->w.obj = decode_body(r, false, &r->st);
    return r->w.obj ? 0 : -1;
}

void verb_create(struct api_request *r)
{
    const char *ns = r->path.ns;

    r->ok_code = 201;
    if (begin(r) < 0 || write_create(&r->w, ns, &r->st) < 0)
        request_fail(r);
}

void verb_update(struct api_request *r)
{
    r->ok_code = 200;
    if (begin(r) < 0 || write_load(&r->w, r->path.ns, r->path.name, &r->st) < 0) {
        request_fail(r);
        return;
    }
    r->w.must_match = true;
    if (write_update(&r->w, r->path.ns, r->path.name, &r->st) < 0)
        request_fail(r);
}
