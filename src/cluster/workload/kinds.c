/* Resources of custom definitions are kept for good once seen: informers hold on to them. */
#include "cluster/workload/kinds.h"

#include "base/map.h"

struct kinds {
    struct manager *m;
    struct map *custom; /* "GROUP/PLURAL" -> struct custom */
};

struct custom {
    struct kube_resource res;
    char *group, *version, *plural, *kind;
};

const struct kube_resource *const workload_kinds_builtin[] = {
    &KR_DEPLOYMENT, &KR_POD,    &KR_SERVICE,        &KR_ENDPOINTS, &KR_ENDPOINTSLICE,
    &KR_CONFIGMAP,  &KR_SECRET, &KR_SERVICEACCOUNT, NULL};

/* Further ones that a namespace can hold. A server without one of them answers 404, which means
 * empty. */
static const struct kube_resource *const others[] = {&KR_REPLICASET, &KR_LEASE, &KR_EVENT, NULL};

static void custom_free(void *p)
{
    struct custom *c = p;

    free(c->group);
    free(c->version);
    free(c->plural);
    free(c->kind);
    free(c);
}

struct kinds *workload_kinds_new(struct manager *m)
{
    struct kinds *k = xnew(struct kinds);

    k->m = m;
    k->custom = map_new(custom_free);
    manager_cache(m, &KR_CRD);
    return k;
}

void workload_kinds_free(struct kinds *k)
{
    if (!k)
        return;
    map_free(k->custom);
    free(k);
}

static const char *stored_version(yyjson_val *spec)
{
    size_t i, max;
    yyjson_val *v;

    yyjson_arr_foreach(jget(spec, "versions"), i, max, v)
    {
        if (jget_bool(v, false, "storage") && jget_bool(v, false, "served"))
            return jget_str(v, "name");
    }
    return NULL;
}

static struct custom *custom_new(yyjson_val *spec, const char *version)
{
    struct custom *c = xnew(struct custom);

    c->group = xstrdup(jget_str(spec, "group"));
    c->version = xstrdup(version);
    c->plural = xstrdup(jget_str(spec, "names", "plural"));
    c->kind = xstrdup(jget_str(spec, "names", "kind"));
    c->res = (struct kube_resource){c->group, c->version, c->plural, c->kind,
                                    streq(jget_str(spec, "scope"), "Namespaced")};
    return c;
}

const struct kube_resource *kinds_of_crd(struct kinds *k, const struct kobj *crd)
{
    yyjson_val *spec = jget(kobj_root(crd), "spec");
    const char *version = stored_version(spec);

    if (!version || kobj_deleting(crd) || !kobj_condition_is(crd, "Established", "True"))
        return NULL;
    _cleanup_free_ char *key =
        xasprintf("%s/%s", jget_str(spec, "group"), jget_str(spec, "names", "plural"));
    struct custom *c = map_get(k->custom, key);
    if (!c) {
        c = custom_new(spec, version);
        map_set(k->custom, key, c);
    }
    return &c->res;
}

struct collection {
    struct kinds *k;
    resource_vec *out;
};

static int collect(void *ctx, const struct kobj *crd)
{
    struct collection *c = ctx;
    const struct kube_resource *r = kinds_of_crd(c->k, crd);

    if (r && r->namespaced)
        vec_push(c->out, r);
    return 0;
}

void workload_kinds_namespaced(struct kinds *k, resource_vec *out)
{
    cache_each(manager_cache(k->m, &KR_CRD), collect, &(struct collection){k, out});
    for (size_t i = 0; workload_kinds_builtin[i]; i++)
        vec_push(out, workload_kinds_builtin[i]);
    for (size_t i = 0; others[i]; i++)
        vec_push(out, others[i]);
}
