/* Whether somebody may do something: the authorizer's interface, and the one that there is. */
#ifndef NONAGON_CLUSTER_APISERVER_AUTH_AUTHZ_H
#define NONAGON_CLUSTER_APISERVER_AUTH_AUTHZ_H

#include "base/str.h"
#include "cluster/apiserver/request/status.h"
#include "http/user.h"

/* What is asked for. Strings are borrowed and never NULL; "" where they do not apply. */
struct auth_attributes {
    const struct user_info *user;
    const char *verb; /* "get", "list", …; of what is no resource: the method in lower case */
    const char *group, *version, *resource, *subresource, *ns, *name;
    struct str path; /* of the request */
};
struct authorizer {
    /* True: allowed. Otherwise *ret_why may say more (static). */
    bool (*allows)(void *ctx, const struct auth_attributes *a, const char **ret_why);
    void *ctx;
};
/* Members of system:masters may do everything, everybody else nothing. */
extern const struct authorizer authorizer_masters;

/* -1 with the status (403), in Kubernetes' words. */
int authorize(const struct authorizer *z, const struct auth_attributes *a, struct api_status *st);

#endif
