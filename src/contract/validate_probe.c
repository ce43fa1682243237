/* Probes: one handler each; the readiness probe's numbers; ports that must be the container's. */
#include "contract/validate.h"

static const char *const handlers[] = {"httpGet", "tcpSocket", "exec", "grpc", NULL};

static void check_handler(const struct pod_check *pc, const struct fpath *at, yyjson_val *probe)
{
    const char *set[5] = {0};
    size_t n = 0;

    for (const char *const *h = handlers; *h; h++) {
        if (jget(probe, *h))
            set[n++] = streq(*h, "grpc") ? "gRPC" : *h;
    }
    if (n == 0)
        fe_neither(pc->fe, at, handlers);
    else if (n > 1)
        fe_both(pc->fe, at, set);
}

static void check_serving_port(const struct pod_check *pc, const struct fpath *at,
                               yyjson_val *probe, yyjson_val *container)
{
    const char *port_name = jget_str(yyjson_arr_get_first(jget(container, "ports")), "name");

    if (!port_name || !port_name[0])
        port_name = "http";
    for (size_t i = 0; i < 2; i++) {
        const char *named = jget_str(probe, handlers[i], "port");
        if (named && !streq(named, port_name))
            fe_invalid(pc->fe, FP(at, handlers[i]), "port", named,
                       "Probe port must match container port");
    }
}

static void check_sidecar_port(const struct pod_check *pc, const struct fpath *at,
                               yyjson_val *probe)
{
    for (size_t i = 0; i < 2; i++) {
        if (jget(probe, handlers[i]) && json_is_zero(jget(probe, handlers[i], "port")))
            fe_invalid(pc->fe, FP(at, handlers[i]), "port", "0", "Probe port must be specified");
    }
}

static void at_least(const struct pod_check *pc, const struct fpath *at, yyjson_val *probe,
                     const char *field, int64_t least)
{
    int64_t v = jget_int(probe, 0, field);

    if (v < least)
        fe_bounds(pc->fe, at, field, least, v, INT32_MAX);
}

/* periodSeconds 0 asks for probing as often as is useful, which has no time-out and no threshold.
 */
static void check_readiness(const struct pod_check *pc, const struct fpath *at, yyjson_val *probe)
{
    static const char *const timing[] = {"failureThreshold", "timeoutSeconds"};
    int64_t period = jget_int(probe, 0, "periodSeconds");

    at_least(pc, at, probe, "periodSeconds", 0);
    at_least(pc, at, probe, "initialDelaySeconds", 0);
    at_least(pc, at, probe, "successThreshold", 1);
    for (size_t i = 0; i < ARRAY_LEN(timing); i++) {
        if (period > 0)
            at_least(pc, at, probe, timing[i], 1);
        else if (period == 0 && jget_int(probe, 0, timing[i]) != 0)
            fe_add(pc->fe, FE_ERROR, at, timing[i], NULL,
                   "%s is disallowed when periodSeconds is zero", timing[i]);
    }
}

static void refuse_sidecar_probe(const struct pod_check *pc, const struct fpath *at,
                                 yyjson_val *probe)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(probe, i, n, key, value)
    {
        const char *name = yyjson_get_str(key);
        bool handler = false;
        for (const char *const *h = handlers; *h; h++)
            handler |= streq(*h, name);
        if (handler || !json_is_zero(value))
            fe_disallowed(pc->fe, at, handler ? "" : name);
    }
}

static void check_probe(const struct pod_check *pc, const struct fpath *at, const char *kind,
                        yyjson_val *container, enum container_role role)
{
    static const char *const allowed[] = {"httpGet",
                                          "tcpSocket",
                                          "exec",
                                          "grpc",
                                          "initialDelaySeconds",
                                          "timeoutSeconds",
                                          "periodSeconds",
                                          "successThreshold",
                                          "failureThreshold",
                                          "terminationGracePeriodSeconds",
                                          NULL};
    yyjson_val *probe = jget(container, kind);

    if (!probe)
        return;
    at = FP(at, kind);
    if (role == CONTAINER_SIDECAR && !feature_on(pc->cfg, FEATURE_MULTI_CONTAINER_PROBING)) {
        refuse_sidecar_probe(pc, at, probe);
        return;
    }
    validate_members(pc->fe, at, probe, allowed);
    check_handler(pc, at, probe);
    if (role == CONTAINER_SERVING)
        check_serving_port(pc, at, probe, container);
    else
        check_sidecar_port(pc, at, probe);
    if (streq(kind, "readinessProbe"))
        check_readiness(pc, at, probe);
}

void validate_probes(const struct pod_check *pc, const struct fpath *at, yyjson_val *container,
                     enum container_role role)
{
    check_probe(pc, at, "livenessProbe", container, role);
    check_probe(pc, at, "readinessProbe", container, role);
    check_probe(pc, at, "startupProbe", container, role);
}
