/* The two models are nearly the same; what differs is said at each field. */
#include "plugin/ingress/gateway/translate.h"

#include <errno.h>

struct translation {
    const struct kobj *ingress;
    const struct translate_names *names;
    struct arena *arena;
    bool redirect;
    struct err *e;
};

static size_t length(const yyjson_val *list)
{
    return yyjson_arr_size((yyjson_val *)(uintptr_t)list);
}

static const struct dp_kv *pairs(struct translation *t, const yyjson_val *map, bool matches,
                                 size_t *ret_n)
{
    yyjson_val *k, *v;
    size_t i, max, n = yyjson_obj_size((yyjson_val *)(uintptr_t)map);
    struct dp_kv *kv = arena_alloc(t->arena, (n + 1) * sizeof(*kv));

    yyjson_obj_foreach((yyjson_val *)(uintptr_t)map, i, max, k, v)
    {
        const char *value = matches ? jget_str(v, "exact") : yyjson_get_str(v);
        kv[i] = (struct dp_kv){yyjson_get_str(k), value ? value : ""};
    }
    *ret_n = n;
    return kv;
}

static int split(struct translation *t, const yyjson_val *v, bool only, struct dp_split *ret)
{
    const char *ns = jget_str(v, "serviceNamespace"), *name = jget_str(v, "serviceName");
    int percent = (int)jget_int(v, 0, "percent");

    if (!name || !*name)
        return err_set(t->e, -EINVAL, "Ingress %s/%s has a split without serviceName",
                       kobj_namespace(t->ingress), kobj_name(t->ingress));
    ret->ns = ns && *ns ? ns : kobj_namespace(t->ingress);
    struct backend_key key = t->names->find(t->names->ctx, ret->ns, name, jget(v, "servicePort"));
    ret->service = key.service;
    ret->port = key.port;
    ret->percent = only && percent == 0 ? 100 : percent;
    ret->set_headers = pairs(t, jget(v, "appendHeaders"), false, &ret->n_set_headers);
    return 0;
}

static int path(struct translation *t, const yyjson_val *v, struct dp_path *ret)
{
    const yyjson_val *list = jget(v, "splits");
    const char *prefix = jget_str(v, "path"), *host = jget_str(v, "rewriteHost");
    struct dp_split *splits = arena_alloc(t->arena, (length(list) + 1) * sizeof(*splits));
    yyjson_val *item;
    size_t i, max;
    int r = 0;

    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, item)
    {
        r = split(t, item, length(list) == 1, &splits[i]);
        if (r < 0)
            return r;
    }
    if (length(list) == 0)
        return err_set(t->e, -EINVAL, "Ingress %s/%s has a path without splits",
                       kobj_namespace(t->ingress), kobj_name(t->ingress));
    ret->prefix = prefix ? prefix : "";
    ret->match_headers = pairs(t, jget(v, "headers"), true, &ret->n_match_headers);
    ret->rewrite_host = host && *host ? host : NULL;
    ret->set_headers = pairs(t, jget(v, "appendHeaders"), false, &ret->n_set_headers);
    ret->splits = splits;
    ret->n_splits = length(list);
    return 0;
}

static const char *const *strings(struct translation *t, const yyjson_val *list)
{
    const char **s = arena_alloc(t->arena, (length(list) + 1) * sizeof(*s));
    yyjson_val *v;
    size_t i, max;

    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, v)
    {
        const char *text = yyjson_get_str(v);
        s[i] = text ? text : "";
    }
    return s;
}

static int rule(struct translation *t, const yyjson_val *v, struct dp_rule *ret)
{
    const yyjson_val *list = jget(v, "http", "paths");
    bool local = streq(jget_str(v, "visibility"), "ClusterLocal");
    struct dp_path *paths = arena_alloc(t->arena, (length(list) + 1) * sizeof(*paths));
    yyjson_val *item;
    size_t i, max;

    if (length(list) == 0)
        return err_set(t->e, -EINVAL, "Ingress %s/%s has a rule without paths",
                       kobj_namespace(t->ingress), kobj_name(t->ingress));
    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, item)
    {
        int r = path(t, item, &paths[i]);
        if (r < 0)
            return r;
    }
    ret->hosts = strings(t, jget(v, "hosts"));
    ret->n_hosts = length(jget(v, "hosts"));
    ret->visibility = local ? DP_LOCAL : DP_EXTERNAL;
    ret->redirect_https = t->redirect && !local;
    ret->paths = paths;
    ret->n_paths = length(list);
    return 0;
}

int ingress_translate(const struct kobj *ingress, const char *key, const char *hash,
                      const struct translate_names *names, struct arena *a, struct dp_ingress *ret,
                      struct err *e)
{
    yyjson_val *spec = jget(kobj_root(ingress), "spec");
    const yyjson_val *list = jget(spec, "rules");
    struct dp_rule *rules = arena_alloc(a, (length(list) + 1) * sizeof(*rules));
    struct translation t = {
        .ingress = ingress,
        .names = names,
        .arena = a,
        .redirect = streq(jget_str(spec, "httpOption"), "Redirected"),
        .e = e,
    };
    yyjson_val *item;
    size_t i, max;

    if (length(list) == 0)
        return err_set(e, -EINVAL, "Ingress %s/%s has no rules", kobj_namespace(ingress),
                       kobj_name(ingress));
    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, item)
    {
        int r = rule(&t, item, &rules[i]);
        if (r < 0)
            return r;
    }
    *ret = (struct dp_ingress){.key = key, .rules = rules, .n_rules = length(list), .hash = hash};
    return 0;
}
