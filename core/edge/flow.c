/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flow: closed gates and who waits there. */
#include "edge/flow.h"

#include "base/check.h"
#include "base/pool.h"

struct flow_gate {
    struct list waiters; /* struct flow_waiter.link, borrowed */
    uint64_t renewed_ms;
    size_t key_len;
    char key[];
};

void flow_init(struct flow *f)
{
    *f = (struct flow){0};
}

void flow_deinit(struct flow *f)
{
    size_t cursor = 0;
    struct flow_gate *gate;

    while ((gate = map_next(&f->gates, &cursor))) {
        while (list_pop_front(&gate->waiters)) {
        }
        pool_heap_free(gate);
    }
    map_deinit(&f->gates);
}

bool flow_is_closed(const struct flow *f, struct slice key)
{
    return f->gates.count != 0 && map_get(&f->gates, key) != NULL;
}

void flow_wait(struct flow *f, struct slice key, struct flow_waiter *w,
               void (*room)(struct flow_waiter *w, void *ctx), void *ctx)
{
    struct flow_gate *gate = map_get(&f->gates, key);

    ASSERT(gate && !list_is_linked(&w->link));
    w->room = room;
    w->ctx = ctx;
    list_push_back(&gate->waiters, &w->link);
}

void flow_wait_cancel(struct flow_waiter *w)
{
    if (list_is_linked(&w->link)) {
        list_remove(&w->link);
    }
}

static void close_gate(struct flow *f, struct slice key, uint64_t now_ms)
{
    struct flow_gate *gate = map_get(&f->gates, key);

    if (gate) {
        gate->renewed_ms = now_ms;
        return;
    }
    gate = pool_heap_zalloc(sizeof(*gate) + key.len);
    list_init(&gate->waiters);
    gate->renewed_ms = now_ms;
    gate->key_len = key.len;
    memcpy(gate->key, key.ptr, key.len);
    (void)map_add(&f->gates, slice_make(gate->key, key.len), gate);
}

void flow_expire(struct flow *f, uint64_t now_ms)
{
    char key[FLOW_KEY_BYTES_MAX];
    size_t cursor = 0;
    struct flow_gate *gate;

    while ((gate = map_next(&f->gates, &cursor))) {
        if (now_ms - gate->renewed_ms > FLOW_LEASE_MS) {
            size_t len = gate->key_len;

            memcpy(key, gate->key, len); /* the gate goes away inside */
            flow_set(f, slice_make(key, len), false, now_ms);
            cursor = 0; /* the map changed */
        }
    }
}

void flow_set(struct flow *f, struct slice key, bool is_closed, uint64_t now_ms)
{
    struct flow_gate *gate;
    struct list woken;
    struct list *link;

    ASSERT(key.len <= FLOW_KEY_BYTES_MAX);
    if (is_closed) {
        close_gate(f, key, now_ms);
        return;
    }
    gate = map_remove(&f->gates, key);
    if (!gate) {
        return;
    }
    /* A woken reader may close the gate again at once: that is a new gate with its own list. */
    list_init(&woken);
    list_splice(&woken, &gate->waiters);
    pool_heap_free(gate);
    while ((link = list_pop_front(&woken))) {
        struct flow_waiter *w = LIST_ENTRY(link, struct flow_waiter, link);

        w->room(w, w->ctx);
    }
}
