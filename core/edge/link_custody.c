/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_custody: writing stanzas to the stream and keeping them until the partner has confirmed
 * them: by XEP-0198 where it can, else by a XEP-0199 ping sent behind them (its answer, even an
 * error, shows that what stood before it was processed, RFC 6120 10.1). */
#include "base/check.h"
#include "edge/again.h"
#include "edge/link_int.h"
#include "edge/route.h"
#include "edge/sip_side.h"
#include "xmpp/stanza.h"

#define PING_TIMEOUT_MS 30000u
/* The answer to a ping comes behind all that the partner has sent before it. Where each of that is
 * answered from inside, and we read the partner no faster than its answers go out, custody must
 * hold what lies in the buffers between, both kernels' and a component's, or all wait for each
 * other: so many times queue_bytes_max. */
#define PING_CUSTODY_TIMES 8u
#define STATUS_ACCEPTED 202u

static void count_written(struct link *l, uint32_t count, uint64_t bytes)
{
    struct edge *e = l->host.e;
    struct way *w = way_of(e, link_local(l), link_remote(l));
    struct partner_run *run = way_run(e, w, link_remote(l));

    e->stats.stanzas_out_partner += count;
    if (run) {
        run->stats.stanzas[PARTNER_OUT] += count;
        run->stats.bytes[PARTNER_OUT] += bytes;
    }
}

/* A ping behind the last stanza; the next one when this is answered. */
static void write_ping(struct link *l)
{
    struct edge *e = l->host.e;
    char id_mem[64];
    struct slice id;

    edge_setup(e)->crypto->random(&l->ping_number, sizeof(l->ping_number));
    l->ping_number |= 1; /* not 0 */
    id = ping_id(l->ping_number, id_mem);
    stanza_write_ping(conn_out(l->c), link_local(l), link_remote(l), id);
    l->ping_covers = l->written_count;
    l->ping_sent_ms = shard_now_ms(e->sh);
    stream_sent(l->s, shard_now_ms(e->sh), 1);
}

static void on_ask_late(struct wheel_timer *t, void *ctx)
{
    struct link *l = ctx;

    (void)t;
    ASSERT(l->magic == LINK_MAGIC);
    link_mark_dirty(l);
}

void link_ask(struct link *l, bool is_last)
{
    struct edge *e = l->host.e;
    uint64_t now = shard_now_ms(e->sh);
    uint32_t bytes_max = edge_policy(e)->limits.queue_bytes_max;
    bool is_due = ask_is_due(&l->ask, bytes_max / 2, now) || (is_last && l->ask.count != 0);

    /* The answer to a ping that is out leads here again. */
    if (l->confirm == LINK_CONFIRM_NONE || l->ping_number != 0 || l->written.count == 0) {
        return;
    }
    if (!is_due) {
        if (l->ask.count != 0 && !wheel_timer_is_armed(&l->ask_timer)) {
            shard_timer_arm(e->sh, &l->ask_timer, ASK_LATE_MS, on_ask_late, l);
        }
        return;
    }
    if (l->confirm == LINK_CONFIRM_PING) {
        write_ping(l);
    } else {
        stream_ask(l->s, now);
    }
    ask_done(&l->ask, now);
    shard_timer_disarm(e->sh, &l->ask_timer);
}

static uint64_t custody_bytes_max(const struct link *l)
{
    uint64_t bytes_max = edge_policy(l->host.e)->limits.queue_bytes_max;

    return l->confirm == LINK_CONFIRM_PING ? PING_CUSTODY_TIMES * bytes_max : bytes_max;
}

void link_write_waiting(struct link *l)
{
    struct edge *e = l->host.e;
    uint64_t bytes_max = custody_bytes_max(l);
    uint32_t peer_max = stream_peer_bytes_max(l->s);
    uint32_t own_max = link_stanza_bytes_max(l);
    uint32_t count = 0;
    uint64_t bytes = 0;
    struct block *b;

    link_release_taken(l);
    while (!l->is_held && l->written.bytes < bytes_max && !conn_out_is_crowded(l->c) &&
           (b = block_queue_pop(&l->waiting))) {
        if (again_is_due(e, b->generation) && !again_block(e, &b)) {
            continue;
        }
        if ((peer_max != 0 && b->bytes_len > peer_max) ||
            b->bytes_len > own_max) { /* it waited for longer than the rule is */
            bounce_block(e, b, BOUNCE_SIZE, NULL);
            continue;
        }
        b->start_offset = conn_bytes_written(l->c);
        b->number = ++l->written_count;
        buf_put(conn_out(l->c), block_bytes(b));
        bytes += b->bytes_len;
        ask_note(&l->ask, b->bytes_len, b->sip.handle != 0);
        block_queue_push(&l->written, b);
        count++;
    }
    if (count != 0) {
        count_written(l, count, bytes);
        l->used_ms = shard_now_ms(e->sh);
        stream_sent(l->s, shard_now_ms(e->sh), count);
    }
    link_ask(l, l->is_held || e->is_draining);
}

/* The stanza has arrived as far as anybody can tell. */
static void release(struct link *l, struct block *b)
{
    if (b->sip.handle != 0) {
        sip_outcome_send(l->host.e, b->sip, STATUS_ACCEPTED, 0);
    }
    block_free(b);
}

void link_confirmed(struct link *l, uint32_t count)
{
    struct block *b;

    while (count-- > 0 && (b = block_queue_pop(&l->written))) {
        l->host.e->stats.stanzas_acked++;
        release(l, b);
    }
    if (l->written.count == 0) {
        l->ask.count = 0; /* an answer may go beyond its question */
        l->ask.bytes = 0;
    }
    link_mark_dirty(l); /* custody has room again */
}

void link_release_taken(struct link *l)
{
    struct block *b;

    if (l->confirm != LINK_CONFIRM_NONE || !l->c) {
        return;
    }
    while ((b = block_queue_peek(&l->written)) &&
           b->start_offset + b->bytes_len <= conn_bytes_sent(l->c)) {
        (void)block_queue_pop(&l->written);
        l->host.e->stats.stanzas_unconfirmed++;
        release(l, b);
    }
}

void link_start_pings(struct link *l)
{
    const struct partner *p = snapshot_partner(edge_policy(l->host.e), link_remote(l));

    l->confirm = p && (p->acks == PARTNER_ACKS_AUTO || p->acks == PARTNER_ACKS_PING)
                     ? LINK_CONFIRM_PING
                     : LINK_CONFIRM_NONE;
    /* What was asked in vain is asked again, with all that stands in front of the ping. */
    l->ask = (struct ask){.count = l->written.count, .bytes = l->written.bytes};
    link_mark_dirty(l);
}

void link_ping_tick(struct link *l)
{
    if (l->confirm == LINK_CONFIRM_PING && l->ping_number != 0 &&
        shard_now_ms(l->host.e->sh) - l->ping_sent_ms > PING_TIMEOUT_MS) {
        /* It does not answer pings, or cannot reach us: nothing to gain by asking on. */
        LOG_W(stream_error, "dir=out remote=%s note=\"no answer to pings: deliveries unconfirmed\"",
              log_quote(link_remote(l)).text);
        l->confirm = LINK_CONFIRM_NONE;
        l->ping_number = 0;
        link_mark_dirty(l);
    }
    link_release_taken(l);
}

void link_confirm(struct edge *e, const struct mail_confirm *m)
{
    char mem[LINK_GATE_BYTES];
    struct slice key = link_gate(slice_make(m->data, m->local_len),
                                 slice_make(m->data + m->local_len, m->remote_len), mem);
    struct link *l = map_get(&e->links, key);
    struct block *b;

    if (!l || l->ping_number == 0 || l->ping_number != m->number) {
        return;
    }
    l->ping_number = 0;
    while ((b = block_queue_peek(&l->written)) && b->number <= l->ping_covers) {
        link_confirmed(l, 1);
    }
    link_mark_dirty(l);
}

void link_settle_custody(struct link *l)
{
    struct edge *e = l->host.e;
    uint64_t sent = l->c ? conn_bytes_sent(l->c) : 0;
    struct block_queue lost;
    struct block *b;

    /* From the newest: what the kernel never saw cannot have arrived and may be written again. */
    while ((b = block_queue_pop_back(&l->written))) {
        if (b->start_offset < sent) {
            block_queue_push(&l->written, b);
            break;
        }
        e->stats.stanzas_requeued++;
        block_queue_push_front(&l->waiting, b);
    }
    l->ping_number = 0;
    l->written_count = 0;
    l->ask = (struct ask){0};
    shard_timer_disarm(e->sh, &l->ask_timer);
    block_queue_init(&lost);
    while ((b = block_queue_pop(&l->written))) {
        block_queue_push(&lost, b);
    }
    if (l->confirm == LINK_CONFIRM_NONE) {
        while ((b = block_queue_pop(&lost))) {
            e->stats.stanzas_unconfirmed++;
            release(l, b);
        }
    } else {
        bounce_queue(e, &lost, BOUNCE_UNACKED, NULL);
    }
    l->confirm = LINK_CONFIRM_NONE;
}
