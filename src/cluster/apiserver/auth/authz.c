/* See authz.h. */
#include "cluster/apiserver/auth/authz.h"

#include "base/buf.h"

static bool masters(void *ctx, const struct auth_attributes *a, const char **ret_why)
{
    return user_in_group(a->user, "system:masters");
}

const struct authorizer authorizer_masters = {masters, NULL};

static int refuse_resource(const struct auth_attributes *a, const char *why, struct api_status *st)
{
    const struct kube_resource res = {a->group, a->version, a->resource, "", *a->ns != '\0'};
    _cleanup_buf_ struct buf what = BUF_INIT(2048), where = BUF_INIT(2048);

    buf_addf(&what, "%s%s%s", a->resource, *a->subresource ? "/" : "", a->subresource);
    if (*a->ns)
        buf_addf(&where, "in the namespace \"%s\"", a->ns);
    else
        buf_addz(&where, "at the cluster scope");
    return api_fail_forbidden(st, &res, a->name,
                              "User \"%s\" cannot %s resource \"%s\" in API group \"%s\" %s%s%s",
                              a->user->name, a->verb, buf_z(&what), a->group, buf_z(&where),
                              why ? ": " : "", why ? why : "");
}

int authorize(const struct authorizer *z, const struct auth_attributes *a, struct api_status *st)
{
    const char *why = NULL;

    if (z->allows(z->ctx, a, &why))
        return 0;
    if (*a->resource)
        return refuse_resource(a, why, st);
    return api_fail(st, 403, "Forbidden",
                    "forbidden: User \"%s\" cannot %s path \"" STR_FMT "\"%s%s", a->user->name,
                    a->verb, STR_ARG(a->path), why ? ": " : "", why ? why : "");
}
