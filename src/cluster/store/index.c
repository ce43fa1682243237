/*
 * A sorted array of pointers per "GROUP/PLURAL/", and a sorted array of those. Look-up is two
 * binary searches, a scan is a walk through memory, an insertion moves the pointers behind it: for
 * 20,000 objects of a kind that is some microseconds, and the state costs eight bytes per object
 * beyond the objects themselves.
 *
 * No such head is a prefix of another, so walking the heads in order and the keys of each in order
 * is key order.
 */
#include "cluster/store/index.h"

#include "base/vec.h"

struct bucket {
    char *head; /* "GROUP/PLURAL/" */
    VEC(const struct store_obj *) objs;
};

struct index {
    VEC(struct bucket *) buckets;
};

struct index *index_new(void)
{
    return xnew(struct index);
}

void index_free(struct index *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->buckets.n; i++) {
        struct bucket *b = x->buckets.p[i];
        for (size_t k = 0; k < b->objs.n; k++)
            store_obj_unref(b->objs.p[k]);
        vec_done(&b->objs);
        free(b->head);
        free(b);
    }
    vec_done(&x->buckets);
    free(x);
}

size_t index_head_len(const char *key)
{
    const char *slash = strchr(key, '/');

    slash = slash ? strchr(slash + 1, '/') : NULL;
    return slash ? (size_t)(slash + 1 - key) : 0;
}

bool index_key_ok(const char *key)
{
    size_t n = index_head_len(key);

    return n > 0 && strchr(key + n, '/') != NULL;
}

/* The first bucket whose head is not below the n bytes at head. */
static size_t bucket_at(const struct index *x, const char *head, size_t n)
{
    size_t lo = 0, hi = x->buckets.n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strncmp(x->buckets.p[mid]->head, head, n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct bucket *find_bucket(const struct index *x, const char *key)
{
    size_t n = index_head_len(key), at = bucket_at(x, key, n);

    if (n == 0 || at == x->buckets.n)
        return NULL;
    struct bucket *b = x->buckets.p[at];
    return strncmp(b->head, key, n) == 0 ? b : NULL;
}

static struct bucket *make_bucket(struct index *x, const char *key)
{
    size_t n = index_head_len(key), at = bucket_at(x, key, n);
    struct bucket *b = xnew(struct bucket);

    b->head = xstrndup(key, n);
    vec_push(&x->buckets, b);
    memmove(&x->buckets.p[at + 1], &x->buckets.p[at], (x->buckets.n - 1 - at) * sizeof(b));
    x->buckets.p[at] = b;
    return b;
}

/* The first object whose key is not below `key`. Appending in key order is common, so the end is
 * tried first. */
static size_t place_of(const struct bucket *b, const char *key)
{
    size_t lo = 0, hi = b->objs.n;

    if (hi > 0 && strcmp(store_obj_key(b->objs.p[hi - 1]), key) < 0)
        return hi;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(store_obj_key(b->objs.p[mid]), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_at(const struct bucket *b, size_t at, const char *key)
{
    return at < b->objs.n && strcmp(store_obj_key(b->objs.p[at]), key) == 0;
}

const struct store_obj *index_get(const struct index *x, const char *key)
{
    const struct bucket *b = find_bucket(x, key);
    size_t at = b ? place_of(b, key) : 0;

    return b && is_at(b, at, key) ? b->objs.p[at] : NULL;
}

const struct store_obj *index_put(struct index *x, const struct store_obj *obj)
{
    const char *key = store_obj_key(obj);
    struct bucket *b = find_bucket(x, key);

    if (!b)
        b = make_bucket(x, key);
    size_t at = place_of(b, key);
    if (is_at(b, at, key)) {
        const struct store_obj *old = b->objs.p[at];
        b->objs.p[at] = store_obj_ref(obj);
        return old;
    }
    vec_push(&b->objs, NULL);
    memmove(&b->objs.p[at + 1], &b->objs.p[at], (b->objs.n - 1 - at) * sizeof(b->objs.p[0]));
    b->objs.p[at] = store_obj_ref(obj);
    return NULL;
}

const struct store_obj *index_remove(struct index *x, const char *key)
{
    struct bucket *b = find_bucket(x, key);
    size_t at = b ? place_of(b, key) : 0;

    if (!b || !is_at(b, at, key))
        return NULL;
    const struct store_obj *old = b->objs.p[at];
    vec_remove(&b->objs, at);
    return old;
}

/* The first object of the bucket at or behind `prefix`, and behind `after`. */
static size_t scan_start(const struct bucket *b, const char *prefix, const char *after)
{
    size_t at = place_of(b, prefix);

    if (after && strcmp(after, prefix) >= 0) {
        at = place_of(b, after);
        at += is_at(b, at, after);
    }
    return at;
}

int index_each(const struct index *x, const char *prefix, const char *after,
               int (*fn)(void *ctx, const struct store_obj *o), void *ctx)
{
    size_t n = strlen(prefix), head = index_head_len(prefix), common = head ? head : n;

    for (size_t i = bucket_at(x, prefix, common); i < x->buckets.n; i++) {
        const struct bucket *b = x->buckets.p[i];
        if (strncmp(b->head, prefix, common) != 0)
            break;
        for (size_t k = scan_start(b, prefix, after); k < b->objs.n; k++) {
            if (strncmp(store_obj_key(b->objs.p[k]), prefix, n) != 0)
                break;
            int r = fn(ctx, b->objs.p[k]);
            if (r)
                return r;
        }
    }
    return 0;
}

static int count_one(void *ctx, const struct store_obj *o)
{
    ++*(size_t *)ctx;
    return 0;
}

size_t index_count(const struct index *x, const char *prefix)
{
    size_t n = 0, head = index_head_len(prefix);
    const struct bucket *b = head ? find_bucket(x, prefix) : NULL;

    if (head && !prefix[head])
        return b ? b->objs.n : 0;
    index_each(x, prefix, NULL, count_one, &n);
    return n;
}
