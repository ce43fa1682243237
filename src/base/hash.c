/*
 * SipHash (Aumasson and Bernstein) with one round per word and three at the end: strong enough that
 * a table whose keys strangers choose stays a table, and for short keys faster than FNV.
 */
#include <pthread.h>

#include "base/rand.h"
#include "base/str.h"

static uint64_t key[2];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    rand_bytes(key, sizeof(key));
}

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t turn(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b, s->c += s->d;
    s->b = turn(s->b, 13) ^ s->a, s->d = turn(s->d, 16) ^ s->c;
    s->a = turn(s->a, 32);
    s->a += s->d, s->c += s->b;
    s->d = turn(s->d, 21) ^ s->a, s->b = turn(s->b, 17) ^ s->c;
    s->c = turn(s->c, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

/* The last bytes, and the length in the highest one. */
static uint64_t tail_word(const unsigned char *p, size_t left, size_t n)
{
    uint64_t word = (uint64_t)n << 56;

    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

uint64_t hash_keyed(const void *p, size_t n)
{
    const unsigned char *at = p;
    size_t left = n;

    pthread_once(&key_once, make_key);
    struct sip s = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                    key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    for (uint64_t word; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        sip_word(&s, word);
    }
    sip_word(&s, tail_word(at, left, n));
    s.c ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
