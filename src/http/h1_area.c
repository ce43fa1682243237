/* Areas: the memory of heads, and pools of it. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "http/h1_impl.h"

#define MEM_START    1024
#define FIELDS_START 32
#define KEEP_MEM     (8 * 1024)
#define KEEP_FIELDS  128
#define POOL_MAX     64

struct h1_pool {
    struct h1_area *free;
    unsigned n;
};

struct h1_pool *h1_pool_new(void)
{
    return xnew(struct h1_pool);
}

static void area_free(struct h1_area *a)
{
    free(a->mem);
    free(a->fields);
    free(a);
}

void h1_pool_free(struct h1_pool *pool)
{
    if (!pool)
        return;
    while (pool->free) {
        struct h1_area *a = pool->free;
        pool->free = a->next;
        area_free(a);
    }
    free(pool);
}

static void area_clear(struct h1_area *a)
{
    a->mem_n = a->n = 0;
    a->method = a->target = a->reason = (struct span){0, 0};
}

struct h1_area *h1_area_take(struct h1_pool *pool, bool bare)
{
    struct h1_area *a = pool ? pool->free : NULL;

    if (a) {
        pool->free = a->next;
        pool->n--;
        area_clear(a);
        return a;
    }
    a = xcalloc(1, bare ? offsetof(struct h1_area, head.headers) : sizeof(*a));
    a->bare = bare;
    return a;
}

void h1_area_give(struct h1_pool *pool, struct h1_area *a)
{
    if (!a)
        return;
    if (!pool || pool->n >= POOL_MAX || a->mem_cap > KEEP_MEM || a->cap > KEEP_FIELDS) {
        area_free(a);
        return;
    }
    a->next = pool->free;
    pool->free = a;
    pool->n++;
}

size_t h1_area_bytes(const struct h1_area *a)
{
    return (a->bare ? offsetof(struct h1_area, head.headers) : sizeof(*a)) + a->mem_cap +
           a->cap * sizeof(*a->fields);
}

static void grow_mem(struct h1_area *a, size_t need)
{
    size_t cap = a->mem_cap ? a->mem_cap : MEM_START;

    while (cap < need)
        cap *= 2;
    a->mem = xrealloc(a->mem, cap);
    a->mem_cap = (unsigned)cap;
}

int h1_area_keep(struct h1_area *a, struct span *s, const char *at, size_t n, size_t max)
{
    if (a->mem_n + n > max)
        return -E2BIG;
    if (a->mem_n + n > a->mem_cap)
        grow_mem(a, a->mem_n + n);
    if (s->n == 0)
        s->at = a->mem_n;
    if (n)
        memcpy(a->mem + a->mem_n, at, n);
    a->mem_n += (unsigned)n;
    s->n += (unsigned)n;
    return 0;
}

static void grow_fields(struct h1_area *a)
{
    a->cap = a->cap ? a->cap * 2 : FIELDS_START;
    a->fields = xrealloc(a->fields, a->cap * sizeof(*a->fields));
}

bool h1_area_field(struct h1_area *a, size_t max)
{
    if (a->n >= max)
        return false;
    if (a->n == a->cap)
        grow_fields(a);
    a->fields[a->n++] = (struct http_header){STR_NULL, STR_NULL};
    return true;
}

void h1_area_complete(struct h1_area *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        struct http_header *h = &a->fields[i];
        h->name.p = a->mem + (uintptr_t)h->name.p;
        h->value.p = a->mem + (uintptr_t)h->value.p;
        h->value = str_trim(h->value);
    }
}

struct str h1_area_slice(const struct h1_area *a, struct span s)
{
    return (struct str){s.n ? a->mem + s.at : "", s.n};
}
