/*
 * Later sources win by replacing in place: image, then envFrom, then env. An env value may refer to
 * what was set before it. References that are optional and missing leave the variable unset.
 */
#include "cluster/node/runtime/env.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/limits.h"
#include "kube/names.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static struct env_var *find(const struct env *env, const char *name)
{
    for (size_t i = 0; i < env->v.n; i++)
        if (streq(env->v.p[i].name, name))
            return &env->v.p[i];
    return NULL;
}

void env_set(struct env *env, const char *name, const char *value)
{
    struct env_var *v = find(env, name);
    if (v) {
        free(v->value);
        v->value = xstrdup(value);
        return;
    }
    vec_push(&env->v, ((struct env_var){xstrdup(name), xstrdup(value)}));
}

const char *env_get(const struct env *env, const char *name)
{
    struct env_var *v = find(env, name);
    return v ? v->value : NULL;
}

void env_done(struct env *env)
{
    for (size_t i = 0; i < env->v.n; i++) {
        free(env->v.p[i].name);
        free(env->v.p[i].value);
    }
    vec_done(&env->v);
}

static void expand_reference(const struct env *env, const char *name, size_t n, struct buf *out)
{
    _cleanup_free_ char *key = xstrndup(name, n);
    const char *value = env_get(env, key);
    if (value)
        buf_addz(out, value);
    else
        buf_addf(out, "$(%s)", key);
}

char *env_expand(const struct env *env, const char *text)
{
    struct buf out = BUF_INIT(LIMIT_OBJECT);
    for (const char *p = text; *p; p++) {
        if (*p != '$' || !p[1]) {
            buf_addc(&out, *p);
            continue;
        }
        p++;
        const char *end = *p == '(' ? strchr(p, ')') : NULL;
        if (*p == '$') {
            buf_addc(&out, '$');
        } else if (end) {
            expand_reference(env, p + 1, (size_t)(end - p - 1), &out);
            p = end;
        } else {
            buf_addc(&out, '$');
            buf_addc(&out, *p);
        }
    }
    return buf_steal(&out, NULL);
}

/* ---- ConfigMap and Secret values ---- */
char *env_config_value(const yyjson_val *object, const char *key, size_t *ret_n)
{
    bool secret = streq(jget_str(object, "kind"), "Secret");
    yyjson_val *plain = secret ? NULL : jget(object, "data", key);
    if (yyjson_is_str(plain)) {
        if (ret_n)
            *ret_n = yyjson_get_len(plain);
        return xstrndup(yyjson_get_str(plain), yyjson_get_len(plain));
    }
    yyjson_val *coded = secret ? jget(object, "data", key) : jget(object, "binaryData", key);
    if (!yyjson_is_str(coded))
        return NULL;
    return base64_decode(yyjson_get_str(coded), yyjson_get_len(coded), ret_n);
}

/* ---- downward API ---- */
static char *map_text(const yyjson_val *map)
{
    struct buf out = BUF_INIT(LIMIT_OBJECT);
    size_t i, max;
    yyjson_val *k, *v;
    yyjson_obj_foreach((yyjson_val *)map, i, max, k, v)
    {
        _cleanup_free_ char *quoted = json_text(v, NULL);
        buf_addf(&out, "%s%s=%s", i ? "\n" : "", yyjson_get_str(k), quoted);
    }
    return buf_steal(&out, NULL);
}

/* "metadata.labels['key']": the key's value, or "" when there is no such key. */
static char *map_entry(const struct kobj *pod, const char *map, const char *path)
{
    size_t skip = strlen("metadata.") + strlen(map);
    if (strncmp(path + strlen("metadata."), map, strlen(map)) != 0 || path[skip] != '[')
        return NULL;
    const char *from = path + skip + 1;
    size_t n = strlen(from);
    if (n < 3 || from[n - 1] != ']' || (*from != '\'' && *from != '"') || from[n - 2] != *from)
        return NULL;
    _cleanup_free_ char *key = xstrndup(from + 1, n - 3);
    return xstrdup(jget_str(kobj_root(pod), "metadata", map, key));
}

static const char *simple_field(const struct pod_facts *f, const char *path)
{
    const yyjson_val *root = kobj_root(f->pod);
    const char *account = jget_str(root, "spec", "serviceAccountName");
    const struct {
        const char *path, *value;
    } known[] = {
        {"metadata.name", kobj_name(f->pod)},
        {"metadata.namespace", kobj_namespace(f->pod)},
        {"metadata.uid", kobj_uid(f->pod)},
        {"spec.nodeName", f->node_name},
        {"spec.serviceAccountName", account ? account : "default"},
        {"status.hostIP", f->host_ip},
        {"status.hostIPs", f->host_ip},
        {"status.podIP", f->pod_ip},
        {"status.podIPs", f->pod_ip},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (streq(known[i].path, path))
            return known[i].value ? known[i].value : "";
    return NULL;
}

int env_field(const struct pod_facts *f, const char *path, char **ret, struct err *e)
{
    const char *simple = path ? simple_field(f, path) : NULL;
    char *value = simple ? xstrdup(simple) : NULL;
    const yyjson_val *root = kobj_root(f->pod);
    if (!value && streq(path, "metadata.labels"))
        value = map_text(jget(root, "metadata", "labels"));
    if (!value && streq(path, "metadata.annotations"))
        value = map_text(jget(root, "metadata", "annotations"));
    if (!value && path && z_starts(path, "metadata."))
        value = map_entry(f->pod, "labels", path);
    if (!value && path && z_starts(path, "metadata."))
        value = map_entry(f->pod, "annotations", path);
    if (!value)
        return err_set(e, -EINVAL, "unsupported fieldPath: %s", path ? path : "");
    *ret = value;
    return 0;
}

static const yyjson_val *container_named(const struct kobj *pod, const char *name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i, max;
        yyjson_val *c;
        yyjson_arr_foreach(jget(kobj_root(pod), "spec", lists[l]), i, max, c)
        {
            if (streq(jget_str(c, "name"), name))
                return c;
        }
    }
    return NULL;
}

/* The quantity as text: the named limit or request; an absent limit is the node's whole. */
static int64_t resource_milli(const struct pod_facts *f, const yyjson_val *container,
                              const char *resource)
{
    const char *dot = strchr(resource, '.');
    if (!dot)
        return -1;
    _cleanup_free_ char *kind = xstrndup(resource, (size_t)(dot - resource));
    const char *text = jget_str(container, "resources", kind, dot + 1);
    int64_t milli = 0;
    if (text)
        return quantity_parse_milli(text, &milli, NULL) < 0 ? -1 : milli;
    if (streq(kind, "requests"))
        return 0;
    if (streq(dot + 1, "cpu"))
        return f->node_cpu_milli;
    return streq(dot + 1, "memory") ? f->node_memory * 1000 : -1;
}

int env_resource(const struct pod_facts *f, const yyjson_val *container, const yyjson_val *ref,
                 char **ret, struct err *e)
{
    const char *resource = jget_str(ref, "resource");
    const char *other = jget_str(ref, "containerName");
    if (other)
        container = container_named(f->pod, other);
    const char *divisor = jget_str(ref, "divisor");
    int64_t div = 1000;
    if (divisor && !streq(divisor, "0") && quantity_parse_milli(divisor, &div, e) < 0)
        return err_prefix(e, "resourceFieldRef divisor");
    int64_t milli = resource && container ? resource_milli(f, container, resource) : -1;
    if (milli < 0 || div <= 0)
        return err_set(e, -EINVAL, "unsupported resourceFieldRef: %s of container %s",
                       resource ? resource : "", other ? other : "itself");
    *ret = xasprintf("%lld", (long long)((milli + div - 1) / div));
    return 0;
}

/* ---- the parts of the environment ---- */
static void add_image(const yyjson_val *image_config, struct env *env)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(jget(image_config, "config", "Env"), i, max, v)
    {
        const char *text = yyjson_get_str(v);
        const char *eq = text ? strchr(text, '=') : NULL;
        if (!eq || eq == text)
            continue;
        _cleanup_free_ char *name = xstrndup(text, (size_t)(eq - text));
        env_set(env, name, eq + 1);
    }
}

static int missing_object(const struct kube_resource *r, const char *name, struct err *e)
{
    return err_set(e, -ENOENT, "%s \"%s\" not found", r == &KR_SECRET ? "secret" : "configmap",
                   name ? name : "");
}

static int add_all_of(const struct pod_facts *f, const struct kube_resource *r,
                      const yyjson_val *ref, const char *prefix, struct env *env, struct err *e)
{
    const char *name = jget_str(ref, "name");
    yyjson_val *object = name ? f->lookup(f->ctx, r, kobj_namespace(f->pod), name) : NULL;
    if (!object)
        return jget_bool(ref, false, "optional") ? 0 : missing_object(r, name, e);
    size_t i, max;
    yyjson_val *k, *v;
    yyjson_obj_foreach(jget(object, "data"), i, max, k, v)
    {
        _cleanup_free_ char *value = env_config_value(object, yyjson_get_str(k), NULL);
        _cleanup_free_ char *full = xasprintf("%s%s", prefix ? prefix : "", yyjson_get_str(k));
        if (value && !strchr(full, '='))
            env_set(env, full, value);
    }
    return 0;
}

static int add_env_from(const struct pod_facts *f, const yyjson_val *container, struct env *env,
                        struct err *e)
{
    size_t i, max;
    yyjson_val *from;
    yyjson_arr_foreach(jget(container, "envFrom"), i, max, from)
    {
        const char *prefix = jget_str(from, "prefix");
        yyjson_val *config = jget(from, "configMapRef"), *secret = jget(from, "secretRef");
        if (config && add_all_of(f, &KR_CONFIGMAP, config, prefix, env, e) < 0)
            return -ENOENT;
        if (secret && add_all_of(f, &KR_SECRET, secret, prefix, env, e) < 0)
            return -ENOENT;
    }
    return 0;
}

/* *ret stays NULL when the reference is optional and leads nowhere. */
static int key_value(const struct pod_facts *f, const struct kube_resource *r,
                     const yyjson_val *ref, char **ret, struct err *e)
{
    const char *name = jget_str(ref, "name"), *key = jget_str(ref, "key");
    bool optional = jget_bool(ref, false, "optional");
    yyjson_val *object = name ? f->lookup(f->ctx, r, kobj_namespace(f->pod), name) : NULL;
    if (!object)
        return optional ? 0 : missing_object(r, name, e);
    *ret = key ? env_config_value(object, key, NULL) : NULL;
    if (*ret || optional)
        return 0;
    return err_set(e, -ENOENT, "couldn't find key %s in %s %s/%s", key ? key : "", r->kind,
                   kobj_namespace(f->pod), name);
}

static int source_value(const struct pod_facts *f, const yyjson_val *container,
                        const yyjson_val *from, char **ret, struct err *e)
{
    yyjson_val *ref;
    if ((ref = jget(from, "configMapKeyRef")))
        return key_value(f, &KR_CONFIGMAP, ref, ret, e);
    if ((ref = jget(from, "secretKeyRef")))
        return key_value(f, &KR_SECRET, ref, ret, e);
    if ((ref = jget(from, "fieldRef")))
        return env_field(f, jget_str(ref, "fieldPath"), ret, e);
    if ((ref = jget(from, "resourceFieldRef")))
        return env_resource(f, container, ref, ret, e);
    return err_set(e, -EINVAL, "env valueFrom has no known source");
}

static int add_one(const struct pod_facts *f, const yyjson_val *container, const yyjson_val *item,
                   struct env *env, struct err *e)
{
    const char *name = jget_str(item, "name");
    if (!name)
        return 0;
    _cleanup_free_ char *value = NULL;
    yyjson_val *from = jget(item, "valueFrom");
    if (from) {
        int r = source_value(f, container, from, &value, e);
        if (r < 0)
            return r;
    } else {
        const char *text = jget_str(item, "value");
        value = env_expand(env, text ? text : "");
    }
    if (value)
        env_set(env, name, value);
    return 0;
}

/* What the cut leaves must not end in a separator. */
void env_hostname(const yyjson_val *pod, char ret[static POD_HOSTNAME_LEN])
{
    const char *own = jget_str(pod, "spec", "hostname");
    const char *name = own && *own ? own : jget_str(pod, "metadata", "name");
    snprintf(ret, POD_HOSTNAME_LEN, "%s", name ? name : "");
    for (size_t n = strlen(ret); n && (ret[n - 1] == '-' || ret[n - 1] == '.'); n--)
        ret[n - 1] = 0;
}

static int fill(const struct pod_facts *f, const yyjson_val *container,
                const yyjson_val *image_config, struct env *env, struct err *e)
{
    char host[POD_HOSTNAME_LEN];
    env_hostname(kobj_root(f->pod), host);
    env_set(env, "PATH", DEFAULT_PATH);
    env_set(env, "HOSTNAME", host);
    add_image(image_config, env);
    int r = add_env_from(f, container, env, e);
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(jget(container, "env"), i, max, item)
    {
        if (r < 0)
            return r;
        r = add_one(f, container, item, env, e);
    }
    return r;
}

int env_build(const struct pod_facts *f, const yyjson_val *container,
              const yyjson_val *image_config, struct env *ret, struct err *e)
{
    int r = fill(f, container, image_config, ret, e);
    if (r < 0)
        env_done(ret);
    return r;
}
