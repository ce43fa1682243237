/*
 * Sets of code points as sorted ranges, built up by the parser: unions, case folding, complements.
 * Pure; out-of-range values do not occur (callers hold to 0 … U+10FFFF).
 */
#ifndef NONAGON_CLUSTER_APISERVER_PATTERN_CHARSET_H
#define NONAGON_CLUSTER_APISERVER_PATTERN_CHARSET_H

#include "base/str.h"
#include "base/vec.h"

#define CHARSET_LAST 0x10ffffu

struct char_range {
    uint32_t lo, hi; /* both belong to it */
};
struct charset {
    VEC(struct char_range) v;
};

static inline void charset_done(struct charset *s)
{
    vec_done(&s->v);
}
#define _cleanup_charset_ _cleanup_(charset_done)

void charset_add(struct charset *s, uint32_t lo, uint32_t hi);
void charset_add_set(struct charset *s, const struct charset *other);
/* Sorts and joins; the calls below leave a set in this state. */
void charset_tidy(struct charset *s);
void charset_negate(struct charset *s);
/* Adds the other cases of every member. */
void charset_fold(struct charset *s);
bool charset_has(const struct char_range *v, size_t n, uint32_t c);

/* 'd', 's' or 'w'. */
void charset_add_perl(struct charset *s, char name);
/* The inside of [: :]; false if there is no such class. */
bool charset_add_posix(struct charset *s, struct str name);
/* A general category: "L", "Lu", …, "Any"; false if there is none of this name. */
bool charset_add_category(struct charset *s, struct str name);

#endif
