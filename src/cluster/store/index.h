/*
 * Committed state: the newest version of each key, in key order. Holds a reference to each. One
 * thread. Keys begin with "GROUP/PLURAL/"; index_key_ok tells.
 */
#ifndef NONAGON_STORE_INDEX_H
#define NONAGON_STORE_INDEX_H

#include "cluster/store/store.h"

struct index;
struct index *index_new(void);
void index_free(struct index *x);

bool index_key_ok(const char *key);
/* Length of "GROUP/PLURAL/" at the start of the key, 0 when it has none. */
size_t index_head_len(const char *key);
const struct store_obj *index_get(const struct index *x, const char *key);
/* Puts obj under its key; returns the version before with its reference, NULL when the key is new.
 */
const struct store_obj *index_put(struct index *x, const struct store_obj *obj);
/* Removes; returns what was there with its reference. */
const struct store_obj *index_remove(struct index *x, const char *key);

/* In key order behind `after` (NULL: from the start); stops on nonzero and returns it. No changes
 * during the walk. */
int index_each(const struct index *x, const char *prefix, const char *after,
               int (*fn)(void *ctx, const struct store_obj *o), void *ctx);
size_t index_count(const struct index *x, const char *prefix);

#endif
