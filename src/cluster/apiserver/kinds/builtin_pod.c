/*
 * Pods: the defaults of core/v1 and the checks without which a node could not run one. Checks run
 * on what may be any JSON: readers answer NULL or 0 for a wrong type, and the type errors that
 * matter are named.
 */
#include <stdio.h>

#include "cluster/apiserver/kinds/builtin.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "kube/names.h"

/* ---- defaults ---- */
static void int_unless_set(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t v)
{
    if (jm_get_int(o, 0, key) == 0)
        jm_set_int(d, o, v, key);
}

static void probe_defaults(yyjson_mut_doc *d, yyjson_mut_val *p)
{
    yyjson_mut_val *http = yyjson_mut_obj_get(p, "httpGet");
    yyjson_mut_val *grpc = yyjson_mut_obj_get(p, "grpc");

    if (!yyjson_mut_is_obj(p))
        return;
    int_unless_set(d, p, "timeoutSeconds", 1);
    int_unless_set(d, p, "periodSeconds", 10);
    int_unless_set(d, p, "successThreshold", 1);
    int_unless_set(d, p, "failureThreshold", 3);
    if (yyjson_mut_is_obj(http)) {
        tree_default_str(d, http, "path", "/");
        tree_default_str(d, http, "scheme", "HTTP");
    }
    if (yyjson_mut_is_obj(grpc) && !yyjson_mut_obj_get(grpc, "service"))
        jm_set_str(d, grpc, "", "service");
}

/* ":latest" or no tag at all means Always; a digest never changes. */
static const char *pull_policy(const char *image)
{
    const char *slash = image ? strrchr(image, '/') : NULL;
    const char *colon = image ? strrchr(slash ? slash : image, ':') : NULL;

    if (image && strchr(image, '@'))
        return "IfNotPresent";
    return !colon || streq(colon, ":latest") ? "Always" : "IfNotPresent";
}

static void container_defaults(yyjson_mut_doc *d, yyjson_mut_val *c)
{
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    yyjson_mut_val *ports = yyjson_mut_obj_get(c, "ports"), *env = yyjson_mut_obj_get(c, "env");

    if (!yyjson_mut_is_obj(c))
        return;
    tree_default_str(d, c, "imagePullPolicy", pull_policy(jm_get_str(c, "image")));
    tree_default_str(d, c, "terminationMessagePath", "/dev/termination-log");
    tree_default_str(d, c, "terminationMessagePolicy", "File");
    tree_default_obj(d, c, "resources");
    for (size_t i = 0; i < ARRAY_LEN(probes); i++)
        probe_defaults(d, yyjson_mut_obj_get(c, probes[i]));
    TREE_EACH(p, ports)
    if (yyjson_mut_is_obj(p))
        tree_default_str(d, p, "protocol", "TCP");
    TREE_EACH(e, env)
    {
        yyjson_mut_val *ref = jm_get(e, "valueFrom", "fieldRef");

        if (yyjson_mut_is_obj(ref))
            tree_default_str(d, ref, "apiVersion", "v1");
    }
}

static void volume_defaults(yyjson_mut_doc *d, yyjson_mut_val *v)
{
    static const char *const modes[] = {"secret", "configMap", "projected", "downwardAPI"};
    yyjson_mut_val *sources = jm_get(v, "projected", "sources");

    if (!yyjson_mut_is_obj(v))
        return;
    if (yyjson_mut_obj_size(v) == 1 && yyjson_mut_obj_get(v, "name"))
        jm_obj(d, v, "emptyDir");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (yyjson_mut_is_obj(yyjson_mut_obj_get(v, modes[i])))
            tree_default_int(d, yyjson_mut_obj_get(v, modes[i]), "defaultMode", 0644);
    TREE_EACH(s, sources)
    if (yyjson_mut_is_obj(jm_get(s, "serviceAccountToken")))
        tree_default_int(d, jm_get(s, "serviceAccountToken"), "expirationSeconds", 3600);
}

void pod_spec_defaults(yyjson_mut_doc *d, yyjson_mut_val *spec)
{
    static const char *const lists[] = {"initContainers", "containers"};
    yyjson_mut_val *volumes = yyjson_mut_obj_get(spec, "volumes");

    if (!yyjson_mut_is_obj(spec))
        return;
    tree_default_str(d, spec, "restartPolicy", "Always");
    tree_default_str(d, spec, "dnsPolicy", "ClusterFirst");
    tree_default_int(d, spec, "terminationGracePeriodSeconds", 30);
    tree_default_str(d, spec, "schedulerName", "default-scheduler");
    tree_default_obj(d, spec, "securityContext");
    if (jm_get_str(spec, "serviceAccountName"))
        jm_set_str(d, spec, jm_get_str(spec, "serviceAccountName"), "serviceAccount");
    else if (jm_get_str(spec, "serviceAccount"))
        jm_set_str(d, spec, jm_get_str(spec, "serviceAccount"), "serviceAccountName");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        yyjson_mut_val *list = yyjson_mut_obj_get(spec, lists[i]);

        TREE_EACH(c, list)
        container_defaults(d, c);
    }
    TREE_EACH(v, volumes)
    volume_defaults(d, v);
}

/* A limit without a request asks for as much. */
static void requests_from_limits(yyjson_mut_doc *d, yyjson_mut_val *c)
{
    yyjson_mut_val *limits = jm_get(c, "resources", "limits");
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(limits);

    for (yyjson_mut_val *k; limits && (k = yyjson_mut_obj_iter_next(&it));) {
        const char *name = yyjson_mut_get_str(k);

        if (!jm_get(c, "resources", "requests", name))
            jm_set(d, c, yyjson_mut_val_mut_copy(d, yyjson_mut_obj_iter_get_val(k)), "resources",
                   "requests", name);
    }
}

static const char *qos_class(yyjson_mut_val *containers)
{
    bool any = false, all = true;

    TREE_EACH(c, containers)
    {
        yyjson_mut_val *req = jm_get(c, "resources", "requests");
        yyjson_mut_val *lim = jm_get(c, "resources", "limits");

        any |= yyjson_mut_obj_size(req) || yyjson_mut_obj_size(lim);
        all &= jm_get(lim, "cpu") && jm_get(lim, "memory") &&
               tree_same(jm_get(lim, "cpu"), jm_get(req, "cpu")) &&
               tree_same(jm_get(lim, "memory"), jm_get(req, "memory"));
    }
    return !any ? "BestEffort" : all ? "Guaranteed" : "Burstable";
}

static void pod_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");
    yyjson_mut_val *containers = jm_get(spec, "containers");

    if (!yyjson_mut_is_obj(spec))
        return;
    pod_spec_defaults(o->d, spec);
    tree_default_bool(o->d, spec, "enableServiceLinks", true);
    if (!old && !jm_get_str(spec, "serviceAccountName")) {
        jm_set_str(o->d, spec, "default", "serviceAccountName");
        jm_set_str(o->d, spec, "default", "serviceAccount");
    }
    TREE_EACH(c, containers)
    requests_from_limits(o->d, c);
    if (!jm_get(o->root, "status", "phase"))
        jm_set_str(KM(o), "Pending", "status", "phase");
    if (!jm_get(o->root, "status", "qosClass"))
        jm_set_str(KM(o), qos_class(containers), "status", "qosClass");
}

/* ---- validation ---- */
static bool one_of(const char *s, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        if (streq(s, list[i]))
            return true;
    return false;
}

static void check_word(const yyjson_mut_val *o, const char *key, struct field_path *path,
                       const char *const *words, struct field_errors *errs)
{
    const char *s = jm_get_str(o, key);
    size_t mark = path_key(path, key);

    if (!s || !one_of(s, words))
        field_unsupported(errs, path_z(path), s, words);
    path_pop(path, mark);
}

void port_number_validate(const yyjson_mut_val *o, struct field_path *path, const char *key,
                          bool required, struct field_errors *errs)
{
    yyjson_mut_val *v = jm_get(o, key);
    size_t mark = path_key(path, key);
    int64_t n = yyjson_mut_get_sint(v);

    if (!v && required)
        field_required(errs, path_z(path), NULL);
    else if (v && (!yyjson_mut_is_int(v) || n < 1 || n > 65535))
        field_invalid_int(errs, path_z(path), n, "must be between 1 and 65535, inclusive");
    path_pop(path, mark);
}

void protocol_validate(const yyjson_mut_val *port, struct field_path *path,
                       struct field_errors *errs)
{
    static const char *const words[] = {"SCTP", "TCP", "UDP", NULL};

    check_word(port, "protocol", path, words, errs);
}

/* A name that must be a DNS label and new among those seen. */
static void check_name(const yyjson_mut_val *o, struct field_path *path, struct map *seen,
                       struct field_errors *errs)
{
    const char *name = jm_get_str(o, "name"), *why = name ? why_not_dns1123_label(name) : NULL;
    size_t mark = path_key(path, "name");

    if (!name || !*name)
        field_required(errs, path_z(path), NULL);
    else if (why)
        field_invalid_str(errs, path_z(path), name, "%s", why);
    else if (map_has(seen, name))
        field_duplicate(errs, path_z(path), name);
    else
        map_set(seen, name, seen);
    path_pop(path, mark);
}

static void check_ports(const yyjson_mut_val *c, struct field_path *path, struct field_errors *errs)
{
    yyjson_mut_val *ports = jm_get(c, "ports");
    struct map *names = map_new(NULL);
    size_t i = 0, list = path_key(path, "ports");

    TREE_EACH(p, ports)
    {
        const char *name = jm_get_str(p, "name");
        size_t mark = path_index(path, i++);

        port_number_validate(p, path, "containerPort", true, errs);
        port_number_validate(p, path, "hostPort", false, errs);
        protocol_validate(p, path, errs);
        if (name) {
            size_t at = path_key(path, "name");

            if (strlen(name) > 15 || !is_dns1123_label(name))
                field_invalid_str(errs, path_z(path), name,
                                  "must be a service name of at most 15 characters");
            else if (map_has(names, name))
                field_duplicate(errs, path_z(path), name);
            else
                map_set(names, name, names);
            path_pop(path, at);
        }
        path_pop(path, mark);
    }
    path_pop(path, list);
    map_free(names);
}

static void check_env(const yyjson_mut_val *c, struct field_path *path, struct field_errors *errs)
{
    yyjson_mut_val *env = jm_get(c, "env");
    size_t i = 0, list = path_key(path, "env");

    TREE_EACH(e, env)
    {
        const char *name = jm_get_str(e, "name");
        size_t mark = path_index(path, i++), at;

        at = path_key(path, "name");
        if (!name || !*name)
            field_required(errs, path_z(path), NULL);
        else if (strchr(name, '='))
            field_invalid_str(errs, path_z(path), name,
                              "a valid environment variable name must not contain '='");
        path_pop(path, at);
        if (jm_get(e, "value") && jm_get(e, "valueFrom")) {
            at = path_key(path, "valueFrom");
            field_error_add(errs, FE_INVALID, path_z(path), "\"\"",
                            "may not be specified when `value` is not empty");
            path_pop(path, at);
        }
        path_pop(path, mark);
    }
    path_pop(path, list);
}

static void check_mounts(const yyjson_mut_val *c, struct field_path *path,
                         const struct map *volumes, struct field_errors *errs)
{
    yyjson_mut_val *mounts = jm_get(c, "volumeMounts");
    size_t i = 0, list = path_key(path, "volumeMounts");

    TREE_EACH(m, mounts)
    {
        const char *name = jm_get_str(m, "name"), *at_path = jm_get_str(m, "mountPath");
        size_t mark = path_index(path, i++), at = path_key(path, "name");

        if (!name || !*name) {
            field_required(errs, path_z(path), NULL);
        } else if (!map_has(volumes, name)) {
            _cleanup_buf_ struct buf q = BUF_INIT(1024);

            go_quote(&q, name);
            field_error_add(errs, FE_NOT_FOUND, path_z(path), buf_z(&q), NULL);
        }
        path_pop(path, at);
        at = path_key(path, "mountPath");
        if (!at_path || !*at_path)
            field_required(errs, path_z(path), NULL);
        path_pop(path, at);
        path_pop(path, mark);
    }
    path_pop(path, list);
}

static void check_quantities(const yyjson_mut_val *c, const char *which, struct field_path *path,
                             struct field_errors *errs)
{
    yyjson_mut_val *map = jm_get(c, "resources", which);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(map);
    size_t list = path_key(path, "resources"), at = path_key(path, which);

    for (yyjson_mut_val *k; map && (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);
        size_t mark = path_map_key(path, yyjson_mut_get_str(k));
        int64_t milli;
        struct err e;

        if (!yyjson_mut_is_num(v) &&
            (!yyjson_mut_is_str(v) || quantity_parse_milli(yyjson_mut_get_str(v), &milli, &e) < 0))
            field_invalid_str(errs, path_z(path), yyjson_mut_get_str(v),
                              "quantities must match the regular expression "
                              "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
        path_pop(path, mark);
    }
    path_pop(path, at);
    path_pop(path, list);
}

static void check_container(const yyjson_mut_val *c, struct field_path *path, struct map *names,
                            const struct map *volumes, struct field_errors *errs)
{
    static const char *const pull[] = {"Always", "IfNotPresent", "Never", NULL};
    const char *image = jm_get_str(c, "image");
    size_t at;

    check_name(c, path, names, errs);
    at = path_key(path, "image");
    if (!image || !*image)
        field_required(errs, path_z(path), NULL);
    path_pop(path, at);
    check_word(c, "imagePullPolicy", path, pull, errs);
    check_ports(c, path, errs);
    check_env(c, path, errs);
    check_mounts(c, path, volumes, errs);
    check_quantities(c, "limits", path, errs);
    check_quantities(c, "requests", path, errs);
}

static void check_volumes(const yyjson_mut_val *spec, struct field_path *path, struct map *names,
                          struct field_errors *errs)
{
    yyjson_mut_val *volumes = jm_get(spec, "volumes");
    size_t i = 0, list = path_key(path, "volumes");

    TREE_EACH(v, volumes)
    {
        size_t mark = path_index(path, i++);

        check_name(v, path, names, errs);
        path_pop(path, mark);
    }
    path_pop(path, list);
}

static void check_containers(const yyjson_mut_val *spec, const char *key, struct field_path *path,
                             struct map *names, const struct map *volumes,
                             struct field_errors *errs)
{
    yyjson_mut_val *list = jm_get(spec, key);
    size_t i = 0, at = path_key(path, key);

    if (streq(key, "containers") && !yyjson_mut_arr_size(list))
        field_required(errs, path_z(path), NULL);
    TREE_EACH(c, list)
    {
        size_t mark = path_index(path, i++);

        check_container(c, path, names, volumes, errs);
        path_pop(path, mark);
    }
    path_pop(path, at);
}

void pod_spec_validate(const yyjson_mut_val *spec, struct field_path *path,
                       struct field_errors *errs)
{
    static const char *const restart[] = {"Always", "OnFailure", "Never", NULL};
    static const char *const dns[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None",
                                      NULL};
    struct map *names = map_new(NULL), *volumes = map_new(NULL);
    int64_t grace = jm_get_int(spec, 0, "terminationGracePeriodSeconds");

    check_volumes(spec, path, volumes, errs);
    check_containers(spec, "initContainers", path, names, volumes, errs);
    check_containers(spec, "containers", path, names, volumes, errs);
    check_word(spec, "restartPolicy", path, restart, errs);
    check_word(spec, "dnsPolicy", path, dns, errs);
    if (grace < 0) {
        size_t mark = path_key(path, "terminationGracePeriodSeconds");

        field_invalid_int(errs, path_z(path), grace, "must be greater than or equal to 0");
        path_pop(path, mark);
    }
    map_free(names);
    map_free(volumes);
}

/* What may change on a pod is put back to what it was; then nothing may differ. */
static void check_update(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    static const char *const mutable[] = {"activeDeadlineSeconds", "tolerations",
                                          "terminationGracePeriodSeconds"};
    static const char *const lists[] = {"containers", "initContainers"};
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *spec = yyjson_mut_val_mut_copy(d, yyjson_mut_obj_get(o->root, "spec"));
    yyjson_val *was = jget(old, "spec");
    const char *node = jget_str(was, "nodeName");

    for (size_t i = 0; i < ARRAY_LEN(mutable); i++)
        jm_set_copy(d, spec, jget(was, mutable[i]), mutable[i]);
    if (!node || !*node)
        jm_set_copy(d, spec, jget(was, "nodeName"), "nodeName");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        yyjson_mut_val *list = yyjson_mut_obj_get(spec, lists[i]);
        size_t n = 0;

        TREE_EACH(c, list)
        {
            yyjson_val *image = jget(yyjson_arr_get(jget(was, lists[i]), n++), "image");

            if (yyjson_mut_is_obj(c))
                jm_set_copy(d, c, image, "image");
        }
    }
    if (!tree_equal(spec, was))
        field_error_add(errs, FE_FORBIDDEN, "spec", NULL,
                        "pod updates may not change fields other than `spec.containers[*].image`,"
                        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
                        "`spec.tolerations` (only additions to existing tolerations),"
                        "`spec.terminationGracePeriodSeconds`");
}

static void pod_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");

    path_key(&path, "spec");
    if (!yyjson_mut_is_obj(spec))
        field_required(errs, "spec", NULL);
    else
        pod_spec_validate(spec, &path, errs);
    if (old && !errs->v.n)
        check_update(o, old, errs);
}

static const char *const pod_fields[] = {"spec.nodeName",
                                         "spec.restartPolicy",
                                         "spec.schedulerName",
                                         "spec.serviceAccountName",
                                         "spec.hostNetwork",
                                         "status.phase",
                                         "status.podIP",
                                         "status.nominatedNodeName",
                                         NULL};
const struct builtin builtin_pod = {
    .defaults = pod_defaults,
    .validate = pod_validate,
    .columns = columns_pod,
    .fields = pod_fields,
};
