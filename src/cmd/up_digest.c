/* Tag to digest for the core: the registry client with the pull secrets of the Revision and of its
 * service account. */
#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/vec.h"
#include "cluster/image/image.h"
#include "cmd/up.h"

struct resolution {
    void (*done)(void *to, const char *digest, const struct err *why);
    void *to;
};

typedef VEC(struct image_auth) auth_vec;

static char *secret_data(const struct kobj *secret, const char *key)
{
    const char *text = jget_str(kobj_root(secret), "data", key);

    return text ? base64_decode(text, strlen(text), NULL) : NULL;
}

static void add_secret(struct manager *m, const char *ns, const char *name, auth_vec *out)
{
    const struct kobj *s = cache_get(manager_cache(m, &KR_SECRET), ns, name);
    _cleanup_free_ char *json = s ? secret_data(s, ".dockerconfigjson") : NULL;
    struct image_auth *auths = NULL;
    size_t n = 0;

    if (!json || image_auths_parse(json, &auths, &n, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct image_auth copy = {xstrdup(auths[i].registry), xstrdup(auths[i].username),
                                  xstrdup(auths[i].password)};
        vec_push(out, copy);
    }
    image_auths_free(auths, n);
}

static void add_secrets(struct manager *m, const char *ns, const yyjson_val *list, auth_vec *out)
{
    size_t i, max;
    yyjson_val *item;

    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, item)
    {
        const char *name = jget_str(item, "name");
        if (name)
            add_secret(m, ns, name, out);
    }
}

static void resolved(void *ctx, const char *digest, const struct err *why)
{
    struct resolution *r = ctx;

    r->done(r->to, digest, why);
    free(r);
}

static void auths_done(auth_vec *v)
{
    for (size_t i = 0; i < v->n; i++) {
        free((char *)(uintptr_t)v->p[i].registry);
        free((char *)(uintptr_t)v->p[i].username);
        free((char *)(uintptr_t)v->p[i].password);
    }
    vec_done(v);
}

static void resolve(void *ctx, const char *ns, const char *image, const char *service_account,
                    const yyjson_val *image_pull_secrets,
                    void (*done)(void *to, const char *digest, const struct err *why), void *to)
{
    struct manager *m = ctx;
    struct resolution *r = xnew(struct resolution);
    auth_vec auths = {0};
    const struct kobj *sa =
        cache_get(manager_cache(m, &KR_SERVICEACCOUNT), ns,
                  service_account && *service_account ? service_account : "default");

    *r = (struct resolution){done, to};
    add_secrets(m, ns, image_pull_secrets, &auths);
    add_secrets(m, ns, jget(kobj_root(sa), "imagePullSecrets"), &auths);
    image_resolve(manager_loop(m), image, auths.p, auths.n, 0, resolved, r);
    auths_done(&auths);
}

struct digest_resolver up_digest_resolver(struct manager *m)
{
    manager_cache(m, &KR_SECRET);
    manager_cache(m, &KR_SERVICEACCOUNT);
    return (struct digest_resolver){resolve, m};
}
