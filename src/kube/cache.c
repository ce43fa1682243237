/*
 * Objects by key, and for each index its buckets. Entry and bucket know each other through links,
 * each knowing its position in both, so that leaving a bucket of ten thousand costs as little as
 * leaving one of two. An update that keeps its index keys (nearly all do) only swaps the object.
 *
 * Deletions seen are remembered in a ring: long enough to outlive an answer that crossed the watch
 * on its way.
 */
#include "kube/cache.h"

#include "base/limits.h"
#include "base/map.h"

struct bucket;
struct link {
    struct entry *entry;
    struct bucket *bucket;
    size_t at; /* position in the bucket */
};

struct entry {
    const struct kobj *obj;
    VEC(struct link *) links; /* in the order of emission, index by index */
};

struct bucket {
    struct index *index;
    char *key;
    VEC(struct link *) links;
};

struct index {
    char *name;
    cache_index_fn *fn;
    struct map *buckets;
};

struct tombstone {
    char *key, *uid;
    uint64_t rv;
};

struct cache {
    const struct kube_resource *res;
    struct map *entries;
    VEC(struct index *) indices;
    struct map *dead; /* key -> tombstone in the ring */
    struct tombstone ring[LIMIT_CACHE_TOMBSTONES];
    size_t ring_at;
};

static void index_namespace(const struct kobj *o, void (*emit)(void *, const char *), void *to)
{
    emit(to, kobj_namespace(o));
}

static void index_owner(const struct kobj *o, void (*emit)(void *, const char *), void *to)
{
    const char *uid = jget_str(kobj_controller(o), "uid");

    if (uid)
        emit(to, uid);
}

struct cache *cache_new(const struct kube_resource *r)
{
    struct cache *c = xnew(struct cache);

    c->res = r;
    c->entries = map_new(NULL);
    c->dead = map_new(NULL);
    cache_add_index(c, "namespace", index_namespace);
    cache_add_index(c, "owner", index_owner);
    return c;
}

void cache_add_index(struct cache *c, const char *name, cache_index_fn *fn)
{
    for (size_t i = 0; i < c->indices.n; i++) {
        if (streq(c->indices.p[i]->name, name) && c->indices.p[i]->fn == fn)
            return;
    }
    struct index *x = xnew(struct index);
    x->name = xstrdup(name);
    x->fn = fn;
    x->buckets = map_new(NULL);
    vec_push(&c->indices, x);
}

const struct kube_resource *cache_resource(const struct cache *c)
{
    return c->res;
}

/* ---- links ---- */
static void leave(struct link *l)
{
    struct bucket *b = l->bucket;

    b->links.p[l->at] = b->links.p[--b->links.n];
    b->links.p[l->at]->at = l->at;
    free(l);
    if (b->links.n)
        return;
    map_take(b->index->buckets, b->key);
    vec_done(&b->links);
    free(b->key);
    free(b);
}

static void join(struct entry *en, struct index *x, const char *key)
{
    struct bucket *b = map_get(x->buckets, key);

    if (!b) {
        b = xnew(struct bucket);
        b->index = x;
        b->key = xstrdup(key);
        map_set(x->buckets, key, b);
    }
    struct link *l = xnew(struct link);
    *l = (struct link){.entry = en, .bucket = b, .at = b->links.n};
    vec_push(&b->links, l);
    vec_push(&en->links, l);
}

static void leave_all(struct entry *en)
{
    for (size_t i = 0; i < en->links.n; i++)
        leave(en->links.p[i]);
    en->links.n = 0;
}

struct walk {
    struct entry *entry;
    struct index *index;
    size_t at;
    bool differs;
};

static void compare_key(void *to, const char *key)
{
    struct walk *w = to;
    const struct entry *en = w->entry;

    w->differs = w->differs || w->at >= en->links.n ||
                 en->links.p[w->at]->bucket->index != w->index ||
                 !streq(en->links.p[w->at]->bucket->key, key);
    w->at++;
}

static void join_key(void *to, const char *key)
{
    struct walk *w = to;

    join(w->entry, w->index, key);
}

static void reindex(struct cache *c, struct entry *en)
{
    struct walk w = {.entry = en};

    for (size_t i = 0; i < c->indices.n; i++) {
        w.index = c->indices.p[i];
        w.index->fn(en->obj, compare_key, &w);
    }
    if (!w.differs && w.at == en->links.n)
        return;
    leave_all(en);
    for (size_t i = 0; i < c->indices.n; i++) {
        w.index = c->indices.p[i];
        w.index->fn(en->obj, join_key, &w);
    }
}

static void entry_free(struct entry *en)
{
    leave_all(en);
    vec_done(&en->links);
    kobj_unref(en->obj);
    free(en);
}

void cache_free(struct cache *c)
{
    const char *key;
    struct entry *en;

    if (!c)
        return;
    for (size_t it = 0; map_next(c->entries, &it, &key, &en);)
        entry_free(en);
    map_free(c->entries);
    map_free(c->dead);
    for (size_t i = 0; i < LIMIT_CACHE_TOMBSTONES; i++) {
        free(c->ring[i].key);
        free(c->ring[i].uid);
    }
    for (size_t i = 0; i < c->indices.n; i++) {
        map_free(c->indices.p[i]->buckets);
        free(c->indices.p[i]->name);
        free(c->indices.p[i]);
    }
    vec_done(&c->indices);
    free(c);
}

/* ---- deletions seen ---- */
static void bury(struct cache *c, const char *key, const char *uid, uint64_t rv)
{
    struct tombstone *t = &c->ring[c->ring_at++ % LIMIT_CACHE_TOMBSTONES];

    if (t->key && map_get(c->dead, t->key) == t)
        map_del(c->dead, t->key);
    free(t->key);
    free(t->uid);
    *t = (struct tombstone){.key = xstrdup(key), .uid = xstrdup(uid), .rv = rv};
    map_set(c->dead, key, t);
}

static bool is_buried(const struct cache *c, const char *key, const struct kobj *o)
{
    const struct tombstone *t = map_get(c->dead, key);

    if (!t)
        return false;
    if (t->rv && kobj_rv(o)) /* also for one that left a selector and comes again */
        return kobj_rv(o) <= t->rv;
    return *t->uid && streq(t->uid, kobj_uid(o));
}

void cache_forget_deletions(struct cache *c)
{
    map_clear(c->dead);
}

/* ---- changes ---- */
static enum cache_change place(struct cache *c, const char *key, struct entry *en,
                               const struct kobj *o)
{
    enum cache_change change = en ? CACHE_UPDATED : CACHE_ADDED;

    if (!en) {
        en = xnew(struct entry);
        map_set(c->entries, key, en);
    }
    const struct kobj *old = en->obj;
    en->obj = kobj_ref(o);
    reindex(c, en);
    kobj_unref(old);
    return change;
}

enum cache_change cache_put(struct cache *c, const struct kobj *o)
{
    _cleanup_free_ char *key = kobj_key(o);
    struct entry *en = map_get(c->entries, key);

    if (is_buried(c, key, o))
        return CACHE_NONE;
    if (en && kobj_rv(o) && kobj_rv(o) <= kobj_rv(en->obj))
        return CACHE_NONE;
    return place(c, key, en, o);
}

enum cache_change cache_replace(struct cache *c, const struct kobj *o)
{
    _cleanup_free_ char *key = kobj_key(o);
    struct entry *en = map_get(c->entries, key);

    if (en && kobj_rv(o) == kobj_rv(en->obj) && streq(kobj_uid(o), kobj_uid(en->obj)))
        return CACHE_NONE;
    return place(c, key, en, o);
}

enum cache_change cache_remove(struct cache *c, const char *ns, const char *name, const char *uid,
                               uint64_t rv)
{
    _cleanup_free_ char *key = kube_key(ns, name);
    struct entry *en = map_get(c->entries, key);
    bool other = en && uid && *uid && *kobj_uid(en->obj) && !streq(uid, kobj_uid(en->obj));

    if (other && (!rv || kobj_rv(en->obj) > rv))
        return CACHE_NONE; /* a successor of that name is here already */
    if ((uid && *uid) || en)
        bury(c, key, uid && *uid ? uid : kobj_uid(en->obj), rv);
    if (!en)
        return CACHE_NONE;
    map_take(c->entries, key);
    entry_free(en);
    return CACHE_REMOVED;
}

/* ---- reading ---- */
const struct kobj *cache_get(const struct cache *c, const char *ns, const char *name)
{
    _cleanup_free_ char *key = kube_key(ns, name);
    const struct entry *en = map_get(c->entries, key);

    return en ? en->obj : NULL;
}

size_t cache_len(const struct cache *c)
{
    return map_len(c->entries);
}

int cache_each(const struct cache *c, int (*fn)(void *ctx, const struct kobj *o), void *ctx)
{
    const char *key;
    struct entry *en;

    for (size_t it = 0; map_next(c->entries, &it, &key, &en);) {
        int r = fn(ctx, en->obj);
        if (r)
            return r;
    }
    return 0;
}

static const struct bucket *bucket_of(const struct cache *c, const char *index, const char *key)
{
    for (size_t i = 0; i < c->indices.n; i++) {
        if (streq(c->indices.p[i]->name, index))
            return map_get(c->indices.p[i]->buckets, key);
    }
    return NULL;
}

int cache_each_by(const struct cache *c, const char *index, const char *key,
                  int (*fn)(void *ctx, const struct kobj *o), void *ctx)
{
    const struct bucket *b = bucket_of(c, index, key);

    for (size_t i = 0; b && i < b->links.n; i++) {
        int r = fn(ctx, b->links.p[i]->entry->obj);
        if (r)
            return r;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct kobj *x = *(const struct kobj *const *)a, *y = *(const struct kobj *const *)b;
    int r = strcmp(kobj_namespace(x), kobj_namespace(y));

    return r ? r : strcmp(kobj_name(x), kobj_name(y));
}

static int collect(void *ctx, const struct kobj *o)
{
    kobj_vec *out = ctx;

    vec_push(out, o);
    return 0;
}

static void sort_by_name(kobj_vec *out)
{
    if (out->n)
        qsort(out->p, out->n, sizeof(*out->p), by_name);
}

void cache_list(const struct cache *c, kobj_vec *out)
{
    cache_each(c, collect, out);
    sort_by_name(out);
}

void cache_list_by(const struct cache *c, const char *index, const char *key, kobj_vec *out)
{
    cache_each_by(c, index, key, collect, out);
    sort_by_name(out);
}
