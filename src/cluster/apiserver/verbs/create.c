/* POST to a collection. */
#include "cluster/apiserver/verbs/verbs.h"

void verb_create(struct api_request *r)
{
    r->ok_code = 201;
    request_begin_write(r);
    r->w.input = request_decode(r, false);
    if (r->w.input)
        write_create(&r->w);
    else
        request_fail(r);
}
