/* Security contexts of containers: what may be set, and warnings for what is left open to insecure
 * values. */
#include "contract/validate.h"

static bool drops_privilege(const struct pod_check *pc)
{
    return pc->cfg->features[FEATURE_SECURE_POD_DEFAULTS] != FLAG_DISABLED;
}

static void check_capabilities(const struct pod_check *pc, const struct fpath *at, yyjson_val *caps)
{
    yyjson_val *add = jget(caps, "add");

    if (yyjson_arr_size(add) == 0 || feature_on(pc->cfg, FEATURE_ADD_CAPABILITIES))
        return;
    if (drops_privilege(pc) && yyjson_arr_size(add) == 1 &&
        streq(yyjson_get_str(yyjson_arr_get_first(add)), "NET_BIND_SERVICE"))
        return;
    fe_disallowed(pc->fe, at, "capabilities.add");
}

void validate_security(const struct pod_check *pc, const struct fpath *at, yyjson_val *ctx)
{
    static const char *const allowed[] = {
        "capabilities", "readOnlyRootFilesystem",   "runAsUser",      "runAsGroup",
        "runAsNonRoot", "allowPrivilegeEscalation", "seccompProfile", NULL};

    if (!ctx)
        return;
    at = FP(at, "securityContext");
    validate_members(pc->fe, at, ctx, allowed);
    check_capabilities(pc, at, jget(ctx, "capabilities"));
    validate_id(pc->fe, at, ctx, "runAsUser");
    validate_id(pc->fe, at, ctx, "runAsGroup");
}

static void warn(const struct pod_check *pc, const struct fpath *at, const char *field)
{
    fe_add(pc->fe, FE_WARNING, at, field, NULL,
           "Kubernetes default value is insecure, Knative may default this to secure in a future "
           "release");
}

static void warn_container(const struct pod_check *pc, const struct fpath *at, yyjson_val *ctx)
{
    yyjson_val *pod = jget(pc->spec, "securityContext"), *caps = jget(ctx, "capabilities"),
               *drop = jget(caps, "drop");

    at = FP(at, "securityContext");
    if (!jget(ctx, "runAsNonRoot") && !jget(pod, "runAsNonRoot"))
        warn(pc, at, "runAsNonRoot");
    if (!jget(ctx, "allowPrivilegeEscalation"))
        warn(pc, at, "allowPrivilegeEscalation");
    if (json_is_zero(jget(ctx, "seccompProfile", "type")) &&
        json_is_zero(jget(pod, "seccompProfile", "type")))
        warn(pc, at, jget(ctx, "seccompProfile") ? "seccompProfile.type" : "seccompProfile");
    if (!caps)
        warn(pc, at, "capabilities");
    else if (!drop)
        warn(pc, at, "capabilities.drop");
    else if (streq(yyjson_get_str(yyjson_arr_get_first(drop)), "all"))
        fe_add(pc->fe, FE_WARNING, at, "capabilities.drop", "Must be spelled as 'ALL'",
               "invalid value: all");
}

void validate_security_warnings(const struct pod_check *pc, const struct fpath *at)
{
    static const char *const lists[] = {"containers", "initContainers"};
    yyjson_val *c;
    size_t i, n;

    if (drops_privilege(pc))
        return;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        yyjson_arr_foreach(jget(pc->spec, lists[l]), i, n, c)
            warn_container(pc, FPI(at, lists[l], i), jget(c, "securityContext"));
    }
}
