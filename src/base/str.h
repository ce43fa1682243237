/* A string as pointer and length, not owned, not terminated. The form used on the data path. */
#ifndef NONAGON_BASE_STR_H
#define NONAGON_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(lit)   ((struct str){(lit), sizeof(lit) - 1})
#define STR_NULL   ((struct str){NULL, 0})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool streq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* ASCII case-insensitive, as HTTP field names and host names compare. */
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_find(struct str s, char c, size_t *ret_at);
struct str str_trim(struct str s); /* spaces and tabs */

/* Splits off the part before `sep` and moves *rest behind it; false when *rest is used up. */
bool str_split(struct str *rest, char sep, struct str *ret_part);

/* Whole-string decimal numbers; 0, -EINVAL for anything else, -ERANGE beyond the type. */
int str_i64(struct str s, int64_t *ret);
int str_u64(struct str s, uint64_t *ret);

bool z_starts(const char *z, const char *prefix);
bool z_ends(const char *z, const char *suffix);

/* 2 * n lower-case digits, then NUL. */
void hex_encode(const void *p, size_t n, char *ret);

/* SipHash-1-3 under a key that every process makes for itself: who chooses the texts cannot choose
 * that they collide. Different in each run. */
uint64_t hash_keyed(const void *p, size_t n);
/* FNV-1a; stable across runs and machines: for names that are written down. */
uint32_t hash_fnv32(const void *p, size_t n);
uint64_t hash_fnv64(const void *p, size_t n);

#endif
