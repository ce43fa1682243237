/* See version.h. */
#include "cluster/apiserver/kinds/version.h"

#include "cluster/apiserver/kinds/canon.h"

bool version_is_stored(const struct api_kind *k)
{
    return !k->definition || k->storage;
}

int version_write(struct buf *out, const struct api_kind *k, struct str stored)
{
    char api[600];

    if (version_is_stored(k))
        return buf_add(out, stored.p, stored.n);
    kube_api_version(&k->res, api, sizeof(api));
    return canon_add_as(out, stored, api);
}

static void set(struct kmut *o, const struct kube_resource *r)
{
    char api[600];

    kube_api_version(r, api, sizeof(api));
    jm_set_str(KM(o), api, "apiVersion");
}

void version_to(struct kmut *o, const struct api_kind *k)
{
    set(o, &k->res);
}

void version_to_stored(struct kmut *o, const struct api_kind *k)
{
    struct kube_resource r = k->res;

    if (k->definition)
        r.version = k->storage_version;
    set(o, &r);
}
