/*
 * The core's birth: shared state, the configuration kept up to date from its ConfigMaps, and every
 * reconciler registered. Reconcilers run only after the first list of all informers, so they never
 * see a default where a map says otherwise.
 */
#include "serving/serving.h"

#include "base/log.h"
#include "serving/class_check.h"
#include "serving/revision/digests.h"
#include "serving/serving_internal.h"

static char **copy_list(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    char **out = xcalloc(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(list[i]);
    return out;
}

static void free_list(char **list)
{
    for (char **p = list; p && *p; p++)
        free(*p);
    free(list);
}

bool serving_class_known(char *const *classes, const char *name)
{
    for (; *classes; classes++) {
        if (streq(*classes, name))
            return true;
    }
    return false;
}

/* ---- configuration ---- */
static void resync(struct serving *s, enum config_section section)
{
    const struct {
        unsigned bit;
        struct controller *controller;
    } all[] = {
        {SERVING_RESYNC_CONFIGURATION, s->configuration},
        {SERVING_RESYNC_REVISION, s->revision},
        {SERVING_RESYNC_ROUTE, s->route},
        {SERVING_RESYNC_SKS, s->sks},
        {SERVING_RESYNC_SERVICE, s->service},
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].controller && (s->resync[section] & all[i].bit))
            controller_enqueue_all(all[i].controller);
    }
}

static void on_config(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct serving *s = ctx;
    const struct kobj *any = after ? after : before;
    enum config_section section = config_section_of(kobj_name(any));
    struct err e;

    if (section == CONFIG_SECTION_MAX || !streq(kobj_namespace(any), SYSTEM_NAMESPACE))
        return;
    if (contract_config_read(s->config, section, after, &e) < 0) {
        log_warn("serving", "%s; the previous settings stay in force", e.msg);
        return;
    }
    resync(s, section);
}

/* ---- life ---- */
struct serving *serving_alloc(const struct serving_opts *o)
{
    struct serving *s = xnew(struct serving);

    s->m = o->manager;
    s->resolver = o->resolver;
    s->config = contract_config_new(o->cluster_domain);
    s->autoscaler_classes = copy_list(o->autoscaler_classes);
    s->ingress_classes = copy_list(o->ingress_classes);
    s->image_classes = copy_list(o->image_classes);
    s->digests = digests_new(s);
    return s;
}

struct serving *serving_new(const struct serving_opts *o)
{
    struct serving *s = serving_alloc(o);
    struct loop *l = manager_loop(s->m);

    s->wall_offset_ns = loop_wall_ns(l) - loop_now_ns(l);
    manager_on_change(s->m, &KR_CONFIGMAP, on_config, s);
    service_reconciler_register(s);
    configuration_reconciler_register(s);
    revision_reconciler_register(s);
    route_reconciler_register(s);
    labeler_register(s);
    sks_reconciler_register(s);
    class_check_register(s);
    return s;
}

void serving_free(struct serving *s)
{
    if (!s)
        return;
    digests_free(s->digests);
    class_check_free(s->class_check);
    contract_config_free(s->config);
    free_list(s->autoscaler_classes);
    free_list(s->ingress_classes);
    free_list(s->image_classes);
    free(s);
}
