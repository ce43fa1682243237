/*
 * Member look-up in an immutable object that stays fast for large ones: small objects are searched,
 * larger ones get a hash map on first use. Internal to this folder. The object must outlive the
 * index.
 */
#ifndef NONAGON_JSON_JINDEX_H
#define NONAGON_JSON_JINDEX_H

#include "base/map.h"
#include "json/json.h"

#define JINDEX_SMALL 24

struct jindex {
    yyjson_val *obj; /* NULL: an object without members */
    struct map *m;
};

static inline struct jindex jindex_of(const yyjson_val *v)
{
    yyjson_val *o = (yyjson_val *)(uintptr_t)v;
    struct jindex x = {yyjson_is_obj(o) ? o : NULL, NULL};
    size_t i, max;
    yyjson_val *k, *member;

    if (yyjson_obj_size(o) <= JINDEX_SMALL)
        return x;
    x.m = map_new(NULL);
    yyjson_obj_foreach(o, i, max, k, member)
        map_setn(x.m, yyjson_get_str(k), yyjson_get_len(k), member);
    return x;
}

static inline yyjson_val *jindex_get(const struct jindex *x, yyjson_val *key)
{
    const char *s = yyjson_get_str(key);
    size_t n = yyjson_get_len(key);

    return x->m ? map_getn(x->m, s, n) : yyjson_obj_getn(x->obj, s, n);
}

static inline void jindex_done(struct jindex *x)
{
    map_free(x->m);
}
#define _cleanup_jindex_ _cleanup_(jindex_done)

#endif
