/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence: life of the object, and which machine hears of what comes in. */
#include "presence/presence.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "presence/paces.h"
#include "presence/table.h"
#include "sip/dialog.h"

#define FULL_RETRY_S 60u

const char *contact_direction_name(enum contact_direction direction)
{
    return direction == CONTACT_IN ? "in" : "out";
}

const char *contact_state_name(enum contact_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        CONTACT_STATES(X)
#undef X
    };

    return names[state];
}

const char *contact_asker_name(enum contact_asker asker)
{
    static const char *const names[] = {"partner", "local", "administrator"};

    return names[asker];
}

void presence_check(const struct presence *p)
{
    ASSERT(p->magic == PRESENCE_MAGIC);
}

struct presence_scratch *presence_scratch(struct presence *p)
{
    return &p->scratch;
}

struct presence_stats *presence_counters(struct presence *p)
{
    return &p->stats;
}

struct sip_dialogs *presence_dialogs(struct presence *p)
{
    return p->sip_dialogs;
}

struct sip_ids *presence_ids(struct presence *p)
{
    return p->ids;
}

/* --- life ------------------------------------------------------------------------------------- */

static void init_buffers(struct presence *p)
{
    buf_init(&p->scratch.fields, PRESENCE_FIELDS_BYTES_MAX);
    buf_init(&p->scratch.body, PRESENCE_BODY_BYTES_MAX);
    buf_init(&p->scratch.text, PRESENCE_FIELDS_BYTES_MAX);
    buf_init(&p->scratch.stanza, PRESENCE_STANZA_BYTES_MAX);
    buf_init(&p->scratch.packed, PRESENCE_DIALOGS_BYTES_MAX);
    buf_init(&p->dialogs, PRESENCE_DIALOGS_BYTES_MAX + 16);
    buf_init(&p->document, PRESENCE_DIALOGS_BYTES_MAX + 16);
    buf_init(&p->packed_dialogs, PRESENCE_DIALOGS_BYTES_MAX);
    buf_init(&p->packed_document, PRESENCE_DIALOGS_BYTES_MAX);
}

static void deinit_buffers(struct presence *p)
{
    struct buf *const all[] = {&p->scratch.fields, &p->scratch.body,   &p->scratch.text,
                               &p->scratch.stanza, &p->scratch.packed, &p->dialogs,
                               &p->document,       &p->packed_dialogs, &p->packed_document};

    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        buf_deinit(all[i]);
    }
}

int presence_new(struct presence **out, const struct presence_params *params)
{
    struct presence *p = pool_zalloc(sizeof(*p));
    int err;

    if (!p) {
        return ERR_NOMEM;
    }
    p->magic = PRESENCE_MAGIC;
    p->ops = params->ops;
    p->ctx = params->ctx;
    p->wheel = params->wheel;
    p->ids = params->ids;
    p->random = params->seed;
    p->owns_paces = !params->paces;
    p->paces = params->paces ? params->paces : presence_paces_new();
    p->contacts_max = params->contacts_max ? params->contacts_max : PRESENCE_CONTACTS_MAX;
    p->domain_max =
        params->contacts_per_domain_max ? params->contacts_per_domain_max : PRESENCE_DOMAIN_MAX;
    list_init(&p->calls);
    list_init(&p->orders);
    authorise_init(p);
    review_init(p);
    init_buffers(p);
    p->sip_dialogs = sip_dialogs_new();
    err = p->sip_dialogs ? table_init(p) : ERR_NOMEM;
    if (!err) {
        err = bound_init(p);
    }
    if (!err) {
        err = pidf_reader_new(&p->scratch.reader);
    }
    if (err) {
        presence_free(p);
        return err;
    }
    *out = p;
    return 0;
}

void presence_free(struct presence *p)
{
    if (!p) {
        return;
    }
    presence_check(p);
    admin_deinit(p);
    authorise_deinit(p);
    send_deinit(p);
    table_deinit(p);
    bound_deinit(p);
    sip_dialogs_free(p->sip_dialogs);
    pace_deinit(p);
    review_deinit(p);
    /* The contacts' last changes armed what nobody will wait for. */
    wheel_disarm(p->wheel, &p->dirty_timer);
    wheel_disarm(p->wheel, &p->retry_timer);
    pidf_reader_free(p->scratch.reader);
    deinit_buffers(p);
    p->magic = 0;
    pool_free(p);
}

/* --- stanzas ---------------------------------------------------------------------------------- */

/* We never represent both sides of a pair: nothing of such a one is taken (sip.md 4.6). */
static bool is_echo(const struct presence_pair *pair)
{
    return slice_eq(pair->local_domain, pair->remote_domain);
}

static bool is_allowed(struct presence *p, const struct presence_pair *pair,
                       enum contact_direction direction)
{
    struct presence_rule rule = {0};

    p->ops->rule(p->ctx, pair, direction, &rule);
    return rule.is_allowed;
}

/* subscribe, unsubscribe, probe: the partner's user would watch ours. */
static void from_watcher(struct presence *p, const struct presence_pair *pair,
                         const struct stanza *st)
{
    struct contact *c = contact_find(p, CONTACT_IN, pair);
    bool is_new = !c || (c->state == CONTACT_NONE && st->type == STANZA_TYPE_SUBSCRIBE);
    bool is_end = st->type == STANZA_TYPE_UNSUBSCRIBE;
    struct presence_rule rule = {0};
    int err = 0;

    if (c ? c->state == CONTACT_BLOCKED : is_end) {
        gate_answer_stranger(p, pair, st);
        return;
    }
    p->ops->rule(p->ctx, pair, CONTACT_IN, &rule);
    if (!is_end && !rule.is_allowed) {
        gate_answer_stranger(p, pair, st); /* dialogs of before end by presence_review */
        return;
    }
    if (is_new && !bound_may_ask(p, c, pair, &rule)) {
        p->stats.refused_full++;
        err = ERR_LIMIT;
    } else if (!c) {
        err = contact_get(p, CONTACT_IN, pair, &c);
    }
    if (err && st->type == STANZA_TYPE_SUBSCRIBE) {
        gate_answer_full(p, pair, st);
    } else if (err) {
        gate_answer_stranger(p, pair, st);
    } else {
        subscriber_from_partner(c, st);
        contact_settle(c);
    }
}

/* What the partner's user shows or grants to ours who watches. Nothing is made for it: whoever
 * nobody watches is not listened to. */
static void from_presentity(struct presence *p, const struct presence_pair *pair,
                            const struct stanza *st)
{
    struct contact *c = contact_find(p, CONTACT_OUT, pair);

    if (!c || c->state == CONTACT_BLOCKED) {
        return;
    }
    if (st->type == STANZA_TYPE_AVAILABLE || st->type == STANZA_TYPE_UNAVAILABLE) {
        c->remote->stats.stanza_received++;
    }
    notifier_from_partner(c, st);
    contact_settle(c);
}

/* Whether the watcher is there himself, or what became of a stanza to him. */
static void of_watcher(struct presence *p, const struct presence_pair *pair,
                       const struct stanza *st)
{
    struct contact *c = contact_find(p, CONTACT_IN, pair);

    if (c && c->state != CONTACT_BLOCKED) {
        subscriber_from_partner(c, st);
        contact_settle(c);
    }
}

void presence_from_partner(struct presence *p, const struct presence_pair *pair,
                           const struct stanza *st)
{
    presence_check(p);
    ASSERT(st->kind == STANZA_PRESENCE);
    p->stats.stanza_in++;
    if (is_echo(pair)) {
        gate_answer_stranger(p, pair, st);
        return;
    }
    switch ((int)st->type) {
    case STANZA_TYPE_SUBSCRIBE:
    case STANZA_TYPE_UNSUBSCRIBE:
    case STANZA_TYPE_PROBE:
        from_watcher(p, pair, st);
        break;
    case STANZA_TYPE_SUBSCRIBED:
    case STANZA_TYPE_UNSUBSCRIBED:
        from_presentity(p, pair, st);
        break;
    case STANZA_TYPE_AVAILABLE:
    case STANZA_TYPE_UNAVAILABLE:
    case STANZA_TYPE_ERROR:
        from_presentity(p, pair, st);
        of_watcher(p, pair, st);
        break;
    default: /* a type that presence does not have: the stream's side answered it */
        break;
    }
}

void presence_undelivered(struct presence *p, const struct presence_pair *pair,
                          enum stanza_type type, enum stanza_condition condition)
{
    bool is_watcher = type == STANZA_TYPE_SUBSCRIBE || type == STANZA_TYPE_UNSUBSCRIBE ||
                      type == STANZA_TYPE_PROBE;
    struct contact *c = contact_find(p, is_watcher ? CONTACT_OUT : CONTACT_IN, pair);

    presence_check(p);
    if (!c) {
        return;
    }
    if (is_watcher) {
        notifier_undelivered(c, type, condition);
    } else {
        subscriber_undelivered(c, type, condition);
    }
    contact_settle(c);
}

/* --- SIP -------------------------------------------------------------------------------------- */

/* 0, or what to answer to a SUBSCRIBE for whose pair there is no contact. */
static unsigned refuse_new(struct presence *p, const struct presence_pair *pair,
                           const struct sip_msg *m)
{
    struct sip_dialog_key key;
    int err = sip_dialog_key_read(m, &key);

    if (err) {
        return sip_dialog_status(err);
    }
    if (key.local_tag.len > 0) {
        return 481;
    }
    return is_allowed(p, pair, CONTACT_OUT) ? 0 : 403;
}

void presence_subscribe(struct presence *p, const struct presence_pair *pair,
                        const struct sip_msg *m, struct presence_txn txn)
{
    struct contact *c = contact_find(p, CONTACT_OUT, pair);
    unsigned status = 0;

    presence_check(p);
    p->stats.subscribe_received++;
    if (is_echo(pair)) {
        status = 482;
    } else if (!c) {
        status = refuse_new(p, pair, m);
    } else if (c->state == CONTACT_BLOCKED) {
        status = 403;
    }
    if (status) {
        gate_status(p, txn, status, 0);
        return;
    }
    if (!c && contact_get(p, CONTACT_OUT, pair, &c)) {
        gate_status(p, txn, 500, FULL_RETRY_S); /* not 503: that is about the whole node */
        return;
    }
    notifier_subscribe(c, m, txn);
    contact_settle(c);
}

void presence_notify(struct presence *p, const struct presence_pair *pair, const struct sip_msg *m,
                     struct presence_txn txn)
{
    struct contact *c = is_echo(pair) ? NULL : contact_find(p, CONTACT_IN, pair);

    presence_check(p);
    p->stats.notify_received++;
    if (!c) {
        p->stats.notify_stray++;
        gate_status(p, txn, 481, 0);
        return;
    }
    c->remote->stats.notify_received++;
    subscriber_notify(c, m, txn);
    contact_settle(c);
}
