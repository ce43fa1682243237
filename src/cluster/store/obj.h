/* One stored version: header, key and bytes in a single allocation, since there are many. Internal
 * to the store. */
#ifndef NONAGON_STORE_OBJ_H
#define NONAGON_STORE_OBJ_H

#include "cluster/store/store.h"

/* Copies key and bytes; one reference is the caller's. */
struct store_obj *store_obj_new(const char *key, size_t key_n, uint64_t rev, const void *bytes,
                                size_t n);

static inline void store_obj_unrefp(const struct store_obj **o)
{
    store_obj_unref(*o);
}
#define _cleanup_obj_ _cleanup_(store_obj_unrefp)

#endif
