/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap: the least key first, whoever leaves from wherever. */
#include <criterion/criterion.h>

#include "base/heap.h"

#define NODES 2000u

static struct heap_node nodes[NODES];
static struct heap heap;
static uint64_t seed = 1;

static uint32_t random_below(uint32_t bound)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % bound;
}

/* What the heap must say, by looking at all. */
static struct heap_node *least(void)
{
    struct heap_node *found = NULL;

    for (uint32_t i = 0; i < NODES; i++) {
        if (heap_node_is_linked(&nodes[i]) && (!found || nodes[i].key < found->key)) {
            found = &nodes[i];
        }
    }
    return found;
}

Test(heap, in_order_of_keys)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < NODES; i++) {
        heap_push(&heap, &nodes[i], random_below(NODES / 2) + 1);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        struct heap_node *n = heap.first;

        cr_assert_not_null(n);
        cr_assert_geq(n->key, last);
        last = n->key;
        heap_remove(&heap, n);
        cr_assert(!heap_node_is_linked(n));
    }
    cr_expect(heap_is_empty(&heap));
}

Test(heap, they_come_and_go)
{
    for (uint32_t i = 0; i < 30000; i++) {
        struct heap_node *n = &nodes[random_below(NODES / 10)];

        if (!heap_node_is_linked(n)) {
            heap_push(&heap, n, (uint64_t)random_below(1000) << 32 | i);
        } else {
            heap_remove(&heap, n);
        }
        cr_assert_eq(heap.first, least());
        if (i % 3 == 0 && heap.first) {
            heap_remove(&heap, heap.first);
            cr_assert_eq(heap.first, least());
        }
    }
}
