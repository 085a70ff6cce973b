/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list: intrusive doubly linked list with a sentinel. The list owns nothing; one thread. */
#ifndef FG_BASE_LIST_H
#define FG_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct list {
    struct list *prev; /* borrowed until removed */
    struct list *next; /* borrowed until removed */
};

#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

static inline void list_init(struct list *l)
{
    l->prev = l;
    l->next = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

/* Zeroed or self-linked: in no list. */
static inline bool list_is_linked(const struct list *link)
{
    return link->next && link->next != link;
}

static inline void list_push_back(struct list *l, struct list *link)
{
    link->prev = l->prev;
    link->next = l;
    l->prev->next = link;
    l->prev = link;
}

static inline void list_push_front(struct list *l, struct list *link)
{
    link->next = l->next;
    link->prev = l;
    l->next->prev = link;
    l->next = link;
}

/* Harmless on a link that is in no list. */
static inline void list_remove(struct list *link)
{
    if (link->next) {
        link->prev->next = link->next;
        link->next->prev = link->prev;
    }
    link->prev = link;
    link->next = link;
}

/* First link, or NULL. */
static inline struct list *list_first(const struct list *l)
{
    return l->next == l ? NULL : l->next;
}

/* Removes and returns the first link, or NULL. */
static inline struct list *list_pop_front(struct list *l)
{
    struct list *link = list_first(l);

    if (link) {
        list_remove(link);
    }
    return link;
}

/* All of *from goes to the end of *to; *from becomes empty. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (from->next == from) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
