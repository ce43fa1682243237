/*
 * An indexed in-memory set of objects of one resource: what an informer fills and reconcilers read.
 * No I/O, so table tests fill it by hand. One thread.
 *
 * Newer wins: cache_put ignores an object whose resourceVersion is not above the cached one, and
 * one whose deletion was already seen. So the answer of an own write can be put at once and the
 * watch may follow later.
 */
#ifndef NONAGON_KUBE_CACHE_H
#define NONAGON_KUBE_CACHE_H

#include "base/vec.h"
#include "kube/object.h"

struct cache;
struct cache *cache_new(const struct kube_resource *r);
void cache_free(struct cache *c);
const struct kube_resource *cache_resource(const struct cache *c);

/*
 * An index: computes zero or more keys of an object by calling emit. Indices always there:
 * "namespace", "owner" (uid of the controller). Add others before objects; the same one twice is
 * one.
 */
typedef void cache_index_fn(const struct kobj *o, void (*emit)(void *to, const char *key),
                            void *to);
void cache_add_index(struct cache *c, const char *name, cache_index_fn *fn);

enum cache_change { CACHE_NONE, CACHE_ADDED, CACHE_UPDATED, CACHE_REMOVED };
enum cache_change cache_put(struct cache *c, const struct kobj *o);
/* For a server that is another one, or went back: whatever version is known of that name; and no
 * deletion seen so far says anything of what comes. */
enum cache_change cache_replace(struct cache *c, const struct kobj *o);
void cache_forget_deletions(struct cache *c);
/* rv: version of the deletion (0 = unknown). */
enum cache_change cache_remove(struct cache *c, const char *ns, const char *name, const char *uid,
                               uint64_t rv);

/* Borrowed: valid until the next change of the cache. NULL when absent. */
const struct kobj *cache_get(const struct cache *c, const char *ns, const char *name);
size_t cache_len(const struct cache *c);
/* Calls fn for each object (of the index key); stops on nonzero and returns it. No changes during
 * the walk. */
int cache_each(const struct cache *c, int (*fn)(void *ctx, const struct kobj *o), void *ctx);
int cache_each_by(const struct cache *c, const char *index, const char *key,
                  int (*fn)(void *ctx, const struct kobj *o), void *ctx);
/* The same as an array of borrowed pointers, sorted by namespace/name; vec_done by the caller. */
typedef VEC(const struct kobj *) kobj_vec;
void cache_list(const struct cache *c, kobj_vec *out);
void cache_list_by(const struct cache *c, const char *index, const char *key, kobj_vec *out);

#endif
