/*
 * Hash map from string to pointer. Keys are copied; values are the caller's, optionally freed by
 * the function given at birth. Iteration is in insertion order. Not thread-safe.
 */
#ifndef NONAGON_BASE_MAP_H
#define NONAGON_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct map;

struct map *map_new(void (*free_value)(void *)); /* NULL: values are not freed */
void map_free(struct map *m);
DEFINE_CLEANUP(struct map *, map_free)

size_t map_len(const struct map *m);
void *map_get(const struct map *m, const char *key); /* NULL when absent */
void *map_getn(const struct map *m, const char *key, size_t n);
bool map_has(const struct map *m, const char *key);
/* Sets; an old value under the key is freed. */
void map_set(struct map *m, const char *key, void *value);
void map_setn(struct map *m, const char *key, size_t n, void *value);
/* Removes and returns the value without freeing it. */
void *map_take(struct map *m, const char *key);
bool map_del(struct map *m, const char *key); /* removes and frees; false when absent */
void map_clear(struct map *m);

/*
 * for (size_t it = 0; map_next(m, &it, &key, &value);) …  key and value may be NULL pointers.
 * Deleting the entry just returned is allowed while iterating; adding is not.
 */
bool map_next(const struct map *m, size_t *it, const char **ret_key, void *ret_value);

#endif
