/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_client: non-INVITE client transactions (RFC 3261 17.1.2). On a reliable transport the states
 * Trying and Proceeding differ in nothing that we do, and Completed lasts no time (timer K = 0): a
 * transaction is there until its one outcome.                                                    */
#include "sip/txn_int.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

struct sip_client {
    struct sip_txns *table;   /* borrowed */
    struct sip_link *link;    /* borrowed until sip_link_down */
    struct list link_node;    /* in link->clients */
    struct wheel_timer timer; /* F */
    void *owner;              /* borrowed */
    struct sip_txn_ref ref;
    enum sip_method method;
    uint32_t branch_len;
    char branch[]; /* key of client_by_branch */
};

static struct slice branch_of(const struct sip_client *c)
{
    return slice_make(c->branch, c->branch_len);
}

static void discard(struct sip_client *c)
{
    struct sip_txns *t = c->table;
    void *removed = map_remove(&t->client_by_branch, branch_of(c));

    ASSERT(removed == c);
    wheel_disarm(t->wheel, &c->timer);
    list_remove(&c->link_node);
    sip_slots_give(&t->clients, c->ref);
    t->stats.client_now--;
    pool_free(c);
}

/* The one outcome. The transaction is gone before its owner hears of it. */
static void end(struct sip_client *c, struct sip_client_done done)
{
    const struct sip_txn_ops *ops = c->table->ops;
    void *owner = c->owner;

    done.ref = c->ref;
    discard(c);
    ops->client_done(owner, &done);
}

static void on_timer_f(struct wheel_timer *timer, void *ctx)
{
    struct sip_client *c = CONTAINER_OF(timer, struct sip_client, timer);

    (void)ctx;
    c->table->stats.client_timeout++;
    end(c, (struct sip_client_done){.outcome = SIP_OUTCOME_TIMEOUT, .status = 408});
}

int sip_client_start(struct sip_txns *t, const struct sip_client_params *params,
                     struct sip_txn_ref *out)
{
    struct sip_client *c;

    ASSERT(t->magic == SIP_TXNS_MAGIC);
    ASSERT(params->branch.len > 0);
    *out = (struct sip_txn_ref){.generation = 0};
    if (params->method == SIP_METHOD_INVITE || params->method == SIP_METHOD_ACK ||
        params->method == SIP_METHOD_CANCEL) {
        return ERR_UNSUPPORTED;
    }
    if (!params->link->is_up) {
        return ERR_CLOSED;
    }
    if (map_get(&t->client_by_branch, params->branch)) {
        return ERR_STATE;
    }
    c = pool_alloc(sizeof(*c) + params->branch.len);
    if (!c) {
        return ERR_NOMEM;
    }
    *c = (struct sip_client){
        .table = t,
        .link = params->link,
        .owner = params->owner,
        .method = params->method,
        .branch_len = (uint32_t)params->branch.len,
    };
    memcpy(c->branch, params->branch.ptr, params->branch.len);
    if (!sip_slots_take(&t->clients, c, &c->ref)) {
        pool_free(c);
        return ERR_FULL;
    }
    (void)map_add(&t->client_by_branch, branch_of(c), c);
    list_push_back(&params->link->clients, &c->link_node);
    wheel_arm(t->wheel, &c->timer,
              params->now_ms + (params->timeout_ms ? params->timeout_ms : SIP_TIMER_F_MS),
              on_timer_f, NULL);
    t->stats.client_started++;
    t->stats.client_now++;
    *out = c->ref;
    return 0;
}

void sip_client_forget(struct sip_txns *t, struct sip_txn_ref ref)
{
    struct sip_client *c = sip_slots_get(&t->clients, ref);

    if (c) {
        discard(c);
    }
}

/* RFC 3261 17.1.3: branch of the top Via and method of CSeq. */
static struct sip_client *match(struct sip_txns *t, const struct sip_msg *response)
{
    struct sip_via via;
    struct sip_cseq cseq;
    struct sip_client *c;

    if (response->is_request || response->status < 100 || sip_msg_via_top(response, &via) ||
        via.branch.len == 0 || sip_msg_cseq(response, &cseq)) {
        return NULL;
    }
    c = map_get(&t->client_by_branch, via.branch);
    return c && c->method == cseq.method ? c : NULL;
}

enum sip_client_in sip_client_receive(struct sip_txns *t, const struct sip_msg *response)
{
    struct sip_client *c;

    ASSERT(t->magic == SIP_TXNS_MAGIC);
    c = match(t, response);
    if (!c) {
        t->stats.client_stray++;
        return SIP_CLIENT_STRAY;
    }
    if (response->status < 200) {
        return SIP_CLIENT_PROVISIONAL;
    }
    t->stats.client_final++;
    end(c, (struct sip_client_done){
               .outcome = SIP_OUTCOME_FINAL,
               .status = response->status,
               .response = response,
           });
    return SIP_CLIENT_DONE;
}

void sip_clients_link_down(struct sip_txns *t, struct sip_link *link, int err)
{
    struct list *node;

    /* Owners may end or start others meanwhile; none can start on this link any more. */
    while ((node = list_first(&link->clients))) {
        t->stats.client_link++;
        end(LIST_ENTRY(node, struct sip_client, link_node),
            (struct sip_client_done){.outcome = SIP_OUTCOME_LINK, .status = 503, .err = err});
    }
}

void sip_clients_free_all(struct sip_txns *t)
{
    for (uint32_t i = 0; i < t->clients.slot_count; i++) {
        if (t->clients.slots[i].txn) {
            discard(t->clients.slots[i].txn);
        }
    }
}
