/*
 * Checksums of what lies on disk: CRC-32 as zlib computes it. It finds every single flipped bit and
 * every burst of up to 32, which is what disks and memory do to bytes, and is the one such function
 * among the libraries that are linked anyway. It is no protection against somebody who means it.
 */
#ifndef NONAGON_STORE_SUM_H
#define NONAGON_STORE_SUM_H

#include <stdint.h>

#include "base/str.h"

struct sum { /* being computed; start with {0} */
    uint32_t value;
};

void sum_u64(struct sum *s, uint64_t v);   /* the same on every machine */
void sum_str(struct sum *s, struct str v); /* its length counts too */

#endif
