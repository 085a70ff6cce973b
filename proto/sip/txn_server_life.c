/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server_life: a server transaction from its request on: 100, the final response, timer H, its
 * connection, its end. */
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "sip/txn_server_int.h"

static void leave_link(struct sip_server *s)
{
    list_remove(&s->link_node);
    s->link = NULL;
}

/* The edges of 17.2.1 and 17.2.2 between states that last; all others end the object. */
static void set_state(struct sip_server *s, enum sip_server_state state)
{
    ASSERT(s->state < state);
    if (state == SIP_SERVER_COMPLETED) {
        ASSERT(s->method == SIP_METHOD_INVITE);
    }
    s->state = state;
}

void sip_server_discard(struct sip_server *s)
{
    struct sip_txns *t = s->table;

    sip_index_remove(&t->server_by_key, &s->node);
    wheel_disarm(t->wheel, &s->timer);
    leave_link(s);
    sip_slots_give(&t->servers, s->ref);
    t->stats.server_now--;
    pool_free(s);
}

/* A whole response or nothing: a buffer at its bound keeps its earlier, complete messages. */
static int write_final(struct sip_server *s, const struct sip_answer *a)
{
    const struct sip_txn_ops *ops = s->table->ops;
    struct buf *out = s->link ? ops->out(s->link) : NULL;
    size_t before;

    if (!out) {
        return ERR_CLOSED;
    }
    before = buf_len(out);
    sip_write_status_line(out, a->status, a->reason);
    buf_append(out, s->stem, s->stem_len);
    buf_put(out, a->fields);
    sip_write_end(out, a->content_type, a->body);
    if (out->failed) {
        buf_truncate(out, before);
        out->failed = true;
        return ERR_LIMIT;
    }
    ops->flush(s->link);
    return 0;
}

static void on_timer_h(struct wheel_timer *timer, void *ctx)
{
    struct sip_server *s = CONTAINER_OF(timer, struct sip_server, timer);
    const struct sip_txn_ops *ops = s->table->ops;
    struct sip_txn_ref ref = s->ref;

    (void)ctx;
    s->table->stats.no_ack++;
    sip_server_discard(s);
    ops->server_ended(ref, NULL, SIP_SERVER_END_NO_ACK);
}

int sip_server_finish(struct sip_server *s, const struct sip_answer *a, uint64_t now_ms)
{
    struct sip_txns *t = s->table;
    int err = write_final(s, a);

    if (err) {
        t->stats.server_link_lost++;
    } else {
        t->stats.server_answered++;
    }
    /* Only what was taken must not be taken twice; a refused request may be tried again. */
    if (s->is_merge_kept && a->status >= 300) {
        sip_merge_forget(&t->merge, s->merge_key);
    }
    s->owner = NULL;
    if (err || s->method != SIP_METHOD_INVITE || a->status < 300) {
        sip_server_discard(s);
        return err;
    }
    set_state(s, SIP_SERVER_COMPLETED);
    wheel_arm(t->wheel, &s->timer, now_ms + SIP_TIMER_H_MS, on_timer_h, NULL);
    return 0;
}

static void send_trying(struct sip_server *s)
{
    const struct sip_txn_ops *ops = s->table->ops;
    struct buf *out = s->link ? ops->out(s->link) : NULL;
    size_t before;

    if (s->state != SIP_SERVER_TRYING || !out) {
        return;
    }
    before = buf_len(out);
    sip_write_status_line(out, 100, SLICE_NONE);
    buf_append(out, s->stem, s->stem_len + s->timestamp_len);
    sip_write_end_empty(out);
    if (out->failed) {
        buf_truncate(out, before);
        out->failed = true;
        return;
    }
    set_state(s, SIP_SERVER_PROCEEDING);
    s->table->stats.trying_sent++;
    ops->flush(s->link);
}

static void on_patience_end(struct wheel_timer *timer, void *ctx)
{
    struct sip_server *s = CONTAINER_OF(timer, struct sip_server, timer);
    const struct sip_txn_ops *ops = s->table->ops;
    struct sip_txn_ref ref = s->ref;
    void *owner = s->owner;

    (void)ctx;
    s->table->stats.server_unanswered++;
    (void)sip_server_finish(s, &(struct sip_answer){.status = 504}, s->answer_by_ms);
    ops->server_ended(ref, owner, SIP_SERVER_END_UNANSWERED);
}

void sip_server_on_trying(struct wheel_timer *timer, void *ctx)
{
    struct sip_server *s = CONTAINER_OF(timer, struct sip_server, timer);

    (void)ctx;
    send_trying(s);
    wheel_arm(s->table->wheel, &s->timer, s->answer_by_ms, on_patience_end, NULL);
}

static struct sip_server *find_open(const struct sip_txns *t, struct sip_txn_ref ref)
{
    struct sip_server *s = sip_slots_get(&t->servers, ref);

    return s && s->state != SIP_SERVER_COMPLETED ? s : NULL;
}

bool sip_server_is_open(const struct sip_txns *t, struct sip_txn_ref ref)
{
    return find_open(t, ref) != NULL;
}

void sip_server_set_owner(struct sip_txns *t, struct sip_txn_ref ref, void *owner)
{
    struct sip_server *s = find_open(t, ref);

    if (s) {
        s->owner = owner;
    }
}

struct slice sip_server_to_tag(const struct sip_txns *t, struct sip_txn_ref ref)
{
    const struct sip_server *s = find_open(t, ref);

    return s ? sip_id_slice(&s->to_tag) : SLICE_NONE;
}

int sip_server_respond(struct sip_txns *t, struct sip_txn_ref ref, const struct sip_answer *answer,
                       uint64_t now_ms)
{
    struct sip_server *s = find_open(t, ref);

    if (!s) {
        return ERR_STALE;
    }
    if (answer->status < 200 || answer->status > 699 ||
        (answer->status == 408 && s->method != SIP_METHOD_INVITE)) {
        return ERR_STATE;
    }
    return sip_server_finish(s, answer, now_ms);
}

void sip_server_trying(struct sip_txns *t, struct sip_txn_ref ref)
{
    struct sip_server *s = find_open(t, ref);

    if (s) {
        send_trying(s);
    }
}

struct sip_link *sip_server_link(const struct sip_txns *t, struct sip_txn_ref ref)
{
    const struct sip_server *s = find_open(t, ref);

    return s ? s->link : NULL;
}

bool sip_server_has_link(const struct sip_txns *t, struct sip_txn_ref ref)
{
    return sip_server_link(t, ref) != NULL;
}

int sip_server_set_link(struct sip_txns *t, struct sip_txn_ref ref, struct sip_link *link)
{
    struct sip_server *s = find_open(t, ref);

    if (!s) {
        return ERR_STALE;
    }
    if (!link->is_up || link->txns != t) {
        return ERR_CLOSED;
    }
    leave_link(s);
    s->link = link;
    list_push_back(&link->servers, &s->link_node);
    return 0;
}

void sip_servers_link_down(struct sip_link *link)
{
    struct list *node;

    while ((node = list_first(&link->servers))) {
        leave_link(LIST_ENTRY(node, struct sip_server, link_node));
    }
}

void sip_servers_free_all(struct sip_txns *t)
{
    for (uint32_t i = 0; i < t->servers.slot_count; i++) {
        if (t->servers.slots[i].txn) {
            sip_server_discard(t->servers.slots[i].txn);
        }
    }
}
