/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block: stanzas in custody and their queues. */
#include "edge/block.h"

#include "base/check.h"
#include "base/pool.h"

struct block *block_new_room(const struct block_params *p, size_t bytes_max)
{
    struct block *b;
    char *at;

    ASSERT(p->local.len <= UINT16_MAX && p->remote.len <= UINT16_MAX);
    if (bytes_max > UINT32_MAX) {
        return NULL;
    }
    b = pool_alloc(sizeof(struct block) + p->local.len + p->remote.len + bytes_max);
    if (!b) {
        return NULL;
    }
    *b = (struct block){
        .direction = (uint8_t)p->direction,
        .kind = p->kind,
        .may_bounce = p->may_bounce,
        .is_of_presence = p->is_of_presence,
        .generation = p->generation,
        .local_len = (uint16_t)p->local.len,
        .remote_len = (uint16_t)p->remote.len,
        .sip = p->sip,
        .created_ms = p->now_ms,
    };
    at = mempcpy(b->data, p->local.ptr, p->local.len);
    memcpy(at, p->remote.ptr, p->remote.len);
    return b;
}

struct block *block_new(const struct block_params *p)
{
    struct block *b = block_new_room(p, p->bytes.len);

    if (b) {
        memcpy(block_room(b), p->bytes.ptr, p->bytes.len);
        b->bytes_len = (uint32_t)p->bytes.len;
    }
    return b;
}

void block_free(struct block *b)
{
    pool_free(b);
}

void block_queue_init(struct block_queue *q)
{
    list_init(&q->blocks);
    q->bytes = 0;
    q->count = 0;
}

void block_queue_push(struct block_queue *q, struct block *b)
{
    list_push_back(&q->blocks, &b->mail.link);
    q->bytes += b->bytes_len;
    q->count++;
}

void block_queue_push_front(struct block_queue *q, struct block *b)
{
    list_push_front(&q->blocks, &b->mail.link);
    q->bytes += b->bytes_len;
    q->count++;
}

static struct block *take(struct block_queue *q, struct list *link)
{
    struct block *b = LIST_ENTRY(link, struct block, mail.link);

    list_remove(link);
    ASSERT(q->count > 0 && q->bytes >= b->bytes_len);
    q->bytes -= b->bytes_len;
    q->count--;
    return b;
}

struct block *block_queue_pop(struct block_queue *q)
{
    return list_is_empty(&q->blocks) ? NULL : take(q, q->blocks.next);
}

struct block *block_queue_pop_back(struct block_queue *q)
{
    return list_is_empty(&q->blocks) ? NULL : take(q, q->blocks.prev);
}

struct block *block_queue_peek(const struct block_queue *q)
{
    return list_is_empty(&q->blocks) ? NULL
                                     : LIST_ENTRY(q->blocks.next, struct block, mail.link);
}
