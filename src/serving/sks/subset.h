/* Choosing n of a set so that the choice is even over many targets, stable, and moves little when
 * the set changes. */
#ifndef NONAGON_SERVING_SKS_SUBSET_H
#define NONAGON_SERVING_SKS_SUBSET_H

#include <stdbool.h>
#include <stddef.h>

/* items: sorted, distinct. Sets chosen[i]; all of them when n_choose >= n. */
void choose_subset(const char *const *items, size_t n, size_t n_choose, const char *target,
                   bool *chosen);

#endif
