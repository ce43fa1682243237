/* A row per kind that takes something. */
#include "cluster/apiserver/write/claim.h"

#include "cluster/apiserver/crd/crd.h"
#include "cluster/apiserver/write/cluster_ips.h"

static int take_ip(struct api_core *c, struct kmut *o, const yyjson_val *old,
                   struct field_errors *errs)
{
    return cluster_ips_claim(c->ips, o, old, errs);
}

static void give_ip(struct api_core *c, const yyjson_mut_val *o, const yyjson_val *old)
{
    cluster_ips_release(c->ips, o, old);
}

static int take_names(struct api_core *c, struct kmut *o, const yyjson_val *old,
                      struct field_errors *errs)
{
    crd_claim_names(c->kinds, o, errs);
    return 0;
}

static const struct claim {
    const struct kube_resource *res;
    int (*take)(struct api_core *c, struct kmut *o, const yyjson_val *old,
                struct field_errors *errs);
    void (*give)(struct api_core *c, const yyjson_mut_val *o, const yyjson_val *old);
} claims[] = {
    {&KR_SERVICE, take_ip, give_ip},
    {&KR_CRD, take_names, NULL},
};

static const struct claim *find(const struct api_kind *k)
{
    for (size_t i = 0; i < ARRAY_LEN(claims); i++)
        if (kube_resource_eq(claims[i].res, &k->res))
            return &claims[i];
    return NULL;
}

int claim_take(struct api_core *c, const struct api_kind *k, struct kmut *o, const yyjson_val *old,
               bool *ret_held, struct api_status *st)
{
    _cleanup_errors_ struct field_errors errs = {0};
    const struct claim *claim = find(k);
    const char *name = jm_get_str(o->root, "metadata", "name");

    *ret_held = false;
    if (!claim)
        return 0;
    if (claim->take(c, o, old, &errs) < 0 || errs.v.n)
        return errs.v.n ? api_fail_invalid(st, &k->res, name, &errs)
                        : api_fail(st, 500, "InternalError",
                                   "Internal error occurred: failed to allocate a cluster IP for "
                                   "the Service %s: none is left",
                                   name);
    *ret_held = claim->give != NULL;
    return 0;
}

void claim_give_back(struct api_core *c, const struct api_kind *k, const yyjson_mut_val *o,
                     const yyjson_val *old)
{
    const struct claim *claim = find(k);

    if (claim && claim->give)
        claim->give(c, o, old);
}
