/* Names of services first, since "initialized" needs one; then the table of the facts, row by row.
 */
#include "plugin/autoscaler/kpa/status.h"

#include "contract/conditions.h"

int64_t kpa_condition_age(const struct kobj *o, const char *type, const char *status,
                          struct cond_age *age, const struct reconcile_ctx *rc)
{
    yyjson_val *condition = kobj_condition(o, type);

    if (!streq(jget_str(condition, "status"), status))
        return -1;
    return cond_age_ns(age, condition, rc->now_ns, rc->mono_ns);
}

enum kpa_active kpa_active_state(const struct kobj *pa, struct cond_age *age,
                                 const struct reconcile_ctx *rc, int64_t *ret_for_ns)
{
    yyjson_val *condition = kobj_condition(pa, COND_ACTIVE);
    const char *status = jget_str(condition, "status");

    *ret_for_ns = cond_age_ns(age, condition, rc->now_ns, rc->mono_ns);
    return streq(status, "True")    ? KPA_ACTIVE
           : streq(status, "False") ? KPA_INACTIVE
                                    : KPA_ACTIVATING;
}

static void mark_services(struct cond *c, const struct kobj *sks)
{
    yyjson_val *status = jget(kobj_root(sks), "status");
    const char *service = jget_str(status, "serviceName");
    const char *private = jget_str(status, "privateServiceName");
    bool known = private && *private;

    if (known)
        jm_set_str(KM(c->obj), private, "status", "metricsServiceName");
    if (known && service)
        jm_set_str(KM(c->obj), service, "status", "serviceName");
    /* The schema wants both, known or not. */
    if (!jm_get_str(c->obj->root, "status", "metricsServiceName"))
        jm_set_str(KM(c->obj), "", "status", "metricsServiceName");
    if (!jm_get_str(c->obj->root, "status", "serviceName"))
        jm_set_str(KM(c->obj), "", "status", "serviceName");

    const char *message = jget_str(kobj_condition(sks, COND_READY), "message");
    if (!known)
        cs_unknown(c, COND_SKS_READY, "NotReady", "No Private Service Name");
    else if (kobj_is_ready(sks))
        cs_true(c, COND_SKS_READY);
    else
        cs_unknown(c, COND_SKS_READY, "NotReady", "%s", message ? message : "");
}

static void mark_active(struct cond *c, const struct kpa_result *r, int64_t threshold)
{
    const char *was = cs_status(c, COND_ACTIVE);
    bool inactive = streq(was, "False"), activating = streq(was, "Unknown");

    if (r->want == 0 || threshold == 0) {
        if (activating && threshold > 0)
            cs_false(c, COND_ACTIVE, "TimedOut", "The target could not be activated.");
        else
            cs_false(c, COND_ACTIVE, "NoTraffic", "The target is not receiving traffic.");
    } else if (r->ready < threshold) {
        if (r->want > 0 || !inactive)
            cs_unknown(c, COND_ACTIVE, "Queued",
                       "Requests to the target are being buffered as resources are provisioned.");
        else
            cs_false(c, COND_ACTIVE, "NoTraffic", "The target is not receiving traffic.");
    } else if (r->want > 0 || !inactive) {
        cs_true(c, COND_ACTIVE);
    }
}

static void set_scales(struct cond *c, const struct kpa_result *r)
{
    int64_t known = jget_int(kobj_root(c->before), -1, "status", "desiredScale");

    jm_set_int(KM(c->obj), r->ready, "status", "actualScale");
    jm_set_int(KM(c->obj), r->want == -1 && known >= 0 ? known : r->want, "status", "desiredScale");
}

void kpa_mark(struct cond *c, const struct kpa_result *r)
{
    bool initialized = streq(cs_status(c, COND_SCALE_INITIALIZED), "True");
    int64_t floor = initialized ? 1 : r->bounds->initial;
    int64_t threshold = r->bounds->min > floor ? r->bounds->min : floor;

    mark_services(c, r->sks);
    const char *service = jm_get_str(c->obj->root, "status", "serviceName");
    if (r->ready >= threshold && *service)
        cs_true(c, COND_SCALE_INITIALIZED);
    mark_active(c, r, threshold);
    set_scales(c, r);
}
