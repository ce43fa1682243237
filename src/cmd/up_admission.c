/*
 * The contract library's defaulting and validation as the API server's in-process admission, and
 * what stands for a scheduler. The
 * configuration is read from the committed ConfigMaps at each request that needs it, and parsed
 * again only when their versions changed.
 */
#include <errno.h>

#include "base/mem.h"
#include "cmd/up.h"
#include "contract/admit.h"
#include "contract/names.h"
#include "plugin/autoscaler/kpa/config.h"

/* One per process, on the API server's loop. */
static struct admission_config {
    struct contract_config *config;
    uint64_t seen[CONFIG_SECTION_MAX]; /* resourceVersion of each section's map */
} current;

static const struct contract_config *config_now(const struct admission_request *rq)
{
    if (!current.config)
        current.config = contract_config_new(UP_CLUSTER_DOMAIN);
    for (int i = 0; i < CONFIG_SECTION_MAX; i++) {
        enum config_section section = (enum config_section)i;
        const char *name = config_section_name(section);
        uint64_t rev = admission_revision(rq, &KR_CONFIGMAP, SYSTEM_NAMESPACE, name);

        if (rev == current.seen[i])
            continue;
        _cleanup_kobj_ const struct kobj *map =
            admission_lookup(rq, &KR_CONFIGMAP, SYSTEM_NAMESPACE, name);

        current.seen[i] = rev;
        /* A map that does not parse was refused when it was written; if one is there all the same,
         * the last good values stay. */
        (void)contract_config_read(current.config, section, map, NULL);
    }
    return current.config;
}

static int mutate(void *ctx, struct admission_request *rq, struct err *e)
{
    if (*rq->subresource)
        return 0;
    return contract_default(rq->res, rq->obj, rq->old, rq->user->name, config_now(rq), e);
}

static int validate(void *ctx, struct admission_request *rq,
                    void (*warn)(void *to, const char *text), void *to, struct err *e)
{
    struct kobj *obj = kmut_freeze(rq->obj);
    int r = contract_validate(rq->res, obj, rq->old, rq->subresource, config_now(rq), warn, to, e);

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
        r = contract_validate_config(obj, UP_CLUSTER_DOMAIN, e);
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
        jm_set_str(KM(rq->obj), UP_NODE_NAME, "spec", "nodeName");
    return 0;
}

#define MAX_ADMISSIONS 16

const struct admission *up_admissions(size_t *ret_n)
{
    static struct admission table[MAX_ADMISSIONS];
    size_t n = 0;

    for (; contract_admitted[n] && n < MAX_ADMISSIONS - 2; n++) {
        table[n] = (struct admission){
            .name = CONTRACT_VALIDATE_NAME,
            .mutate_name = CONTRACT_MUTATE_NAME,
            .res = contract_admitted[n],
            .mutate = mutate,
            .validate = validate,
        };
    }
    table[n++] = (struct admission){
        .name = "config.webhook.serving.knative.dev",
        .res = &KR_CONFIGMAP,
        .validate = validate_map,
    };
    table[n++] = (struct admission){
        .name = "scheduler.nonagon.dev",
        .mutate_name = "scheduler.nonagon.dev",
        .res = &KR_POD,
        .mutate = bind,
    };
    *ret_n = n;
    return table;
}
