/*
 * The part that pods and pod templates share: defaults that depend on other fields, and the checks
 * without which a node could not run them.
 */
#include "cluster/apiserver/kinds/builtin.h"

#include <stdio.h>

#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "kube/names.h"
#include "kube/podspec.h"

/* ---- defaults ---- */
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
    if (yyjson_mut_is_obj(c))
        tree_default_str(d, c, "imagePullPolicy", pull_policy(jm_get_str(c, "image")));
}

/* A volume without a source is an empty directory. */
static void volume_defaults(yyjson_mut_doc *d, yyjson_mut_val *v)
{
    if (yyjson_mut_is_obj(v) && yyjson_mut_obj_size(v) == 1 && yyjson_mut_obj_get(v, "name"))
        jm_obj(d, v, "emptyDir");
}

void pod_spec_defaults(yyjson_mut_doc *d, yyjson_mut_val *spec)
{
    static const char *const lists[] = {"initContainers", "containers"};
    yyjson_mut_val *volumes = yyjson_mut_obj_get(spec, "volumes");

    if (!yyjson_mut_is_obj(spec))
        return;
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

void port_number_validate(const yyjson_mut_val *o, struct field_path *path, const char *key,
                          struct field_errors *errs)
{
    int64_t n = jm_get_int(o, 0, key);
    size_t mark = path_key(path, key);

    if (n && (n < 1 || n > 65535))
        field_invalid_int(errs, path_z(path), n, "must be between 1 and 65535, inclusive");
    path_pop(path, mark);
}

/* A name that must be a DNS label and new among those seen. */
static void check_name(const yyjson_mut_val *o, struct field_path *path, struct map *seen,
                       struct field_errors *errs)
{
    const char *name = jm_get_str(o, "name"), *why = name ? why_not_dns1123_label(name) : NULL;
    size_t mark = path_key(path, "name");

    if (!name || !*name)
        ; /* told already */
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

        port_number_validate(p, path, "containerPort", errs);
        port_number_validate(p, path, "hostPort", errs);
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
        if (name && strchr(name, '='))
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
        const char *name = jm_get_str(m, "name");
        size_t mark = path_index(path, i++), at = path_key(path, "name");

        if (name && *name && !map_has(volumes, name)) {
            _cleanup_buf_ struct buf q = BUF_INIT(1024);

            go_quote(&q, name);
            field_error_add(errs, FE_NOT_FOUND, path_z(path), buf_z(&q), NULL);
        }
        path_pop(path, at);
        path_pop(path, mark);
    }
    path_pop(path, list);
}

static void check_container(const yyjson_mut_val *c, struct field_path *path, struct map *names,
                            const struct map *volumes, struct field_errors *errs)
{
    check_name(c, path, names, errs);
    check_ports(c, path, errs);
    check_env(c, path, errs);
    check_mounts(c, path, volumes, errs);
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

    TREE_EACH(c, list)
    {
        size_t mark = path_index(path, i++);

        check_container(c, path, names, volumes, errs);
        path_pop(path, mark);
    }
    path_pop(path, at);
}

/* ---- what the node would not do ---- */
struct refusals {
    struct field_path *path;
    struct field_errors *errs;
};

static void refuse_field(void *ctx, const char *path, const char *why)
{
    struct refusals *r = ctx;
    size_t mark = path_key(r->path, path);

    field_error_add(r->errs, FE_FORBIDDEN, path_z(r->path), NULL, "%s", why);
    path_pop(r->path, mark);
}

void pod_spec_refuse(const yyjson_mut_val *spec, const yyjson_val *old, struct field_path *path,
                     struct field_errors *errs)
{
    _cleanup_jdoc_ yyjson_doc *d = NULL;
    struct refusals r = {path, errs};

    if (old && tree_equal(spec, old)) /* what was accepted once may keep its metadata up */
        return;
    d = yyjson_mut_val_imut_copy((yyjson_mut_val *)(uintptr_t)spec, NULL);
    kube_podspec_check(yyjson_doc_get_root(d), refuse_field, &r);
}

void pod_spec_validate(const yyjson_mut_val *spec, struct field_path *path,
                       struct field_errors *errs)
{
    struct map *names = map_new(NULL), *volumes = map_new(NULL);
    int64_t grace = jm_get_int(spec, 0, "terminationGracePeriodSeconds");

    check_volumes(spec, path, volumes, errs);
    check_containers(spec, "initContainers", path, names, volumes, errs);
    check_containers(spec, "containers", path, names, volumes, errs);
    if (grace < 0) {
        size_t mark = path_key(path, "terminationGracePeriodSeconds");

        field_invalid_int(errs, path_z(path), grace, "must be greater than or equal to 0");
        path_pop(path, mark);
    }
    map_free(names);
    map_free(volumes);
}
