/* base/list.h: intrusive doubly linked list with a head node. Threads: the owner's. */
#ifndef WAYPOST_BASE_LIST_H
#define WAYPOST_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert_before(struct list *at, struct list *l)
{
    l->prev = at->prev;
    l->next = at;
    at->prev->next = l;
    at->prev = l;
}
static inline void list_push(struct list *head, struct list *l)
{
    list_insert_before(head, l);
}
static inline void list_push_front(struct list *head, struct list *l)
{
    list_insert_before(head->next, l);
}
/* Unlinks and leaves l pointing at itself, so that a second removal does no harm. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}
/* First element or NULL when empty. */
static inline struct list *list_first(struct list *head)
{
    return list_is_empty(head) ? NULL : head->next; /* NOLINT(clang-analyzer-unix.Malloc): no alias
                                                       analysis through links */
}
/* Safe against removal of `it` inside the body. */
#define LIST_FOR(it, head)                                                    \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); \
         it = it##_next, it##_next = it->next)

#endif
