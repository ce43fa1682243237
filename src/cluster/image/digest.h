/* Content digests ("sha256:HEX", "sha512:HEX"): checking their form, and computing them as bytes
 * pass. Any thread. */
#ifndef NONAGON_CLUSTER_IMAGE_DIGEST_H
#define NONAGON_CLUSTER_IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define DIGEST_MAX 136 /* "sha512:", 128 digits and the end */

bool digest_valid(struct str s); /* a known algorithm and the right count of lower-case digits */
static inline bool digest_valid_z(const char *z)
{
    return z && digest_valid(str_of(z));
}
const char *digest_hex(const char *digest); /* behind the colon */

struct digest_sum {
    void *md;
    const char *algorithm;
};
/* like: a valid digest, whose algorithm is used; NULL = sha256. Pair with digest_done. */
void digest_start(struct digest_sum *s, const char *like);
void digest_add(struct digest_sum *s, const void *p, size_t n);
void digest_end(struct digest_sum *s, char ret[static DIGEST_MAX]);
void digest_done(struct digest_sum *s);

void digest_of(const void *p, size_t n, const char *like, char ret[static DIGEST_MAX]);

#endif
