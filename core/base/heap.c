/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap: an intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986). */
#include "base/heap.h"

#include "base/check.h"

/* Neither has neighbours. */
static struct heap_node *merge(struct heap_node *a, struct heap_node *b)
{
    struct heap_node *above = a->key <= b->key ? a : b;
    struct heap_node *below = above == a ? b : a;

    below->next = above->child;
    below->prev = above;
    if (above->child) {
        above->child->prev = below;
    }
    above->child = below;
    return above;
}

/* Neighbours in pairs, then the pairs from the last to the first. */
static struct heap_node *merge_all(struct heap_node *n)
{
    struct heap_node *pairs = NULL;
    struct heap_node *all = NULL;

    while (n) {
        struct heap_node *second = n->next;
        struct heap_node *rest = second ? second->next : NULL;
        struct heap_node *pair = n;

        n->next = NULL;
        if (second) {
            second->next = NULL;
            pair = merge(n, second);
        }
        pair->next = pairs;
        pairs = pair;
        n = rest;
    }
    while (pairs) {
        struct heap_node *next = pairs->next;

        pairs->next = NULL;
        all = all ? merge(all, pairs) : pairs;
        pairs = next;
    }
    return all;
}

static void set_first(struct heap *h, struct heap_node *n)
{
    h->first = n;
    if (n) {
        n->prev = n;
        n->next = NULL;
    }
}

void heap_push(struct heap *h, struct heap_node *n, uint64_t key)
{
    ASSERT(!heap_node_is_linked(n));
    *n = (struct heap_node){.key = key};
    set_first(h, h->first ? merge(h->first, n) : n);
}

static void cut(struct heap_node *n)
{
    if (n->prev->child == n) {
        n->prev->child = n->next;
    } else {
        n->prev->next = n->next;
    }
    if (n->next) {
        n->next->prev = n->prev;
    }
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *below = merge_all(n->child);

    ASSERT(heap_node_is_linked(n) && h->first);
    if (h->first == n) {
        set_first(h, below);
    } else {
        cut(n);
        if (below) {
            set_first(h, merge(h->first, below));
        }
    }
    *n = (struct heap_node){0};
}
