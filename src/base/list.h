/* Intrusive circular doubly linked list. A node is in at most one list; an unlinked node points to
 * itself. */
#ifndef NONAGON_BASE_LIST_H
#define NONAGON_BASE_LIST_H

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
