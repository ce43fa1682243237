/*
 * Every source of files becomes a list of (path, bytes, mode); a projected volume is the
 * concatenation of its sources' lists. Modes: the item's, else the volume's defaultMode, else 0644.
 */
#include <errno.h>
#include <string.h>

#include "cluster/node/volume/volumes.h"
#include "kube/names.h"

#define DEFAULT_MODE 0644

static void volume_done(struct volume *v)
{
    for (size_t i = 0; i < v->files.n; i++) {
        free(v->files.p[i].path);
        free(v->files.p[i].data);
    }
    vec_done(&v->files);
    free(v->name);
    free(v->host_path);
    free(v->host_type);
}

void volumes_done(struct volumes *v)
{
    for (size_t i = 0; i < v->v.n; i++)
        volume_done(&v->v.p[i]);
    vec_done(&v->v);
}

static bool is_safe_path(const char *path)
{
    struct str rest = str_of(path), part;
    if (!*path || *path == '/')
        return false;
    while (str_split(&rest, '/', &part))
        if (str_eq(part, STR("..")) || (part.n >= 2 && !memcmp(part.p, "..", 2)))
            return false;
    return true;
}

static int add_file(struct volume *v, const char *path, char *data, size_t n, int mode,
                    struct err *e)
{
    if (!path || !is_safe_path(path)) {
        free(data);
        return err_set(e, -EINVAL, "volume %s: path %s leaves the volume or starts with ..",
                       v->name, path ? path : "(none)");
    }
    vec_push(&v->files, ((struct volume_file){xstrdup(path), data, n, mode}));
    return 0;
}

static int mode_of(const yyjson_val *item, int def)
{
    return (int)jget_int(item, def, "mode") & 0777;
}

/* ---- ConfigMap and Secret ---- */
static int add_every_key(struct volume *v, const yyjson_val *object, const char *map, int mode,
                         struct err *e)
{
    size_t i, max;
    yyjson_val *k, *val;
    yyjson_obj_foreach(jget(object, map), i, max, k, val)
    {
        size_t n = 0;
        char *data = env_config_value(object, yyjson_get_str(k), &n);
        if (data && add_file(v, yyjson_get_str(k), data, n, mode, e) < 0)
            return -EINVAL;
    }
    return 0;
}

static int add_items(struct volume *v, const yyjson_val *object, const yyjson_val *items,
                     const char *what, bool optional, int mode, struct err *e)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach((yyjson_val *)items, i, max, item)
    {
        const char *key = jget_str(item, "key");
        size_t n = 0;
        char *data = key ? env_config_value(object, key, &n) : NULL;
        if (!data && optional)
            continue;
        if (!data)
            return err_set(e, -ENOENT, "references non-existent %s key: %s", what, key ? key : "");
        int r = add_file(v, jget_str(item, "path"), data, n, mode_of(item, mode), e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_object(const struct pod_facts *f, struct volume *v, const struct kube_resource *r,
                      const yyjson_val *source, const char *name, int mode, struct err *e)
{
    const char *what = r == &KR_SECRET ? "secret" : "configmap";
    bool optional = jget_bool(source, false, "optional");
    yyjson_val *object = name ? f->lookup(f->ctx, r, kobj_namespace(f->pod), name) : NULL;
    if (!object)
        return optional ? 0 : err_set(e, -ENOENT, "%s \"%s\" not found", what, name ? name : "");
    const yyjson_val *items = jget(source, "items");
    if (items)
        return add_items(v, object, items, what, optional, mode, e);
    int ret = add_every_key(v, object, "data", mode, e);
    return ret < 0 || r == &KR_SECRET ? ret : add_every_key(v, object, "binaryData", mode, e);
}

/* ---- downward API ---- */
static int add_downward(const struct pod_facts *f, struct volume *v, const yyjson_val *source,
                        int mode, struct err *e)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(jget(source, "items"), i, max, item)
    {
        char *text = NULL;
        const yyjson_val *resource = jget(item, "resourceFieldRef");
        int r = resource ? env_resource(f, NULL, resource, &text, e)
                         : env_field(f, jget_str(item, "fieldRef", "fieldPath"), &text, e);
        if (r == 0)
            r = add_file(v, jget_str(item, "path"), text, strlen(text), mode_of(item, mode), e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- projected ---- */
static int add_source(const struct pod_facts *f, struct volume *v, const yyjson_val *s, int mode,
                      struct err *e)
{
    yyjson_val *o;
    if ((o = jget(s, "configMap")))
        return add_object(f, v, &KR_CONFIGMAP, o, jget_str(o, "name"), mode, e);
    if ((o = jget(s, "secret")))
        return add_object(f, v, &KR_SECRET, o, jget_str(o, "name"), mode, e);
    if ((o = jget(s, "downwardAPI")))
        return add_downward(f, v, o, mode, e);
    return err_set(e, -EINVAL,
                   "this node has no such projected source; it has configMap, secret "
                   "and downwardAPI");
}

static int add_projected(const struct pod_facts *f, struct volume *v, const yyjson_val *source,
                         int mode, struct err *e)
{
    size_t i, max;
    yyjson_val *s;
    int r = 0;
    yyjson_arr_foreach(jget(source, "sources"), i, max, s)
    {
        if (r == 0)
            r = add_source(f, v, s, mode, e);
    }
    return r;
}

/* ---- one volume ---- */
static int plan_empty(struct volume *v, const yyjson_val *source, struct err *e)
{
    bool memory = streq(jget_str(source, "medium"), "Memory");
    v->kind = memory ? VOLUME_MEMORY : VOLUME_EMPTY;
    const char *limit = jget_str(source, "sizeLimit");
    return limit ? quantity_parse(limit, &v->size_limit, e) : 0;
}

static int plan_host(struct volume *v, const yyjson_val *source, struct err *e)
{
    const char *path = jget_str(source, "path");
    if (!path || *path != '/')
        return err_set(e, -EINVAL, "hostPath needs an absolute path");
    v->kind = VOLUME_HOST;
    v->host_path = xstrdup(path);
    v->host_type = xstrdup(jget_str(source, "type"));
    return 0;
}

static int plan_one(const struct pod_facts *f, const yyjson_val *spec, struct volume *v,
                    struct err *e)
{
    yyjson_val *o;
    if ((o = jget(spec, "emptyDir")))
        return plan_empty(v, o, e);
    if ((o = jget(spec, "hostPath")))
        return plan_host(v, o, e);
    v->kind = VOLUME_FILES;
    if ((o = jget(spec, "configMap")))
        return add_object(f, v, &KR_CONFIGMAP, o, jget_str(o, "name"),
                          (int)jget_int(o, DEFAULT_MODE, "defaultMode"), e);
    if ((o = jget(spec, "secret")))
        return add_object(f, v, &KR_SECRET, o, jget_str(o, "secretName"),
                          (int)jget_int(o, DEFAULT_MODE, "defaultMode"), e);
    if ((o = jget(spec, "downwardAPI")))
        return add_downward(f, v, o, (int)jget_int(o, DEFAULT_MODE, "defaultMode"), e);
    if ((o = jget(spec, "projected")))
        return add_projected(f, v, o, (int)jget_int(o, DEFAULT_MODE, "defaultMode"), e);
    return err_set(e, -EINVAL,
                   "this node has no such kind of volume; it has emptyDir, configMap, "
                   "secret, downwardAPI, projected and hostPath");
}

int volumes_plan(const struct pod_facts *f, struct volumes *ret, struct err *e)
{
    size_t i, max;
    yyjson_val *spec;
    yyjson_arr_foreach(jget(kobj_root(f->pod), "spec", "volumes"), i, max, spec)
    {
        const char *name = jget_str(spec, "name");
        struct volume v = {.name = xstrdup(name)};
        int r = is_dns1123_label(v.name) ? plan_one(f, spec, &v, e)
                                         : err_set(e, -EINVAL, "not a valid name");
        vec_push(&ret->v, v);
        if (r < 0) {
            err_prefix(e, "MountVolume.SetUp failed for volume \"%s\" ", name ? name : "");
            volumes_done(ret);
            return r;
        }
    }
    return 0;
}
