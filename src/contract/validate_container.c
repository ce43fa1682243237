/*
 * Containers: first what concerns all of them together (how many, which one serves), then each by
 * its role. The one with ports serves; a container alone always does.
 */
#include "contract/image_ref.h"
#include "contract/validate.h"
#include "kube/names.h"

static const char *const members[] = {"name",
                                      "args",
                                      "command",
                                      "env",
                                      "envFrom",
                                      "workingDir",
                                      "image",
                                      "imagePullPolicy",
                                      "livenessProbe",
                                      "readinessProbe",
                                      "startupProbe",
                                      "ports",
                                      "resources",
                                      "securityContext",
                                      "terminationMessagePath",
                                      "terminationMessagePolicy",
                                      "volumeMounts",
                                      NULL};

/* ---- ports ---- */
#define PORT_NAME_MAX 15

static void check_port_number(const struct pod_check *pc, const struct fpath *at, int64_t port)
{
    static const int64_t reserved[] = {8012, 8013, 8022, 9090, 9091, 8008};
    char value[64], details[96];

    if (port < 0 || port > 65535)
        fe_bounds(pc->fe, at, "containerPort", 0, port, 65535);
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (port != reserved[i])
            continue;
        snprintf(value, sizeof(value), "%lld is a reserved port", (long long)port);
        snprintf(details, sizeof(details), "%s, please use a different value", value);
        fe_invalid(pc->fe, at, "containerPort", value, details);
    }
}

/* A port that serves nothing: as any pod's. */
static void check_plain_port(const struct pod_check *pc, const struct fpath *at, yyjson_val *ports,
                             size_t which)
{
    const char *name = jget_str(yyjson_arr_get(ports, which), "name");
    const char *protocol = jget_str(yyjson_arr_get(ports, which), "protocol");

    if (name && *name && (strlen(name) > PORT_NAME_MAX || !is_dns1123_label(name)))
        fe_invalid(pc->fe, at, "name", name, "must be a service name of at most 15 characters");
    for (size_t i = 0; name && *name && i < which; i++) {
        if (streq(jget_str(yyjson_arr_get(ports, i), "name"), name))
            fe_add(pc->fe, FE_ERROR, at, "name", NULL, "duplicate port name \"%s\"", name);
    }
    if (protocol && *protocol && !streq(protocol, "TCP") && !streq(protocol, "UDP") &&
        !streq(protocol, "SCTP"))
        fe_invalid(pc->fe, at, "protocol", protocol, NULL);
}

static void check_ports(const struct pod_check *pc, const struct fpath *at, yyjson_val *ports,
                        enum container_role role)
{
    static const char *const allowed[] = {"containerPort", "name", "protocol", NULL};
    yyjson_val *port;
    size_t i, n;

    at = FP(at, "ports");
    yyjson_arr_foreach(ports, i, n, port)
    {
        const char *name = jget_str(port, "name"), *protocol = jget_str(port, "protocol");
        validate_members(pc->fe, at, port, allowed);
        check_port_number(pc, at, jget_int(port, 0, "containerPort"));
        if (role != CONTAINER_SERVING) {
            check_plain_port(pc, at, ports, i);
            continue;
        }
        if (protocol && protocol[0] && !streq(protocol, "TCP"))
            fe_invalid(pc->fe, at, "protocol", protocol, NULL);
        if (name && name[0] && !streq(name, "http1") && !streq(name, "h2c"))
            fe_add(pc->fe, FE_ERROR, at, "", "Name must be empty, or one of: 'h2c', 'http1'",
                   "Port name %s is not allowed", name);
    }
}

/* ---- environment ---- */
static bool reserved_env(const char *name, enum container_role role)
{
    return streq(name, "K_SERVICE") || streq(name, "K_CONFIGURATION") ||
           streq(name, "K_REVISION") || (role == CONTAINER_SERVING && streq(name, "PORT"));
}

static void check_value_from(const struct pod_check *pc, const struct fpath *at, yyjson_val *from)
{
    static const char *const allowed[] = {"configMapKeyRef", "secretKeyRef", NULL};
    static const char *const with_field[] = {"configMapKeyRef", "secretKeyRef", "fieldRef",
                                             "resourceFieldRef", NULL};
    bool fields = pc->cfg->features[FEATURE_FIELD_REF] != FLAG_DISABLED;

    if (from)
        validate_members(pc->fe, FP(at, "valueFrom"), from, fields ? with_field : allowed);
}

static void check_env(const struct pod_check *pc, const struct fpath *at, yyjson_val *env,
                      enum container_role role)
{
    static const char *const allowed[] = {"name", "value", "valueFrom", NULL};
    static const char *const both[] = {"value", "valueFrom", NULL};
    yyjson_val *var;
    size_t i, n;

    yyjson_arr_foreach(env, i, n, var)
    {
        const struct fpath *here = FPI(at, "env", i);
        const char *name = jget_str(var, "name");
        validate_members(pc->fe, here, var, allowed);
        if (!name || !name[0])
            fe_missing(pc->fe, here, "name");
        else if (reserved_env(name, role))
            fe_add(pc->fe, FE_ERROR, here, "name", NULL,
                   "\"%s\" is a reserved environment variable", name);
        else if (strchr(name, '='))
            fe_invalid(pc->fe, here, "name", name,
                       "a valid environment variable name must not contain '='");
        const char *value = jget_str(var, "value");
        if (value && *value && !json_is_zero(jget(var, "valueFrom")))
            fe_both(pc->fe, here, both);
        check_value_from(pc, here, jget(var, "valueFrom"));
    }
}

static void check_env_from(const struct pod_check *pc, const struct fpath *at, yyjson_val *list)
{
    static const char *const refs[] = {"configMapRef", "secretRef", NULL};
    yyjson_val *from;
    size_t i, n;

    at = FP(at, "envFrom");
    yyjson_arr_foreach(list, i, n, from)
    {
        bool map = jget(from, refs[0]) != NULL, secret = jget(from, refs[1]) != NULL;
        if (map && secret)
            fe_both(pc->fe, at, refs);
        else if (!map && !secret)
            fe_neither(pc->fe, at, refs);
    }
}

/* ---- one container ---- */
static void check_image(const struct pod_check *pc, const struct fpath *at, yyjson_val *container)
{
    const char *image = jget_str(container, "image");
    struct err why;

    if (!image || !image[0]) {
        fe_missing(pc->fe, at, "image");
    } else if (!image_reference_ok(image, &why)) {
        _cleanup_free_ char *details = xasprintf("image: \"%s\", error: %s", image, why.msg);
        fe_add(pc->fe, FE_ERROR, at, "image", details, "Failed to parse image reference");
    }
}

static void check_common(const struct pod_check *pc, const struct fpath *at, yyjson_val *c,
                         enum container_role role)
{
    static const char *const resource_members[] = {"limits", "requests", NULL};
    const char *policy = jget_str(c, "terminationMessagePolicy");

    validate_members(pc->fe, at, c, members);
    check_env(pc, at, jget(c, "env"), role);
    check_env_from(pc, at, jget(c, "envFrom"));
    check_image(pc, at, c);
    check_ports(pc, at, jget(c, "ports"), role);
    validate_members(pc->fe, FP(at, "resources"), jget(c, "resources"), resource_members);
    validate_security(pc, at, jget(c, "securityContext"));
    if (policy && policy[0] && !streq(policy, "File") && !streq(policy, "FallbackToLogsOnError"))
        fe_invalid(pc->fe, at, "terminationMessagePolicy", policy, NULL);
    validate_mounts(pc, at, c);
}

static void check_init(const struct pod_check *pc, const struct fpath *at, yyjson_val *c)
{
    static const char *const refused[] = {"livenessProbe", "readinessProbe", "startupProbe",
                                          "lifecycle"};

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (jget(c, refused[i]))
            fe_add(pc->fe, FE_ERROR, at, refused[i], NULL,
                   "field not allowed in an init container");
    }
    check_common(pc, at, c, CONTAINER_INIT);
}

static bool name_taken(yyjson_val *containers, size_t before, const char *name)
{
    yyjson_val *c;
    size_t i, n;

    yyjson_arr_foreach(containers, i, n, c)
    {
        if (i < before && name && *name && streq(jget_str(c, "name"), name))
            return true;
    }
    return false;
}

/* What the pods' own validation would refuse is refused here, where somebody reads it. */
static void check_name(const struct pod_check *pc, const struct fpath *at, const char *name,
                       yyjson_val *containers, size_t before)
{
    if (!name || !name[0])
        return;
    if (why_not_dns1123_label(name))
        fe_invalid(pc->fe, at, "name", name, why_not_dns1123_label(name));
    if (streq(name, "queue-proxy"))
        fe_add(pc->fe, FE_ERROR, at, "name", NULL, "\"queue-proxy\" is a reserved container name");
    if (name_taken(containers, before, name))
        fe_add(pc->fe, FE_ERROR, at, "name", NULL, "duplicate container name \"%s\"", name);
}

/* ---- all of them ---- */
static void check_port_count(const struct pod_check *pc, const struct fpath *at,
                             yyjson_val *containers)
{
    size_t i, n, total = 0;
    yyjson_val *c;

    yyjson_arr_foreach(containers, i, n, c) total += yyjson_arr_size(jget(c, "ports"));
    if (total > 1)
        fe_add(pc->fe, FE_ERROR, at, "containers[*].ports",
               "Only a single port is allowed across all containers",
               "more than one container port is set");
    if (total == 0 && n > 1)
        fe_missing(pc->fe, at, "containers[*].ports");
}

static void check_init_containers(const struct pod_check *pc, const struct fpath *at,
                                  yyjson_val *containers)
{
    yyjson_val *list = jget(pc->spec, "initContainers"), *c;
    size_t i, n;

    if (yyjson_arr_size(list) == 0 || pc->cfg->features[FEATURE_INIT_CONTAINERS] == FLAG_DISABLED)
        return;
    if (!feature_on(pc->cfg, FEATURE_INIT_CONTAINERS)) {
        fe_add(pc->fe, FE_ERROR, at, NULL, NULL,
               "pod spec support for init-containers is off, but found %zu init containers",
               yyjson_arr_size(list));
        return;
    }
    yyjson_arr_foreach(list, i, n, c)
    {
        const struct fpath *here =
            FPI(at, "containers", i); /* the path that clients know, though it misleads */
        check_name(pc, here, jget_str(c, "name"), containers, yyjson_arr_size(containers));
        if (name_taken(list, i, jget_str(c, "name")))
            fe_add(pc->fe, FE_ERROR, here, "name", NULL, "duplicate container name \"%s\"",
                   jget_str(c, "name"));
        check_init(pc, here, c);
    }
}

void validate_containers(const struct pod_check *pc, const struct fpath *at)
{
    yyjson_val *containers = jget(pc->spec, "containers"), *c;
    size_t i, n;

    check_init_containers(pc, at, containers);
    if (yyjson_arr_size(containers) == 0) {
        fe_missing(pc->fe, at, "containers");
        return;
    }
    if (yyjson_arr_size(containers) > 1 && !feature_on(pc->cfg, FEATURE_MULTI_CONTAINER)) {
        fe_add(pc->fe, FE_ERROR, at, NULL, NULL, "multi-container is off, but found %zu containers",
               yyjson_arr_size(containers));
        return;
    }
    check_port_count(pc, at, containers);
    yyjson_arr_foreach(containers, i, n, c)
    {
        const struct fpath *here = FPI(at, "containers", i);
        bool serves = n == 1 || yyjson_arr_size(jget(c, "ports")) > 0;
        if (yyjson_obj_size(c) == 0) {
            fe_missing(pc->fe, here, "");
            continue;
        }
        check_name(pc, here, jget_str(c, "name"), containers, i);
        validate_probes(pc, here, c, serves ? CONTAINER_SERVING : CONTAINER_SIDECAR);
        check_common(pc, here, c, serves ? CONTAINER_SERVING : CONTAINER_SIDECAR);
    }
}
