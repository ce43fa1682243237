/* The objects that cannot be read, by key, so that nobody takes them for absent. One thread. */
#ifndef NONAGON_STORE_DAMAGED_H
#define NONAGON_STORE_DAMAGED_H

#include "cluster/store/store.h"

struct damaged;
struct damaged *damaged_new(void);
void damaged_free(struct damaged *d);

/* rev: of the row in quarantine; a later one of the same key counts. */
void damaged_add(struct damaged *d, const char *key, uint64_t rev);
/* The row that holds the key's newest version, 0 = the key is not damaged. */
uint64_t damaged_rev(const struct damaged *d, const char *key);
/* The row concerns nobody any more. */
void damaged_settle(struct damaged *d, uint64_t rev);
size_t damaged_each(const struct damaged *d, void (*fn)(void *ctx, const char *key, uint64_t rev),
                    void *ctx);

#endif
