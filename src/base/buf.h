/*
 * A growing byte buffer with its maximum given at birth. The content is always followed by a NUL
 * that is not counted. Appending beyond the maximum fails with -E2BIG and changes nothing.
 */
#ifndef NONAGON_BASE_BUF_H
#define NONAGON_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
};

#define BUF_INIT(limit) ((struct buf){.max = (limit)})

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* frees; the buffer can be used again */
void buf_clear(struct buf *b); /* keeps the memory */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_addz(struct buf *b, const char *z);
int buf_addc(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap);
/* Room for n more bytes at b->p + b->n; the caller adds to b->n what it wrote. */
int buf_reserve(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n); /* drops n bytes from the front */
/* Hands the memory over as a terminated string (never NULL); the buffer is empty afterwards. */
char *buf_steal(struct buf *b, size_t *ret_n);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p ? b->p : "", b->n};
}
static inline const char *buf_z(const struct buf *b)
{
    return b->p ? b->p : "";
}
static inline void buf_donep(struct buf *b)
{
    buf_done(b);
}
#define _cleanup_buf_ _cleanup_(buf_donep)

#endif
