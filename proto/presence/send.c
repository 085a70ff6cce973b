/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send: what machines say: requests and their calls, answers, stanzas, deadlines. */
#include "base/check.h"
#include "base/pool.h"
#include "presence/table.h"
#include "xml/writer.h"

/* --- time ------------------------------------------------------------------------------------- */

static void due(struct wheel_timer *timer, void *ctx)
{
    struct contact *c = ctx;

    (void)timer;
    if (c->direction == CONTACT_IN) {
        subscriber_due(c);
    } else {
        notifier_due(c);
    }
    contact_settle(c);
}

void contact_arm(struct contact *c, uint64_t deadline_ms)
{
    if (deadline_ms == 0) {
        wheel_disarm(c->p->wheel, &c->timer);
    } else {
        wheel_arm(c->p->wheel, &c->timer, deadline_ms, due, c);
    }
}

/* SplitMix64: spreads load, keeps no secret. */
uint64_t presence_random(struct presence *p)
{
    uint64_t z = p->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t contact_jitter(const struct contact *c, uint64_t delay_ms)
{
    uint64_t fifth = delay_ms / 5;

    return contact_now_ms(c) + delay_ms - fifth + presence_random(c->p) % (2 * fifth + 1);
}

/* --- requests --------------------------------------------------------------------------------- */

static void chain_remove(struct presence_call *call)
{
    struct presence_call **at;

    if (!call->contact) {
        return;
    }
    at = &call->contact->calls;
    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
}

static void call_free(struct presence_call *call)
{
    chain_remove(call);
    list_remove(&call->link);
    pool_free(call);
}

void send_detach(struct contact *c)
{
    struct presence_call *call;

    while ((call = c->calls) != NULL) {
        c->calls = call->next;
        call->next = NULL;
        call->contact = NULL;
        call->dialog = NULL;
    }
}

void contact_forget_dialog(struct contact *c, const void *dialog)
{
    for (struct presence_call *call = c->calls; call; call = call->next) {
        if (call->dialog == dialog) {
            call->dialog = NULL;
        }
    }
}

struct presence_call *contact_request(struct contact *c, const struct sip_request_params *params,
                                      struct slice fields, struct slice content_type,
                                      struct slice body, void *dialog, uint32_t kind)
{
    struct presence *p = c->p;
    struct presence_pair pair = contact_pair(c);
    struct presence_call *call = pool_zalloc(sizeof(*call));
    struct presence_request r = {.pair = &pair,
                                 .params = params,
                                 .fields = fields,
                                 .content_type = content_type,
                                 .body = body,
                                 .call = call};

    if (!call) {
        return NULL;
    }
    call->contact = c;
    call->dialog = dialog;
    call->kind = kind;
    call->method = params->method;
    call->next = c->calls;
    c->calls = call;
    list_push_back(&p->calls, &call->link);
    if (p->ops->request(p->ctx, &r)) {
        call_free(call);
        return NULL;
    }
    if (params->method == SIP_METHOD_SUBSCRIBE) {
        p->stats.subscribe_sent++;
    } else {
        p->stats.notify_sent++;
    }
    return call;
}

static void count_failure(struct presence *p, const struct presence_call *call,
                          enum sip_outcome outcome, unsigned status)
{
    if (outcome == SIP_OUTCOME_FINAL && status < 300) {
        return;
    }
    if (call->method == SIP_METHOD_SUBSCRIBE) {
        p->stats.subscribe_failed++;
    } else {
        p->stats.notify_failed++;
    }
}

void presence_response(struct presence *p, struct presence_call *call, enum sip_outcome outcome,
                       unsigned status, const struct sip_msg *response)
{
    struct contact *c = call->contact;

    presence_check(p);
    count_failure(p, call, outcome, status);
    if (!c) {
        call_free(call);
        return;
    }
    if (c->direction == CONTACT_IN) {
        subscriber_response(c, call, outcome, status, response);
    } else {
        notifier_response(c, call, outcome, status, response);
    }
    call_free(call);
    contact_settle(c);
}

void send_deinit(struct presence *p)
{
    struct list *link;

    while ((link = list_first(&p->calls)) != NULL) {
        call_free(LIST_ENTRY(link, struct presence_call, link));
    }
}

void contact_answer(struct contact *c, struct presence_txn txn, const struct sip_answer *answer)
{
    c->p->ops->answer(c->p->ctx, txn, answer);
}

/* --- stanzas ---------------------------------------------------------------------------------- */

static const char *type_name(enum stanza_type type)
{
    switch ((int)type) {
    case STANZA_TYPE_UNAVAILABLE:
        return "unavailable";
    case STANZA_TYPE_SUBSCRIBE:
        return "subscribe";
    case STANZA_TYPE_SUBSCRIBED:
        return "subscribed";
    case STANZA_TYPE_UNSUBSCRIBE:
        return "unsubscribe";
    case STANZA_TYPE_UNSUBSCRIBED:
        return "unsubscribed";
    case STANZA_TYPE_PROBE:
        return "probe";
    default:
        UNREACHABLE("a presence stanza without content has another type");
    }
}

static void put_address(struct buf *out, const char *name, const struct contact *c, bool is_local)
{
    struct buf *text = &c->p->scratch.text;

    buf_clear(text);
    contact_put_jid(c, is_local, text);
    out->failed |= text->failed;
    xml_write_attr(out, name, buf_slice(text));
}

void contact_send_type(struct contact *c, enum stanza_type type)
{
    struct buf *out = &c->p->scratch.stanza;

    buf_clear(out);
    buf_put_lit(out, "<presence");
    put_address(out, "from", c, true);
    put_address(out, "to", c, false);
    xml_write_attr(out, "type", slice_from_cstr(type_name(type)));
    buf_put_lit(out, "/>");
    if (!out->failed) {
        contact_send(c, type, buf_slice(out));
    }
}

void contact_send(struct contact *c, enum stanza_type type, struct slice bytes)
{
    struct presence_pair pair = contact_pair(c);

    c->p->stats.stanza_out++;
    c->p->ops->stanza(c->p->ctx, &pair, type, bytes);
}
