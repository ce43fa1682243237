/* rand_fast is seeded once per thread from the kernel. */
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *p, size_t n)
{
    unsigned char *b = p;

    while (n) {
        ssize_t r = getrandom(b, n, 0);
        if (r < 0)
            continue; /* EINTR only: the pool is initialised long before we run */
        b += r;
        n -= (size_t)r;
    }
}

void rand_uuid(char ret[static 37])
{
    unsigned char b[16];

    rand_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

void rand_suffix(char *ret, size_t n)
{
    /* No vowels and no look-alikes, so that no words appear. */
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";

    rand_bytes(ret, n);
    for (size_t i = 0; i < n; i++)
        ret[i] = alphabet[(unsigned char)ret[i] % (sizeof(alphabet) - 1)];
    ret[n] = '\0';
}

uint64_t rand_fast(void)
{
    static _Thread_local uint64_t s;

    if (!s)
        rand_bytes(&s, sizeof(s));
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}
