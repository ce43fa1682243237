/*
 * Entries of several secrets in one array, in the order in which they are tried. Each parsed entry
 * is moved, not copied: only the array it came in is freed.
 */
#include "cluster/image/pull_secrets.h"

#include "base/base64.h"
#include "base/vec.h"

typedef VEC(struct image_auth) auth_vec;

static void add_secret(struct manager *m, const char *ns, const char *name, auth_vec *out)
{
    const struct kobj *secret = cache_get(manager_cache(m, &KR_SECRET), ns, name);
    const char *coded = jget_str(kobj_root(secret), "data", ".dockerconfigjson");
    _cleanup_free_ char *text = coded ? base64_decode(coded, strlen(coded), NULL) : NULL;
    struct image_auth *auths = NULL;
    size_t n = 0;

    if (!text || image_auths_parse(text, &auths, &n, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        vec_push(out, auths[i]);
    free(auths);
}

static void add_secrets(struct manager *m, const char *ns, const yyjson_val *references,
                        auth_vec *out)
{
    size_t i, max;
    yyjson_val *ref;

    yyjson_arr_foreach((yyjson_val *)(uintptr_t)references, i, max, ref)
    {
        const char *name = jget_str(ref, "name");
        if (name)
            add_secret(m, ns, name, out);
    }
}

void pull_secrets_watch(struct manager *m)
{
    manager_cache(m, &KR_SECRET);
    manager_cache(m, &KR_SERVICEACCOUNT);
}

void pull_secrets_collect(struct manager *m, const char *ns, const char *service_account,
                          const yyjson_val *references, struct image_auth **ret, size_t *ret_n)
{
    const char *account = service_account && *service_account ? service_account : "default";
    const struct kobj *sa = cache_get(manager_cache(m, &KR_SERVICEACCOUNT), ns, account);
    auth_vec all = {0};

    add_secrets(m, ns, references, &all);
    add_secrets(m, ns, jget(kobj_root(sa), "imagePullSecrets"), &all);
    *ret = all.p;
    *ret_n = all.n;
}
