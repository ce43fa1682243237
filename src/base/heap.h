/* Intrusive-index binary min-heap of pointers ordered by a 64-bit key (usually a deadline in ns).
 */
#ifndef NONAGON_BASE_HEAP_H
#define NONAGON_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_NONE SIZE_MAX

struct heap_node {
    int64_t key;
    size_t at; /* position, or HEAP_NONE while not in a heap */
};

struct heap {
    struct heap_node **p;
    size_t n, cap;
};

void heap_done(struct heap *h);
void heap_push(struct heap *h, struct heap_node *n); /* n->key set by the caller */
void heap_remove(struct heap *h, struct heap_node *n);
struct heap_node *heap_peek(const struct heap *h); /* smallest key or NULL */
struct heap_node *heap_pop(struct heap *h);

#endif
