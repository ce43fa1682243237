/* See delete_options.h. */
#include "cluster/apiserver/verbs/delete_options.h"

#include "cluster/apiserver/request/limits.h"

static int read_grace(struct api_request *r, const yyjson_mut_val *body, int64_t *grace)
{
    yyjson_mut_val *v = jm_get(body, "gracePeriodSeconds");

    if (!v || yyjson_mut_is_null(v))
        return 0;
    if (!yyjson_mut_is_int(v))
        return api_fail_bad(&r->st, "gracePeriodSeconds must be a whole number");
    if (yyjson_mut_is_sint(v) && yyjson_mut_get_sint(v) < 0)
        return api_fail_bad(&r->st, "gracePeriodSeconds: %lld is negative",
                            (long long)yyjson_mut_get_sint(v));
    *grace = yyjson_mut_get_uint(v) < LIMIT_API_SECONDS ? (int64_t)yyjson_mut_get_uint(v)
                                                        : LIMIT_API_SECONDS;
    return 0;
}

int delete_options_read(struct api_request *r, struct delete_options *o)
{
    static const char *const policies[] = {"Orphan", "Background", "Foreground"};
    bool known = false;
    const char *rv;

    *o = (struct delete_options){.grace = r->q.grace, .propagation = r->q.propagation};
    r->body = request_decode(r, true);
    if (!r->body)
        return -1;
    yyjson_mut_val *b = r->body->root;

    if (read_grace(r, b, &o->grace) < 0)
        return -1;
    o->uid = jm_get_str(b, "preconditions", "uid");
    if ((rv = jm_get_str(b, "preconditions", "resourceVersion")) && str_u64(str_of(rv), &o->rv) < 0)
        return api_fail_bad(&r->st, "preconditions.resourceVersion: \"%s\" is not a version", rv);
    if (jm_get_str(b, "propagationPolicy"))
        o->propagation = jm_get_str(b, "propagationPolicy");
    else if (jm_get_bool(b, false, "orphanDependents"))
        o->propagation = "Orphan";
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        known |= streq(o->propagation, policies[i]);
    if (o->propagation && *o->propagation && !known)
        return api_fail_bad(&r->st,
                            "propagationPolicy: \"%s\" is not one of Orphan, Background, "
                            "Foreground",
                            o->propagation);
    if (yyjson_mut_arr_size(jm_get(b, "dryRun")))
        r->q.dry_run = true;
    return 0;
}
