/* A table of kinds, and the two doors to it. */
#include "contract/admit.h"

#include <errno.h>

#include "contract/kinds.h"
#include "contract/names.h"

static const struct {
    const struct kube_resource *res;
    void (*fill)(const struct default_ctx *d);
    void (*judge)(const struct validate_ctx *v);
} kinds[] = {
    {&KR_KSERVICE, service_default, service_validate},
    {&KR_CONFIGURATION, configuration_default, configuration_validate},
    {&KR_ROUTE, route_default, route_validate},
    {&KR_REVISION, revision_default, revision_validate},
    {&KR_PODAUTOSCALER, podautoscaler_default, podautoscaler_validate},
    {&KR_METRIC, NULL, metric_validate},
    {&KR_INGRESS, ingress_default, ingress_validate},
    {&KR_SKS, NULL, sks_validate},
    {&KR_CERTIFICATE, NULL, certificate_validate},
};

const struct kube_resource *const contract_admitted[] = {
    &KR_KSERVICE, &KR_CONFIGURATION, &KR_ROUTE, &KR_REVISION,    &KR_PODAUTOSCALER,
    &KR_METRIC,   &KR_INGRESS,       &KR_SKS,   &KR_CERTIFICATE, NULL};

int contract_default(const struct kube_resource *r, struct kmut *obj, const struct kobj *old,
                     const char *user, const struct contract_config *cfg, struct err *e)
{
    struct default_ctx d = {.m = obj, .old = old, .user = user, .cfg = cfg};

    if (!yyjson_mut_is_obj(obj->root))
        return err_set(e, -EINVAL, "mutation failed: the object is not a JSON object");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kube_resource_eq(kinds[i].res, r) && kinds[i].fill)
            kinds[i].fill(&d);
    }
    return 0;
}

struct kobj *contract_defaulted(const struct kube_resource *r, const struct kobj *obj,
                                const struct contract_config *cfg)
{
    _cleanup_(kmut_freep) struct kmut *m = kmut_from(obj);

    contract_default(r, m, obj, NULL, cfg, NULL);
    return kmut_freeze(m);
}

int contract_validate(const struct kube_resource *r, const struct kobj *obj, const struct kobj *old,
                      const char *subresource, const struct contract_config *cfg,
                      contract_warn_fn *warn, void *to, struct err *e)
{
    _cleanup_fe_ struct field_errors fe = {0};
    struct validate_ctx v = {.fe = &fe,
                             .root = kobj_root(obj),
                             .old = kobj_root(old),
                             .status = streq(subresource, "status"),
                             .cfg = cfg};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kube_resource_eq(kinds[i].res, r))
            kinds[i].judge(&v);
    }
    if (warn)
        fe_each(&fe, FE_WARNING, warn, to);
    if (fe_count(&fe, FE_ERROR) == 0)
        return 0;
    _cleanup_free_ char *text = fe_render(&fe, FE_ERROR);
    return err_set(e, -EINVAL, "validation failed: %s", text);
}

int contract_validate_config(const struct kobj *map, const char *cluster_domain, struct err *e)
{
    enum config_section s = config_section_of(kobj_name(map));

    if (s == CONFIG_SECTION_MAX)
        return 0;
    _cleanup_(contract_config_freep) struct contract_config *c =
        contract_config_new(cluster_domain);
    return contract_config_read(c, s, map, e);
}
