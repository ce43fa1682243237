/* See authn.h. */
#include "cluster/apiserver/auth/authn.h"

#include "base/mem.h"

static enum authn by_transport(void *ctx, const struct http_exchange *x,
                               struct user_info **ret_user)
{
    const struct user_info *u = http_user(x);

    if (!u->name || !*u->name)
        return AUTHN_UNKNOWN;
    *ret_user = user_copy(u);
    return AUTHN_KNOWN;
}

const struct authenticator authenticators_default[] = {
    {"certificate", by_transport, NULL},
    {NULL, NULL, NULL},
};

static struct user_info *with_group(struct user_info *u, const char *group)
{
    size_t n = u->n_groups;

    if (user_in_group(u, group))
        return u;
    const char **groups = xcalloc(n + 1, sizeof(*groups));

    if (n)
        memcpy(groups, u->groups, n * sizeof(*groups));
    groups[n] = group;
    const struct user_info more = {.name = u->name,
                                   .uid = u->uid,
                                   .groups = groups,
                                   .n_groups = n + 1,
                                   .extra = u->extra,
                                   .n_extra = u->n_extra};
    struct user_info *out = user_copy(&more);

    free(groups);
    user_free(u);
    return out;
}

struct user_info *authenticate(const struct authenticator *chain, const struct http_exchange *x,
                               struct api_status *st)
{
    struct user_info *u = NULL;
    enum authn r = AUTHN_UNKNOWN;

    for (; chain->name && r == AUTHN_UNKNOWN; chain++)
        r = chain->authenticate(chain->ctx, x, &u);
    if (r == AUTHN_KNOWN)
        return with_group(u, GROUP_AUTHENTICATED);
    api_fail(st, 401, "Unauthorized", "Unauthorized");
    return NULL;
}

int impersonation_refuse(const struct http_exchange *x, const struct user_info *u,
                         struct api_status *st)
{
    if (!http_request_has_prefix(x, "Impersonate-"))
        return 0;
    return api_fail(st, 403, "Forbidden",
                    "impersonation is forbidden: User \"%s\" cannot act as somebody else: this API "
                    "server does not honour the Impersonate-… header fields; leave them out "
                    "(kubectl: without --as)",
                    u->name);
}
