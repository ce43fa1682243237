/* Every node knows its place, so removing one needs no search. */
#include "base/heap.h"

#include "base/mem.h"

void heap_done(struct heap *h)
{
    free(h->p);
    *h = (struct heap){0};
}

static void put(struct heap *h, size_t at, struct heap_node *n)
{
    h->p[at] = n;
    n->at = at;
}

static void sift_up(struct heap *h, size_t at)
{
    struct heap_node *n = h->p[at];

    while (at > 0 && h->p[(at - 1) / 2]->key > n->key) {
        put(h, at, h->p[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(h, at, n);
}

static void sift_down(struct heap *h, size_t at)
{
    struct heap_node *n = h->p[at];

    for (;;) {
        size_t kid = at * 2 + 1;
        if (kid >= h->n)
            break;
        if (kid + 1 < h->n && h->p[kid + 1]->key < h->p[kid]->key)
            kid++;
        if (h->p[kid]->key >= n->key)
            break;
        put(h, at, h->p[kid]);
        at = kid;
    }
    put(h, at, n);
}

void heap_push(struct heap *h, struct heap_node *n)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->p = xrealloc(h->p, h->cap * sizeof(*h->p));
    }
    put(h, h->n++, n);
    sift_up(h, n->at);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    size_t at = n->at;

    if (at == HEAP_NONE || at >= h->n || h->p[at] != n)
        return;
    struct heap_node *last = h->p[--h->n];
    n->at = HEAP_NONE;
    if (last == n)
        return;
    put(h, at, last);
    sift_up(h, at);
    sift_down(h, last->at);
}

struct heap_node *heap_peek(const struct heap *h)
{
    return h->n ? h->p[0] : NULL;
}

struct heap_node *heap_pop(struct heap *h)
{
    struct heap_node *n = heap_peek(h);

    if (n)
        heap_remove(h, n);
    return n;
}
