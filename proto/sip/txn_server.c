/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server: server transactions (RFC 3261 17.2, 9.2, 8.2.2.2; RFC 4320) on reliable transports:
 * nothing is retransmitted, a final response ends a non-INVITE transaction at once (timer J = 0),
 * and an INVITE one when its ACK has come (timer I = 0) or timer H says that none will. Here:
 * requests as they come; after that: txn_server_life.c. */
#include "base/check.h"
#include "base/pool.h"
#include "sip/txn_server_int.h"

static bool has_key(const struct sip_node *node, const void *what)
{
    const struct sip_server *s = (const struct sip_server *)(const void *)node;

    return memcmp(s->key, what, sizeof(s->key)) == 0;
}

static struct sip_server *find_by_key(const struct sip_txns *t, const uint64_t key[2])
{
    struct sip_node *node = sip_index_find(&t->server_by_key, key[0], has_key, key);

    return node ? CONTAINER_OF(node, struct sip_server, node) : NULL;
}

/* A response without a transaction behind it (RFC 3261 8.2.7). */
static void answer_stateless(struct sip_txns *t, struct sip_link *link, const struct sip_msg *m,
                             const struct sip_check_policy *policy,
                             const struct sip_verdict *verdict, struct slice to_tag)
{
    struct sip_id tag = sip_ids_tag_of(t->ids, sip_msg_value(m, SIP_HDR_VIA));
    struct buf *out = link->is_up ? t->ops->out(link) : NULL;
    size_t before;

    if (!out) {
        t->stats.server_link_lost++;
        return;
    }
    before = buf_len(out);
    sip_write_response(out, m,
                       &(struct sip_response_params){
                           .status = verdict->status,
                           .to_tag = to_tag.len > 0 ? to_tag : sip_id_slice(&tag),
                           .received = link->peer_host,
                           .rport = link->peer_port,
                       });
    if (policy) {
        sip_verdict_put(out, m, policy, verdict);
    }
    if (verdict->status == 503) {
        sip_write_header_u32(out, SIP_HDR_RETRY_AFTER, SIP_OVERLOAD_RETRY_S);
    }
    sip_write_end_empty(out);
    if (out->failed) {
        buf_truncate(out, before);
        out->failed = true;
        t->stats.server_link_lost++;
        return;
    }
    t->ops->flush(link);
}

static struct sip_server_result refused(struct sip_txns *t, struct sip_link *link,
                                        const struct sip_msg *m,
                                        const struct sip_check_policy *policy,
                                        const struct sip_verdict *verdict)
{
    struct sip_server_result result = {.status = verdict->status, .why = verdict->why};

    if (verdict->status == 0 || !sip_msg_can_answer(m)) {
        t->stats.server_dropped++;
        result.in = SIP_SERVER_DROPPED;
        return result;
    }
    t->stats.server_refused++;
    answer_stateless(t, link, m, policy, verdict, SLICE_NONE);
    result.in = SIP_SERVER_REFUSED;
    return result;
}

static struct sip_server_result absorbed(const char *why)
{
    return (struct sip_server_result){.in = SIP_SERVER_ABSORBED, .why = why};
}

/* The ACK of a refused INVITE; any other is not for this layer. */
static struct sip_server_result take_ack(struct sip_txns *t, struct sip_server *s)
{
    if (s && s->method == SIP_METHOD_INVITE && s->state == SIP_SERVER_COMPLETED) {
        t->stats.ack_matched++;
        sip_server_discard(s);
        return absorbed("ACK of a refused INVITE");
    }
    t->stats.ack_stray++;
    return absorbed("stray ACK");
}

/* RFC 3261 9.2. The CANCEL itself is answered without state: nothing repeats it here. */
static struct sip_server_result take_cancel(struct sip_txns *t, struct sip_link *link,
                                            const struct sip_msg *m, struct sip_server *s,
                                            uint64_t now_ms)
{
    struct sip_verdict verdict = {.status = 200, .why = ""};
    struct sip_txn_ref ref;
    void *owner;

    if (!s) {
        verdict.status = 481;
        t->stats.cancel_stray++;
        answer_stateless(t, link, m, NULL, &verdict, SLICE_NONE);
        return absorbed("CANCEL of nothing");
    }
    t->stats.cancel_matched++;
    answer_stateless(t, link, m, NULL, &verdict, sip_id_slice(&s->to_tag));
    if (s->method != SIP_METHOD_INVITE || s->state == SIP_SERVER_COMPLETED) {
        return absorbed("CANCEL without effect");
    }
    ref = s->ref;
    owner = s->owner;
    (void)sip_server_finish(s, &(struct sip_answer){.status = 487}, now_ms);
    t->ops->server_ended(ref, owner, SIP_SERVER_END_CANCELLED);
    return absorbed("CANCEL of an INVITE");
}

/* Copies into the scratch buffer what a response will need once the request has gone. */
static void make_stem(struct sip_txns *t, struct sip_link *link, const struct sip_msg *m)
{
    t->stem_tag = sip_ids_tag(t->ids);
    buf_clear(&t->scratch);
    sip_write_response_stem(&t->scratch, m,
                            &(struct sip_response_params){
                                .keys = &t->keys,
                                .to_tag = sip_id_slice(&t->stem_tag),
                                .received = link->peer_host,
                                .rport = link->peer_port,
                            });
    t->stem_len = (uint32_t)buf_len(&t->scratch);
    if (sip_msg_has(m, SIP_HDR_TIMESTAMP)) {
        sip_write_header(&t->scratch, SIP_HDR_TIMESTAMP, sip_msg_value(m, SIP_HDR_TIMESTAMP));
    }
}

static struct sip_server *new_server(struct sip_txns *t, struct sip_link *link,
                                     const struct sip_msg *m, const uint64_t key[2],
                                     uint64_t now_ms)
{
    bool is_invite = m->method == SIP_METHOD_INVITE;
    uint32_t all_len = (uint32_t)buf_len(&t->scratch);
    struct sip_server *s = t->scratch.failed ? NULL : pool_alloc(sizeof(*s) + all_len);

    if (!s) {
        return NULL;
    }
    *s = (struct sip_server){
        .key = {key[0], key[1]},
        .table = t,
        .link = link,
        .method = m->method,
        .to_tag = t->stem_tag,
        .answer_by_ms = now_ms + (is_invite ? SIP_ANSWER_INVITE_MS : SIP_ANSWER_MS),
        .stem_len = t->stem_len,
        .timestamp_len = all_len - t->stem_len,
    };
    memcpy(s->stem, buf_slice(&t->scratch).ptr, all_len);
    if (!sip_slots_take(&t->servers, s, &s->ref)) {
        pool_free(s);
        return NULL;
    }
    sip_index_add(&t->server_by_key, &s->node, s->key[0]);
    list_push_back(&link->servers, &s->link_node);
    wheel_arm(t->wheel, &s->timer, now_ms + (is_invite ? SIP_TRYING_INVITE_MS : SIP_TRYING_MS),
              sip_server_on_trying, NULL);
    t->stats.server_now++;
    return s;
}

/* A new request that passed the checks. */
static struct sip_server_result take_new(struct sip_txns *t, struct sip_link *link,
                                         const struct sip_msg *m, const uint64_t key[2],
                                         uint64_t now_ms)
{
    const struct sip_verdict merged = {482, "merged: the request came before, another way"};
    const struct sip_verdict overload = {503, "too many transactions"};
    bool is_merge_kept = t->keys.to.tag.len == 0;
    struct sip_server *s;

    make_stem(t, link, m);
    if (is_merge_kept && !sip_merge_add(&t->merge, t->merge_key, now_ms)) {
        t->stats.server_merged++;
        return refused(t, link, m, NULL, &merged);
    }
    s = new_server(t, link, m, key, now_ms);
    if (!s) {
        if (is_merge_kept) {
            sip_merge_forget(&t->merge, t->merge_key);
        }
        t->stats.server_overload++;
        return refused(t, link, m, NULL, &overload);
    }
    t->stats.merge_now = t->merge.count;
    s->merge_key = t->merge_key;
    s->is_merge_kept = is_merge_kept;
    t->stats.server_new++;
    return (struct sip_server_result){
        .in = SIP_SERVER_NEW, .ref = s->ref, .keys = &t->keys, .why = ""};
}

struct sip_server_result sip_server_receive(struct sip_txns *t, struct sip_link *link,
                                            const struct sip_msg *request,
                                            const struct sip_check_policy *policy, uint64_t now_ms)
{
    struct sip_verdict verdict;
    struct sip_server *s;
    uint64_t key[2];

    ASSERT(t->magic == SIP_TXNS_MAGIC);
    ASSERT(link->txns == t);
    if (!sip_check_request_keys(request, policy, &t->keys, &verdict)) {
        return refused(t, link, request, policy, &verdict);
    }
    sip_txn_key(t->ids, request, &t->keys, key);
    /* What both tables will be asked for is on its way from memory while other things are done. */
    sip_index_prefetch(&t->server_by_key, key[0]);
    t->merge_key = sip_txn_merge_key(t->ids, &t->keys);
    sip_merge_prefetch(&t->merge, t->merge_key);
    s = find_by_key(t, key);
    if (request->method == SIP_METHOD_ACK) {
        return take_ack(t, s);
    }
    if (request->method == SIP_METHOD_CANCEL) {
        return take_cancel(t, link, request, s, now_ms);
    }
    if (!link->is_up) {
        t->stats.server_dropped++;
        return (struct sip_server_result){.in = SIP_SERVER_DROPPED, .why = "connection is closed"};
    }
    if (s && s->method == request->method) {
        t->stats.server_repeated++;
        return absorbed("repeated request");
    }
    if (s) {
        verdict = (struct sip_verdict){400, "branch in use by another method"};
        return refused(t, link, request, NULL, &verdict);
    }
    return take_new(t, link, request, key, now_ms);
}

void sip_server_answer_bad(struct sip_txns *t, struct sip_link *link, const struct sip_msg *m,
                           const struct sip_bad *bad)
{
    struct sip_verdict verdict = {bad->status, bad->why};

    (void)refused(t, link, m, NULL, &verdict);
}
