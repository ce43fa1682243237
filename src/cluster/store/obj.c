/* Versions of objects: immutable once made, so that state, history and readers share one copy. */
#include "cluster/store/obj.h"

#include <stdatomic.h>

#include "base/mem.h"

struct store_obj {
    uint64_t rev;
    _Atomic uint32_t refs;
    uint32_t key_n;
    uint32_t n;
    char data[]; /* key, NUL, bytes, NUL */
};

struct store_obj *store_obj_new(const char *key, size_t key_n, uint64_t rev, const void *bytes,
                                size_t n)
{
    struct store_obj *o = xmalloc(sizeof(*o) + key_n + n + 2);

    *o = (struct store_obj){.rev = rev, .refs = 1, .key_n = (uint32_t)key_n, .n = (uint32_t)n};
    memcpy(o->data, key, key_n);
    o->data[key_n] = '\0';
    if (n)
        memcpy(o->data + key_n + 1, bytes, n);
    o->data[key_n + 1 + n] = '\0';
    return o;
}

struct store_obj *store_obj_ref(const struct store_obj *o)
{
    struct store_obj *own = (struct store_obj *)(uintptr_t)o;

    if (own)
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void store_obj_unref(const struct store_obj *o)
{
    struct store_obj *own = (struct store_obj *)(uintptr_t)o;

    if (own && atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) == 1)
        free(own);
}

const char *store_obj_key(const struct store_obj *o)
{
    return o->data;
}

uint64_t store_obj_rev(const struct store_obj *o)
{
    return o->rev;
}

struct str store_obj_bytes(const struct store_obj *o)
{
    return (struct str){o->data + o->key_n + 1, o->n};
}
