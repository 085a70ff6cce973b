/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap: who has the least key goes first. An intrusive pairing heap: push and a look at the first
 * in constant time, a removal in logarithmic time over many. It allocates nothing and owns nothing;
 * one thread. Equal keys go in any order: put a number into their low bits where that matters. */
#ifndef FG_BASE_HEAP_H
#define FG_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct heap_node {
    struct heap_node *child; /* borrowed: the first of those below */
    struct heap_node *next;  /* borrowed: beside it, below the same one */
    struct heap_node *prev;  /* borrowed: beside it, or above; itself: at the top; NULL: in none */
    uint64_t key;
};

/* Zeroed: empty. */
struct heap {
    struct heap_node *first; /* borrowed */
};

#define HEAP_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

static inline bool heap_is_empty(const struct heap *h)
{
    return !h->first;
}

/* Zeroed nodes are in none. */
static inline bool heap_node_is_linked(const struct heap_node *n)
{
    return n->prev != NULL;
}

/* n is in no heap. */
void heap_push(struct heap *h, struct heap_node *n, uint64_t key);
/* n is in h. */
void heap_remove(struct heap *h, struct heap_node *n);

#endif
