/* Numbers are taken as little-endian bytes, texts behind their length, so that no two lists of
 * fields give the same bytes. */
#include "cluster/store/sum.h"

#include <zlib.h>

void sum_u64(struct sum *s, uint64_t v)
{
    unsigned char b[8];

    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(v >> (8 * i));
    s->value = (uint32_t)crc32(s->value, b, sizeof(b));
}

void sum_str(struct sum *s, struct str v)
{
    sum_u64(s, v.n);
    s->value = (uint32_t)crc32_z(s->value, (const unsigned char *)v.p, v.n);
}
