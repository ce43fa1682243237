/*
 * Intrusive circular doubly linked list. A node is in at most one list; an unlinked node points to
 * itself, or is zeroed memory that was never linked. Both are asserted, and that neighbours agree.
 */
#ifndef NONAGON_BASE_LIST_H
#define NONAGON_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>

#include "base/mem.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert_(struct list *n, struct list *prev, struct list *next)
{
    assert(!n->next || n->next == n);
    assert(prev->next == next && next->prev == prev);
    n->prev = prev;
    n->next = next;
    prev->next = next->prev = n;
}
static inline void list_push_back(struct list *head, struct list *n)
{
    list_insert_(n, head->prev, head);
}
static inline void list_push_front(struct list *head, struct list *n)
{
    list_insert_(n, head, head->next);
}
static inline void list_del(struct list *n)
{
    assert(n->prev->next == n && n->next->prev == n);
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
#define list_entry(node, type, member) container_of(node, type, member)
#define list_for_each(it, head)        for (struct list *it = (head)->next; it != (head); it = it->next)
/* Safe against removing the current node. */
#define list_for_each_safe(it, head)                                                               \
    for (struct list *it = (head)->next, *it##_n = it->next; it != (head);                         \
         it = it##_n, it##_n = it->next)

#endif
