/*
 * Allocation and ownership helpers.
 *
 * Out of memory is fatal by decision: every x-function returns memory or ends the process with a
 * message. What must survive pressure is bounded at birth instead (see limits.h).
 *
 * Cleanup attributes: `_cleanup_(foo_freep) struct foo *f = NULL;` frees when the scope ends;
 * hand over with `return steal(&f)`.
 */
#ifndef NONAGON_BASE_MEM_H
#define NONAGON_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(fn)                   __attribute__((cleanup(fn)))
#define LIKELY(x)                       __builtin_expect(!!(x), 1)
#define UNLIKELY(x)                     __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Takes the pointer out of a variable and leaves NULL: the variable's cleanup then does nothing. */
#define steal(pp)                                                                                  \
    ({                                                                                             \
        __typeof__(pp) steal_pp_ = (pp);                                                           \
        __typeof__(*steal_pp_) steal_p_ = *steal_pp_;                                              \
        *steal_pp_ = NULL;                                                                         \
        steal_p_;                                                                                  \
    })

/* Defines `FUNCp(TYPE **)` for _cleanup_. */
#define DEFINE_CLEANUP(type, func)                                                                 \
    static inline void func##p(type *p)                                                            \
    {                                                                                              \
        if (*p)                                                                                    \
            func(*p);                                                                              \
    }

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull)); /* NULL gives "" */
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));

#define xnew(type) ((type *)xcalloc(1, sizeof(type)))

static inline void freep(void *p)
{
    free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

/* Closes and forgets a descriptor; -1 is accepted. */
void closep(int *fd);
#define _cleanup_close_ _cleanup_(closep)

#endif
