/* Bump allocator: everything from one arena is freed together. One owner, not thread-safe. */
#ifndef NONAGON_BASE_ARENA_H
#define NONAGON_BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct arena {
    struct arena_block *head;
    char *at, *end;
};

void arena_init(struct arena *a);
void arena_done(struct arena *a);
void arena_reset(struct arena *a);            /* frees all but the first block */
void *arena_alloc(struct arena *a, size_t n); /* aligned to 16, zeroed */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str arena_str(struct arena *a, struct str s);

#endif
