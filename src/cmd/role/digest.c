/* Tag to digest for the core: the registry client with the pull secrets of the Revision and of its
 * service account. */
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/image/pull_secrets.h"
#include "cmd/role/digest.h"

struct resolution {
    void (*done)(void *to, const char *digest, const struct err *why);
    void *to;
};

static void resolved(void *ctx, const char *digest, const struct err *why)
{
    struct resolution *r = ctx;

    r->done(r->to, digest, why);
    free(r);
}

static void resolve(void *ctx, const char *ns, const char *image, const char *service_account,
                    const yyjson_val *image_pull_secrets,
                    void (*done)(void *to, const char *digest, const struct err *why), void *to)
{
    struct manager *m = ctx;
    struct resolution *r = xnew(struct resolution);
    struct image_auth *auths;
    size_t n;

    *r = (struct resolution){done, to};
    pull_secrets_collect(m, ns, service_account, image_pull_secrets, &auths, &n);
    image_resolve(manager_loop(m), image, auths, n, 0, resolved, r);
    image_auths_free(auths, n);
}

struct digest_resolver role_digest_resolver(struct manager *m)
{
    pull_secrets_watch(m);
    return (struct digest_resolver){resolve, m};
}
