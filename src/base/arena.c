/* Blocks in a list, the newest first; one larger than a block gets a block to its size. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"

#define BLOCK 4096

struct arena_block {
    struct arena_block *next;
    size_t size;
    char data[] __attribute__((aligned(16)));
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_done(struct arena *a)
{
    while (a->head) {
        struct arena_block *b = a->head;
        a->head = b->next;
        free(b);
    }
    arena_init(a);
}

void arena_reset(struct arena *a)
{
    while (a->head && a->head->next) {
        struct arena_block *b = a->head;
        a->head = b->next;
        free(b);
    }
    if (a->head) {
        a->at = a->head->data;
        a->end = a->head->data + a->head->size;
    }
}

void *arena_alloc(struct arena *a, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    if ((size_t)(a->end - a->at) < n) {
        size_t size = n > BLOCK ? n : BLOCK;
        struct arena_block *b = xmalloc(sizeof(*b) + size);
        b->next = a->head;
        b->size = size;
        a->head = b;
        a->at = b->data;
        a->end = b->data + size;
    }
    void *p = a->at;
    a->at += n;
    memset(p, 0, n);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);

    if (n)
        memcpy(p, s, n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX / 2);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    return arena_strndup(a, b.p, b.n);
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_strndup(a, s.p, s.n), s.n};
}
