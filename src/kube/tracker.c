/* Two maps of sets: what a key depends on, and who depends on an object. */
#include "kube/tracker.h"

#include "base/map.h"

struct tracker {
    struct map *targets; /* key -> set of objects */
    struct map *keys;    /* object -> set of keys */
};

static void free_set(void *set)
{
    map_free(set);
}

struct tracker *tracker_new(void)
{
    struct tracker *t = xnew(struct tracker);

    t->targets = map_new(free_set);
    t->keys = map_new(free_set);
    return t;
}

void tracker_free(struct tracker *t)
{
    if (!t)
        return;
    map_free(t->targets);
    map_free(t->keys);
    free(t);
}

static char *target_id(const struct kube_resource *r, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s/%s", r->group, r->plural, ns ? ns : "", name);
}

static void set_add(struct map *sets, const char *of, const char *member)
{
    struct map *set = map_get(sets, of);

    if (!set) {
        set = map_new(NULL);
        map_set(sets, of, set);
    }
    map_set(set, member, set);
}

void tracker_add(struct tracker *t, const char *key, const struct kube_resource *r, const char *ns,
                 const char *name)
{
    _cleanup_free_ char *id = target_id(r, ns, name);

    set_add(t->targets, key, id);
    set_add(t->keys, id, key);
}

void tracker_forget(struct tracker *t, const char *key)
{
    struct map *mine = map_take(t->targets, key), *unused;
    const char *id;

    if (!mine)
        return;
    for (size_t it = 0; map_next(mine, &it, &id, &unused);) {
        struct map *set = map_get(t->keys, id);
        map_del(set, key);
        if (map_len(set) == 0)
            map_del(t->keys, id);
    }
    map_free(mine);
}

void tracker_each(const struct tracker *t, const struct kube_resource *r, const char *ns,
                  const char *name, void (*fn)(void *ctx, const char *key), void *ctx)
{
    _cleanup_free_ char *id = target_id(r, ns, name);
    const struct map *set = map_get(t->keys, id);
    const char *key;
    void *unused;

    for (size_t it = 0; set && map_next(set, &it, &key, &unused);)
        fn(ctx, key);
}
