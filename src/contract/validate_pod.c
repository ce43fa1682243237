/*
 * The pod's own fields: a list of what is always allowed, a table of what a feature flag opens, and
 * the few with rules of their own. Everything else that is set is refused by name.
 */
#include "contract/validate.h"
#include "kube/names.h"

static const char *const plain_fields[] = {
    "containers",         "volumes",
    "imagePullSecrets",   "enableServiceLinks",
    "serviceAccountName", "automountServiceAccountToken",
    "securityContext",    "containerConcurrency",
    "timeoutSeconds",     "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
};

static const struct {
    const char *field;
    enum feature feature;
} gated_fields[] = {
    {"affinity", FEATURE_AFFINITY},
    {"topologySpreadConstraints", FEATURE_TOPOLOGY_SPREAD},
    {"hostAliases", FEATURE_HOST_ALIASES},
    {"nodeSelector", FEATURE_NODE_SELECTOR},
    {"runtimeClassName", FEATURE_RUNTIME_CLASS},
    {"tolerations", FEATURE_TOLERATIONS},
    {"shareProcessNamespace", FEATURE_SHARE_PROCESS_NS},
    {"priorityClassName", FEATURE_PRIORITY_CLASS},
    {"schedulerName", FEATURE_SCHEDULER_NAME},
    {"initContainers", FEATURE_INIT_CONTAINERS},
    {"dnsPolicy", FEATURE_DNS_POLICY},
    {"dnsConfig", FEATURE_DNS_CONFIG},
    {"hostIPC", FEATURE_HOST_IPC},
    {"hostPID", FEATURE_HOST_PID},
    {"hostNetwork", FEATURE_HOST_NETWORK},
};

static void check_fields(const struct pod_check *pc, const struct fpath *at)
{
    const char *allowed[ARRAY_LEN(plain_fields) + ARRAY_LEN(gated_fields) + 1] = {0};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(plain_fields); i++)
        allowed[n++] = plain_fields[i];
    for (size_t i = 0; i < ARRAY_LEN(gated_fields); i++) {
        if (pc->cfg->features[gated_fields[i].feature] != FLAG_DISABLED)
            allowed[n++] = gated_fields[i].field;
    }
    validate_members(pc->fe, at, pc->spec, allowed);
    if (jget_bool(pc->spec, false, "automountServiceAccountToken"))
        fe_disallowed(pc->fe, at, "automountServiceAccountToken");
}

/* Without the gate, safe defaults alone let the seccomp profile's two harmless types through. */
static void check_pod_security(const struct pod_check *pc, const struct fpath *at)
{
    static const char *const all[] = {"runAsUser", "runAsGroup",         "runAsNonRoot",
                                      "fsGroup",   "supplementalGroups", "seccompProfile",
                                      NULL};
    static const char *const seccomp_only[] = {"seccompProfile", NULL};
    yyjson_val *ctx = jget(pc->spec, "securityContext");
    bool gate = pc->cfg->features[FEATURE_SECURITY_CONTEXT] != FLAG_DISABLED;
    bool secure = pc->cfg->features[FEATURE_SECURE_POD_DEFAULTS] != FLAG_DISABLED;

    if (json_is_zero(ctx))
        return;
    if (!gate && !secure) {
        fe_disallowed(pc->fe, at, "securityContext");
        return;
    }
    at = FP(at, "securityContext");
    validate_members(pc->fe, at, ctx, gate ? all : seccomp_only);
    const char *type = jget_str(ctx, "seccompProfile", "type");
    if (!gate && type && !streq(type, "RuntimeDefault") && !streq(type, "Unconfined"))
        fe_invalid(pc->fe, at, "seccompProfile.type", type, NULL);
    validate_id(pc->fe, at, ctx, "runAsUser");
    validate_id(pc->fe, at, ctx, "runAsGroup");
    validate_id(pc->fe, at, ctx, "fsGroup");
    yyjson_val *group;
    size_t i, n;
    yyjson_arr_foreach(jget(ctx, "supplementalGroups"), i, n, group)
    {
        int64_t id = yyjson_get_sint(group);
        if (id < 0 || id > INT32_MAX)
            fe_bounds(pc->fe, FPI(at, "supplementalGroups", i), "", 0, id, INT32_MAX);
    }
}

static void check_scalars(const struct pod_check *pc, const struct fpath *at)
{
    const struct config_defaults *d = &pc->cfg->defaults;
    int64_t timeout = jget_int(pc->spec, 0, "timeoutSeconds");
    yyjson_val *cc = jget(pc->spec, "containerConcurrency");
    int64_t least = d->allow_concurrency_zero ? 0 : 1;

    if (timeout < 0 || timeout > d->max_timeout_s)
        fe_bounds(pc->fe, at, "timeoutSeconds", 0, timeout, d->max_timeout_s);
    if (yyjson_is_int(cc)) {
        int64_t n = yyjson_get_sint(cc);
        if (n < least || n > d->container_concurrency_max)
            fe_bounds(pc->fe, at, "containerConcurrency", least, n, d->container_concurrency_max);
    }
}

void validate_revision_spec(struct field_errors *fe, const struct fpath *at, yyjson_val *spec,
                            const struct contract_config *cfg)
{
    struct pod_check pc = {.fe = fe, .cfg = cfg, .spec = spec};
    const char *account = jget_str(spec, "serviceAccountName");

    check_fields(&pc, at);
    check_pod_security(&pc, at);
    validate_security_warnings(&pc, at);
    validate_volumes(&pc, at);
    validate_containers(&pc, at);
    if (account && account[0] && !is_dns1123_subdomain(account))
        fe_invalid(fe, at, "serviceAccountName", account, why_not_dns1123_subdomain(account));
    check_scalars(&pc, at);
}
