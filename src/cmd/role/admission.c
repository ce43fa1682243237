/*
 * The contract library's defaulting and validation as the API server's in-process admission, and
 * what stands for a scheduler. The configuration is read from the committed ConfigMaps at each
 * request that needs it, and parsed again only when their versions changed.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/env/env.h"
#include "cmd/role/admission.h"
#include "contract/admit.h"
#include "contract/names.h"
#include "plugin/autoscaler/kpa/config.h"

struct role_admission {
    struct contract_config *config;
    uint64_t seen[CONFIG_SECTION_MAX]; /* resourceVersion of each section's map */
    size_t n;
    struct admission rows[];
};

static const struct contract_config *config_now(struct role_admission *a,
                                                const struct admission_request *rq)
{
    for (int i = 0; i < CONFIG_SECTION_MAX; i++) {
        enum config_section section = (enum config_section)i;
        const char *name = config_section_name(section);
        uint64_t rev = admission_revision(rq, &KR_CONFIGMAP, SYSTEM_NAMESPACE, name);

        if (rev == a->seen[i])
            continue;
        _cleanup_kobj_ const struct kobj *map =
            admission_lookup(rq, &KR_CONFIGMAP, SYSTEM_NAMESPACE, name);

        a->seen[i] = rev;
        /* A map that does not parse was refused when it was written; if one is there all the same,
         * the last good values stay. */
        (void)contract_config_read(a->config, section, map, NULL);
    }
    return a->config;
}

static int mutate(void *ctx, struct admission_request *rq, struct err *e)
{
    if (*rq->subresource)
        return 0;
    return contract_default(rq->res, rq->obj, rq->old, rq->user->name, config_now(ctx, rq), e);
}

static int validate(void *ctx, struct admission_request *rq,
                    void (*warn)(void *to, const char *text), void *to, struct err *e)
{
    struct kobj *obj = kmut_freeze(rq->obj);
    int r =
        contract_validate(rq->res, obj, rq->old, rq->subresource, config_now(ctx, rq), warn, to, e);

    kobj_unref(obj);
    return r;
}

/* What the autoscaler alone reads of its map. */
static int validate_autoscaler(const struct kobj *map, struct err *e)
{
    struct kpa_config scratch;

    kpa_config_default(&scratch);
    return kpa_config_autoscaler(&scratch, map, e);
}

static int validate_map(void *ctx, struct admission_request *rq,
                        void (*warn)(void *to, const char *text), void *to, struct err *e)
{
    struct kobj *obj = kmut_freeze(rq->obj);
    int r = 0;

    if (streq(kobj_namespace(obj), SYSTEM_NAMESPACE))
        r = contract_validate_config(obj, ENV_CLUSTER_DOMAIN, e);
    if (r == 0 && streq(kobj_namespace(obj), SYSTEM_NAMESPACE) &&
        streq(kobj_name(obj), config_section_name(CONFIG_AUTOSCALER)))
        r = validate_autoscaler(obj, e);
    kobj_unref(obj);
    return r;
}

/* There is one machine: a new pod is scheduled by writing its name. */
static int bind(void *ctx, struct admission_request *rq, struct err *e)
{
    const char *node = jm_get_str(rq->obj->root, "spec", "nodeName");

    if (!rq->old && !*rq->subresource && (!node || !*node))
        jm_set_str(KM(rq->obj), ENV_NODE_NAME, "spec", "nodeName");
    return 0;
}

static const struct admission config_maps = {
    .name = "config.webhook.serving.knative.dev",
    .res = &KR_CONFIGMAP,
    .validate = validate_map,
};
static const struct admission scheduler = {
    .name = "scheduler.nonagon.dev",
    .mutate_name = "scheduler.nonagon.dev",
    .res = &KR_POD,
    .mutate = bind,
};

struct role_admission *role_admission_new(void)
{
    struct role_admission *a;
    size_t n = 0;

    while (contract_admitted[n])
        n++;
    a = xcalloc(1, sizeof(*a) + (n + 2) * sizeof(a->rows[0]));
    a->config = contract_config_new(ENV_CLUSTER_DOMAIN);
    for (; a->n < n; a->n++) {
        a->rows[a->n] = (struct admission){
            .name = CONTRACT_VALIDATE_NAME,
            .mutate_name = CONTRACT_MUTATE_NAME,
            .res = contract_admitted[a->n],
            .mutate = mutate,
            .validate = validate,
            .ctx = a,
        };
    }
    a->rows[a->n++] = config_maps;
    a->rows[a->n++] = scheduler;
    return a;
}

void role_admission_free(struct role_admission *a)
{
    if (!a)
        return;
    contract_config_free(a->config);
    free(a);
}

const struct admission *role_admission_rows(const struct role_admission *a, size_t *ret_n)
{
    *ret_n = a->n;
    return a->rows;
}
