/* PUT of an object. */
#include "cluster/apiserver/verbs/verbs.h"

void verb_update(struct api_request *r)
{
    request_begin_write(r);
    r->w.must_match = true;
    r->w.input = request_decode(r, false);
    if (r->w.input)
        write_update(&r->w);
    else
        request_fail(r);
}
