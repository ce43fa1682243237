/* Randomness: kernel entropy for identities, a seeded generator for balancing. Thread-safe. */
#ifndef NONAGON_BASE_RAND_H
#define NONAGON_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);  /* getrandom(2) */
void rand_uuid(char ret[static 37]); /* version 4 */
/* n characters of the alphabet that Kubernetes uses for generateName, then NUL. */
void rand_suffix(char *ret, size_t n);
uint64_t rand_fast(void); /* per-thread xorshift; not for secrets */

#endif
