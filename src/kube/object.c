/*
 * Thousands of objects are cached at once, so an object is one allocation: a header, then its
 * values in yyjson's own layout (a flat array, containers knowing their size in bytes), then the
 * text of its string values. Field names, which repeat in every object, are kept once per process
 * in a table that only grows, to a maximum. metadata.managedFields is dropped: no reader here uses
 * it and it can outweigh the rest.
 *
 * The table is lock-free: a slot goes from NULL to a name once and never changes again.
 *
 * Several informers in one process mostly hold the same objects, so what they cache is shared: an
 * object that is the same to the last byte. A shared object dies under the lock that finders take.
 */
#include "kube/object.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/limits.h"

struct kobj {
    _Atomic uint32_t refs;
    uint32_t n_vals, n_text;
    bool shared;
    uint64_t rv;
    struct kobj *next; /* in its bucket of shared objects */
    const char *name, *ns;
    yyjson_val vals[];
};

/* ---- field names ---- */
#define NAME_SLOTS 8192
#define NAME_LONG  80

static _Atomic(char *) name_slots[NAME_SLOTS];
static _Atomic uint32_t name_count;

static bool name_is(const char *have, const char *s, size_t n)
{
    return memcmp(have, s, n) == 0 && have[n] == '\0';
}

/* The shared copy of a name; NULL when it is not there and (with add) the table is full or the name
 * too long. */
static const char *shared_name(const char *s, size_t n, bool add)
{
    if (n > NAME_LONG || memchr(s, '\0', n))
        return NULL;
    for (uint32_t at = hash_fnv32(s, n);; at++) {
        _Atomic(char *) *slot = &name_slots[at % NAME_SLOTS];
        char *have = atomic_load_explicit(slot, memory_order_acquire);
        if (have) {
            if (strlen(have) == n && name_is(have, s, n))
                return have;
            continue;
        }
        if (!add || atomic_load(&name_count) >= LIMIT_FIELD_NAMES)
            return NULL;
        char *mine = xstrndup(s, n);
        if (atomic_compare_exchange_strong(slot, &have, mine)) {
            atomic_fetch_add(&name_count, 1);
            return mine;
        }
        free(mine);
        at--; /* somebody filled this slot: look at it again */
    }
}

size_t kobj_names_known(void)
{
    return atomic_load(&name_count);
}

/* Members of these are called what users like; kept for ever they would fill the table. */
static bool has_free_names(const yyjson_val *key)
{
    static const char *const maps[] = {"labels",   "annotations", "matchLabels", "nodeSelector",
                                       "selector", "data",        "binaryData",  "stringData"};

    for (size_t i = 0; key && i < ARRAY_LEN(maps); i++) {
        if (unsafe_yyjson_equals_str((void *)(uintptr_t)key, maps[i]))
            return true;
    }
    return false;
}

/* ---- packing ---- */
struct packer {
    yyjson_val *val; /* NULL while measuring */
    char *text;
    size_t n_vals, n_text;
    int depth;
};

static void pack_string(struct packer *k, const yyjson_val *v, bool add_name)
{
    const char *s = v->uni.str;
    size_t n = unsafe_yyjson_get_len((void *)(uintptr_t)v);
    const char *shared = shared_name(s, n, add_name);

    if (k->val) {
        yyjson_val *to = &k->val[k->n_vals];
        to->tag = v->tag;
        to->uni.str = shared ? shared : k->text + k->n_text;
        if (!shared) {
            memcpy(k->text + k->n_text, s, n);
            k->text[k->n_text + n] = '\0';
        }
    }
    k->n_vals++;
    k->n_text += shared ? 0 : n + 1;
}

static bool dropped(const struct packer *k, const yyjson_val *key, const yyjson_val *parent_key)
{
    return k->depth == 2 && parent_key &&
           unsafe_yyjson_equals_str((void *)(uintptr_t)parent_key, "metadata") &&
           unsafe_yyjson_equals_str((void *)(uintptr_t)key, "managedFields");
}

static void pack(struct packer *k, const yyjson_val *v, const yyjson_val *key);

static size_t pack_members(struct packer *k, const yyjson_val *v, const yyjson_val *parent_key)
{
    bool add = !has_free_names(parent_key);
    yyjson_val *key, *val;
    size_t i, max, n = 0;

    k->depth++;
    if (yyjson_is_obj((void *)(uintptr_t)v)) {
        yyjson_obj_foreach((yyjson_val *)(uintptr_t)v, i, max, key, val)
        {
            if (dropped(k, key, parent_key))
                continue;
            pack_string(k, key, add);
            pack(k, val, key);
            n++;
        }
    } else {
        yyjson_arr_foreach((yyjson_val *)(uintptr_t)v, i, max, val)
        {
            pack(k, val, NULL);
            n++;
        }
    }
    k->depth--;
    return n;
}

static void pack(struct packer *k, const yyjson_val *v, const yyjson_val *key)
{
    if (yyjson_is_str((void *)(uintptr_t)v) || yyjson_is_raw((void *)(uintptr_t)v)) {
        pack_string(k, v, false);
        return;
    }
    size_t at = k->n_vals++;
    if (k->val)
        k->val[at] = *v;
    if (!unsafe_yyjson_is_ctn((void *)(uintptr_t)v))
        return;
    size_t n = pack_members(k, v, key);
    if (k->val) {
        unsafe_yyjson_set_len(&k->val[at], n);
        k->val[at].uni.ofs = (k->n_vals - at) * sizeof(yyjson_val);
    }
}

struct kobj *kobj_from_val(const yyjson_val *v)
{
    struct packer size = {0};
    pack(&size, v, NULL);

    struct kobj *o = xmalloc(sizeof(*o) + size.n_vals * sizeof(yyjson_val) + size.n_text + 1);
    struct packer fill = {.val = o->vals, .text = (char *)&o->vals[size.n_vals]};
    pack(&fill, v, NULL);

    yyjson_val *meta = yyjson_obj_get(o->vals, "metadata");
    const char *rv = jget_str(meta, "resourceVersion");
    atomic_init(&o->refs, 1);
    o->n_vals = (uint32_t)size.n_vals;
    o->n_text = (uint32_t)size.n_text;
    o->shared = false;
    o->next = NULL;
    o->name = jget_str(meta, "name");
    o->ns = jget_str(meta, "namespace");
    if (!rv || str_u64(str_of(rv), &o->rv) < 0)
        o->rv = 0;
    return o;
}

struct kobj *kobj_from_doc(yyjson_doc *doc)
{
    struct kobj *o = kobj_from_val(yyjson_doc_get_root(doc));

    yyjson_doc_free(doc);
    return o;
}

struct kobj *kobj_parse(const char *p, size_t n, struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *d = json_parse(p, n, e);

    if (!d)
        return NULL;
    yyjson_val *root = yyjson_doc_get_root(d);
    if (!yyjson_is_obj(root)) {
        err_set(e, -EINVAL, "not a Kubernetes object: expected a JSON object, found %s",
                yyjson_get_type_desc(root));
        return NULL;
    }
    if (!jget_str(root, "metadata", "name") && !jget_str(root, "metadata", "generateName")) {
        err_set(e, -EINVAL, "not a Kubernetes object: metadata.name is missing");
        return NULL;
    }
    return kobj_from_val(root);
}

struct kobj *kobj_ref(const struct kobj *o)
{
    struct kobj *m = (struct kobj *)(uintptr_t)o;

    if (m)
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

/* ---- shared objects ---- */
#define SHARE_BUCKETS 16384
#define SHARE_LOCKS   64

static struct kobj *share_buckets[SHARE_BUCKETS];
static pthread_mutex_t share_locks[SHARE_LOCKS] = {
    [0 ... SHARE_LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER,
};

static uint32_t share_hash(const struct kobj *o)
{
    const char *uid = kobj_uid(o);

    return (hash_fnv32(uid, strlen(uid)) ^ (uint32_t)o->rv * 2654435761u) % SHARE_BUCKETS;
}

static const char *text_of(const struct kobj *o)
{
    return (const char *)&o->vals[o->n_vals];
}

/* A string is a shared name, or stands at the same place of both texts. */
static bool same_string(const struct kobj *a, const char *x, const struct kobj *b, const char *y)
{
    bool inside = x >= text_of(a) && x <= text_of(a) + a->n_text;

    return inside ? x - text_of(a) == y - text_of(b) : x == y;
}

static bool same_value(const struct kobj *a, const struct kobj *b, size_t i)
{
    yyjson_val *x = (yyjson_val *)(uintptr_t)&a->vals[i], *y = (yyjson_val *)(uintptr_t)&b->vals[i];

    if (x->tag != y->tag)
        return false;
    if (yyjson_is_str(x) || yyjson_is_raw(x))
        return same_string(a, x->uni.str, b, y->uni.str);
    return !(yyjson_is_num(x) || yyjson_is_ctn(x)) || x->uni.u64 == y->uni.u64;
}

/* To the last byte: a version may name other bytes in another API version, or at another server. */
static bool same_object(const struct kobj *a, const struct kobj *b)
{
    if (a->rv != b->rv || a->n_vals != b->n_vals || a->n_text != b->n_text ||
        memcmp(text_of(a), text_of(b), a->n_text) != 0)
        return false;
    for (size_t i = 0; i < a->n_vals; i++) {
        if (!same_value(a, b, i))
            return false;
    }
    return true;
}

struct kobj *kobj_share(struct kobj *o)
{
    if (!o->rv || !*kobj_uid(o) || o->shared)
        return o;
    uint32_t at = share_hash(o);
    pthread_mutex_t *lock = &share_locks[at % SHARE_LOCKS];
    pthread_mutex_lock(lock);
    struct kobj *known = share_buckets[at];
    while (known && !same_object(known, o))
        known = known->next;
    if (known) {
        kobj_ref(known);
    } else if (atomic_load(&o->refs) == 1) { /* nobody else may see `shared` change */
        o->shared = true;
        o->next = share_buckets[at];
        share_buckets[at] = o;
    }
    pthread_mutex_unlock(lock);
    if (!known)
        return o;
    kobj_unref(o);
    return known;
}

static void take_out(struct kobj *o, uint32_t at)
{
    struct kobj **link = &share_buckets[at];

    while (*link != o)
        link = &(*link)->next;
    *link = o->next;
}

static void unref_shared(struct kobj *o)
{
    uint32_t refs = atomic_load(&o->refs);

    while (refs > 1) {
        if (atomic_compare_exchange_weak(&o->refs, &refs, refs - 1))
            return;
    }
    uint32_t at = share_hash(o);
    pthread_mutex_t *lock = &share_locks[at % SHARE_LOCKS];
    pthread_mutex_lock(lock);
    bool last = atomic_fetch_sub(&o->refs, 1) == 1;
    if (last)
        take_out(o, at);
    pthread_mutex_unlock(lock);
    if (last)
        free(o);
}

void kobj_unref(const struct kobj *o)
{
    struct kobj *m = (struct kobj *)(uintptr_t)o;

    if (!m)
        return;
    if (m->shared)
        unref_shared(m);
    else if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        free(m);
}

/* ---- reading ---- */
yyjson_val *kobj_root(const struct kobj *o)
{
    return o ? (yyjson_val *)(uintptr_t)o->vals : NULL;
}

const char *kobj_name(const struct kobj *o)
{
    return o && o->name ? o->name : "";
}

const char *kobj_namespace(const struct kobj *o)
{
    return o && o->ns ? o->ns : "";
}

const char *kobj_uid(const struct kobj *o)
{
    const char *uid = jget_str(kobj_root(o), "metadata", "uid");

    return uid ? uid : "";
}

const char *kobj_kind(const struct kobj *o)
{
    const char *kind = jget_str(kobj_root(o), "kind");

    return kind ? kind : "";
}

uint64_t kobj_rv(const struct kobj *o)
{
    return o ? o->rv : 0;
}

int64_t kobj_generation(const struct kobj *o)
{
    return jget_int(kobj_root(o), 0, "metadata", "generation");
}

bool kobj_deleting(const struct kobj *o)
{
    return jget_str(kobj_root(o), "metadata", "deletionTimestamp") != NULL;
}

const char *kobj_label(const struct kobj *o, const char *key)
{
    return jget_str(kobj_root(o), "metadata", "labels", key);
}

const char *kobj_annotation(const struct kobj *o, const char *key)
{
    return jget_str(kobj_root(o), "metadata", "annotations", key);
}

char *kube_key(const char *ns, const char *name)
{
    return ns && *ns ? xasprintf("%s/%s", ns, name) : xstrdup(name);
}

char *kobj_key(const struct kobj *o)
{
    return kube_key(kobj_namespace(o), kobj_name(o));
}

void kube_key_split(const char *key, char ret_ns[static 254], const char **ret_name)
{
    const char *slash = strchr(key, '/');
    size_t n = slash ? (size_t)(slash - key) : 0;

    if (n > 253)
        n = 253;
    memcpy(ret_ns, key, n);
    ret_ns[n] = '\0';
    *ret_name = slash ? slash + 1 : key;
}

yyjson_val *kobj_controller(const struct kobj *o)
{
    yyjson_val *ref;
    size_t i, max;

    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "ownerReferences"), i, max, ref)
    {
        if (jget_bool(ref, false, "controller"))
            return ref;
    }
    return NULL;
}

bool kobj_controlled_by(const struct kobj *o, const struct kobj *owner)
{
    const char *uid = jget_str(kobj_controller(o), "uid");

    return uid && *uid && streq(uid, kobj_uid(owner));
}

yyjson_val *kobj_condition(const struct kobj *o, const char *type)
{
    yyjson_val *c;
    size_t i, max;

    yyjson_arr_foreach(jget(kobj_root(o), "status", "conditions"), i, max, c)
    {
        if (streq(jget_str(c, "type"), type))
            return c;
    }
    return NULL;
}

bool kobj_condition_is(const struct kobj *o, const char *type, const char *status)
{
    const char *have = jget_str(kobj_condition(o, type), "status");

    return have && streq(have, status);
}

static bool observed(const struct kobj *o)
{
    return jget_int(kobj_root(o), 0, "status", "observedGeneration") == kobj_generation(o);
}

bool kobj_is_ready(const struct kobj *o)
{
    return o && observed(o) && kobj_condition_is(o, "Ready", "True");
}

bool kobj_is_failed(const struct kobj *o)
{
    return o && observed(o) && kobj_condition_is(o, "Ready", "False");
}
