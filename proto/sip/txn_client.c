/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_client: non-INVITE client transactions (RFC 3261 17.1.2). On a reliable transport the states
 * Trying and Proceeding differ in nothing that we do, and Completed lasts no time (timer K = 0): a
 * transaction is there until its one outcome.                                                    */
#include "sip/txn_int.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

struct sip_client {
    struct sip_node node;     /* first: in client_by_branch */
    struct sip_txns *table;   /* borrowed */
    struct sip_link *link;    /* borrowed until sip_link_down */
    struct list link_node;    /* in link->clients */
    struct wheel_timer timer; /* F */
    void *owner;              /* borrowed */
    struct sip_txn_ref ref;
    enum sip_method method;
    uint32_t branch_len;
    char branch[];
};

STATIC_ASSERT(offsetof(struct sip_client, node) == 0, "a node is its transaction");

static struct slice branch_of(const struct sip_client *c)
{
    return slice_make(c->branch, c->branch_len);
}

/* Only branches that we made are filed, which end in what a peer cannot choose (ids.h): their last
 * bytes are as good as a hash.                                                                   */
static uint64_t hash_of(struct slice branch)
{
    size_t len = branch.len < sizeof(uint64_t) ? branch.len : sizeof(uint64_t);
    uint64_t word = branch.len;

    memcpy(&word, branch.ptr + branch.len - len, len);
    word *= 0x9E3779B97F4A7C15u; /* the digits differ in few bits: spread them */
    return word ^ word >> 32;
}

static bool has_branch(const struct sip_node *node, const void *what)
{
    const struct sip_client *c = (const struct sip_client *)(const void *)node;

    return slice_eq(branch_of(c), *(const struct slice *)what);
}

static struct sip_client *find(const struct sip_txns *t, struct slice branch)
{
    struct sip_node *node =
        sip_index_find(&t->client_by_branch, hash_of(branch), has_branch, &branch);

    return node ? CONTAINER_OF(node, struct sip_client, node) : NULL;
}

static void discard(struct sip_client *c)
{
    struct sip_txns *t = c->table;

    sip_index_remove(&t->client_by_branch, &c->node);
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
    if (find(t, params->branch)) {
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
    sip_index_add(&t->client_by_branch, &c->node, hash_of(params->branch));
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
static struct sip_client *match(const struct sip_txns *t, const struct sip_msg *response,
                                struct slice branch, enum sip_method method)
{
    struct sip_client *c;

    if (response->is_request || response->status < 100 || branch.len == 0) {
        return NULL;
    }
    c = find(t, branch);
    return c && c->method == method ? c : NULL;
}

enum sip_client_in sip_client_receive(struct sip_txns *t, const struct sip_msg *response)
{
    struct sip_keys keys = {.via_count = 0};

    if (sip_msg_via_top(response, &keys.via) || sip_msg_cseq(response, &keys.cseq)) {
        keys.via.branch = SLICE_NONE;
    }
    return sip_client_receive_keys(t, response, &keys);
}

enum sip_client_in sip_client_receive_keys(struct sip_txns *t, const struct sip_msg *response,
                                           const struct sip_keys *keys)
{
    struct sip_client *c;

    ASSERT(t->magic == SIP_TXNS_MAGIC);
    c = match(t, response, keys->via.branch, keys->cseq.method);
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
