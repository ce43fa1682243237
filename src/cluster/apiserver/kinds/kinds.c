/* A sorted array with a hash index; registrations are rare, look-ups happen for each request. */
#include "cluster/apiserver/kinds/kinds.h"

#include "base/vec.h"
#include "cluster/apiserver/request/limits.h"

struct kinds {
    VEC(const struct api_kind *) all;
    struct map *by_path; /* "group/version/plural" */
    uint64_t generation;
};

struct api_kind *api_kind_ref(const struct api_kind *k)
{
    struct api_kind *m = (struct api_kind *)(uintptr_t)k;

    if (k->definition)
        m->refs++;
    return m;
}

static void free_columns(struct api_column *c)
{
    for (size_t i = 0; c && c[i].name; i++)
        jsonpath_free(c[i].path);
    free(c);
}

void api_kind_unref(const struct api_kind *k)
{
    struct api_kind *m = (struct api_kind *)(uintptr_t)k;

    if (!k || !k->definition || --m->refs > 0)
        return;
    schema_free((struct schema *)(uintptr_t)m->schema);
    free_columns(m->columns);
    jsonpath_free(m->scale_spec);
    jsonpath_free(m->scale_status);
    jsonpath_free(m->scale_selector);
    free((void *)(uintptr_t)m->short_names);
    free((void *)(uintptr_t)m->categories);
    free((void *)(uintptr_t)m->list_kind);
    free((void *)(uintptr_t)m->singular);
    kobj_unref(m->definition);
    free(m);
}

static char *path_of(const char *group, const char *version, const char *plural)
{
    return xasprintf("%s/%s/%s", group, version, plural);
}

static int compare(const void *a, const void *b)
{
    const struct api_kind *x = *(const struct api_kind *const *)a;
    const struct api_kind *y = *(const struct api_kind *const *)b;
    int r = strcmp(x->res.group, y->res.group);

    if (!r && x->preferred != y->preferred)
        return x->preferred ? -1 : 1;
    if (!r)
        r = strcmp(x->res.version, y->res.version);
    return r ? r : strcmp(x->res.plural, y->res.plural);
}

static void reindex(struct kinds *k)
{
    qsort(k->all.p, k->all.n, sizeof(k->all.p[0]), compare);
    map_clear(k->by_path);
    for (size_t i = 0; i < k->all.n; i++) {
        const struct kube_resource *r = &k->all.p[i]->res;
        _cleanup_free_ char *path = path_of(r->group, r->version, r->plural);

        map_set(k->by_path, path, (void *)(uintptr_t)k->all.p[i]);
    }
    k->generation++;
}

struct kinds *kinds_new(void)
{
    struct kinds *k = xnew(struct kinds);

    k->by_path = map_new(NULL);
    for (const struct api_kind *b = api_builtin_kinds; b->res.plural; b++)
        vec_push(&k->all, b);
    reindex(k);
    return k;
}

void kinds_add(struct kinds *k, const struct api_kind *builtin)
{
    vec_push(&k->all, builtin);
    reindex(k);
}

void kinds_free(struct kinds *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->all.n; i++)
        api_kind_unref(k->all.p[i]);
    vec_done(&k->all);
    map_free(k->by_path);
    free(k);
}

const struct api_kind *kinds_find(const struct kinds *k, const char *group, const char *version,
                                  const char *plural)
{
    _cleanup_free_ char *path = path_of(group, version, plural);
    const struct api_kind *kind = map_get(k->by_path, path);

    return kind && kind->served ? kind : NULL;
}

const struct api_kind *kinds_storage(const struct kinds *k, const char *group, const char *plural)
{
    for (size_t i = 0; i < k->all.n; i++)
        if (k->all.p[i]->storage && streq(k->all.p[i]->res.group, group) &&
            streq(k->all.p[i]->res.plural, plural))
            return k->all.p[i];
    return NULL;
}

void kinds_replace(struct kinds *k, const char *group, const char *plural,
                   struct api_kind *const *list, size_t n)
{
    for (size_t i = 0; i < k->all.n;) {
        const struct api_kind *old = k->all.p[i];

        if (!streq(old->res.group, group) || !streq(old->res.plural, plural)) {
            i++;
            continue;
        }
        vec_remove(&k->all, i);
        api_kind_unref(old);
    }
    for (size_t i = 0; i < n; i++) {
        if (k->all.n < LIMIT_API_KINDS)
            vec_push(&k->all, list[i]);
        else
            api_kind_unref(list[i]);
    }
    reindex(k);
}

const struct api_kind *kinds_clash(const struct kinds *k, const char *group, const char *plural,
                                   const char *kind)
{
    for (size_t i = 0; i < k->all.n; i++) {
        const struct api_kind *o = k->all.p[i];

        if (streq(o->res.group, group) && !streq(o->res.plural, plural) && streq(o->res.kind, kind))
            return o;
    }
    return NULL;
}

size_t kinds_len(const struct kinds *k)
{
    return k->all.n;
}

const struct api_kind *kinds_at(const struct kinds *k, size_t i)
{
    return k->all.p[i];
}

uint64_t kinds_generation(const struct kinds *k)
{
    return k->generation;
}

char *kind_prefix(const struct kube_resource *r, const char *ns)
{
    return ns && *ns ? xasprintf("%s/%s/%s/", r->group, r->plural, ns)
                     : xasprintf("%s/%s/", r->group, r->plural);
}

char *kind_key(const struct kube_resource *r, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s/%s", r->group, r->plural, r->namespaced ? ns : "", name);
}
