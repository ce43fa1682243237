/* PodAutoscaler: a target to scale and how its requests count. Class and metric are filled in where
 * they are missing. */
#include <ctype.h>

#include "contract/annotations.h"
#include "contract/kinds.h"
#include "contract/names.h"
#include "contract/validate.h"
#include "kube/names.h"

void podautoscaler_default(const struct default_ctx *d)
{
    const char *class = jm_get_str(d->m->root, "metadata", "annotations", A_AUTOSCALER_CLASS);

    if (!class)
        kmut_annotation(d->m, A_AUTOSCALER_CLASS, class = d->cfg->autoscaler.autoscaler_class);
    if (jm_get(d->m->root, "metadata", "annotations", AK_METRIC.names[0]))
        return;
    if (streq(class, CLASS_KPA))
        kmut_annotation(d->m, AK_METRIC.names[0], "concurrency");
    else if (streq(class, "hpa.autoscaling.knative.dev"))
        kmut_annotation(d->m, AK_METRIC.names[0], "cpu");
}

static bool is_identifier(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    }
    return true;
}

static void check_target(const struct validate_ctx *v, const struct fpath *at, yyjson_val *ref)
{
    static const char *const allowed[] = {"apiVersion", "kind", "name", NULL};
    const char *kind = jget_str(ref, "kind"), *version = jget_str(ref, "apiVersion"),
               *name = jget_str(ref, "name");

    validate_members(v->fe, at, ref, allowed);
    for (size_t i = 0; i < 3; i++) {
        if (json_is_zero(jget(ref, allowed[i])))
            fe_missing(v->fe, at, allowed[i]);
    }
    if (kind && kind[0] && !is_identifier(kind))
        fe_invalid(v->fe, at, "kind", kind, NULL);
    if (version && version[0] && !is_qualified_name(version))
        fe_invalid(v->fe, at, "apiVersion", version, why_not_qualified_name(version));
    if (name && name[0] && !is_dns1123_label(name))
        fe_invalid(v->fe, at, "name", name, why_not_dns1123_label(name));
}

void podautoscaler_validate(const struct validate_ctx *v)
{
    yyjson_val *spec = jget(v->root, "spec");
    const struct fpath *at = FP(FP_ROOT, "spec");
    const char *protocol = jget_str(spec, "protocolType"), *reach = jget_str(spec, "reachability");
    int64_t cc = jget_int(spec, 0, "containerConcurrency"),
            most = v->cfg->defaults.container_concurrency_max;

    validate_autoscaling(v->fe, FP(FP(FP_ROOT, "metadata"), "annotations"),
                         jget(v->root, "metadata", "annotations"), v->cfg);
    if (json_is_zero(spec)) {
        fe_missing(v->fe, at, "");
        return;
    }
    check_target(v, FP(at, "scaleTargetRef"), jget(spec, "scaleTargetRef"));
    if (cc < 0 || cc > most)
        fe_bounds(v->fe, at, "containerConcurrency", 0, cc, most);
    if (!protocol || !protocol[0])
        fe_missing(v->fe, at, "protocolType");
    else if (!streq(protocol, "http1") && !streq(protocol, "h2c"))
        fe_invalid(v->fe, at, "protocolType", protocol, NULL);
    if (reach && reach[0] && !streq(reach, "Reachable") && !streq(reach, "Unreachable"))
        fe_invalid(v->fe, at, "reachability", reach, NULL);
}
