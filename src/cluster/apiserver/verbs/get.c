/* GET of an object: its stored bytes. */
#include "cluster/apiserver/verbs/verbs.h"

void verb_get(struct api_request *r)
{
    const struct store *s = r->env->core->store;
    _cleanup_free_ char *key = kind_key(&r->kind->res, r->path.ns, r->path.name);
    const struct store_obj *o = store_get(s, key);

    struct err e = {0};

    if (!o && store_damaged(s, key, &e) < 0)
        api_fail_store(&r->st, &e); /* not "absent": its dependents would be collected */
    else if (!o)
        api_fail_not_found(&r->st, &r->kind->res, r->path.name);
    else if (r->q.has_rv && r->q.rv > store_rev(s))
        api_fail_too_large_rv(&r->st, r->q.rv, store_rev(s));
    if (r->st.code)
        request_fail(r);
    else
        request_reply_object(r, 200, store_obj_bytes(o));
}
