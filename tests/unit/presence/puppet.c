/* SPDX-License-Identifier: GPL-2.0-or-later */
/* puppet: machines on strings. */
#include "puppet.h"

#include "base/check.h"

struct puppet puppet;

uint8_t puppet_number(const struct contact *c)
{
    return c->direction == CONTACT_IN ? c->in.state : c->out.state;
}

void puppet_set(struct contact *c, uint8_t number)
{
    if (c->direction == CONTACT_IN) {
        c->in.state = number;
    } else {
        c->out.state = number;
    }
}

static void happen(struct contact *c, enum puppet_event event, int64_t arg)
{
    puppet.count[event]++;
    puppet.arg[event] = arg;
    if (puppet.act) {
        puppet.act(c, event, arg);
    }
}

static void measure(const struct contact *c, struct contact_measure *out)
{
    out->dialogs = puppet_number(c);
    out->bytes = 100u * out->dialogs;
}

static void pack(const struct contact *c, struct buf *dialogs)
{
    if (puppet_number(c) > 0) {
        buf_putc(dialogs, (char)puppet_number(c));
    }
}

static void unpack(struct contact *c, struct slice dialogs)
{
    if (dialogs.len == 1) {
        puppet_set(c, (uint8_t)dialogs.ptr[0]);
    }
}

static void show(const struct contact *c, struct presence_contact_view *out)
{
    out->dialog_count = puppet_number(c);
    out->machine = "puppet";
}

static void answer(struct contact *c, struct presence_txn txn)
{
    const struct sip_answer ok = {.status = 200};

    contact_answer(c, txn, &ok);
}

#define MACHINE(name)                                                                              \
    void name##_init(struct contact *c)                                                            \
    {                                                                                              \
        ASSERT(puppet_number(c) == 0);                                                             \
        puppet.live++;                                                                             \
    }                                                                                              \
    void name##_deinit(struct contact *c)                                                          \
    {                                                                                              \
        (void)c;                                                                                   \
        puppet.live--;                                                                             \
    }                                                                                              \
    bool name##_is_at_rest(const struct contact *c)                                                \
    {                                                                                              \
        return puppet_number(c) == 0;                                                              \
    }                                                                                              \
    void name##_from_partner(struct contact *c, const struct stanza *st)                           \
    {                                                                                              \
        happen(c, PUPPET_STANZA, st->type);                                                        \
    }                                                                                              \
    void name##_undelivered(struct contact *c, enum stanza_type type,                              \
                            enum stanza_condition condition)                                       \
    {                                                                                              \
        (void)condition;                                                                           \
        happen(c, PUPPET_UNDELIVERED, type);                                                       \
    }                                                                                              \
    void name##_partner_seen(struct contact *c, bool is_reachable)                                 \
    {                                                                                              \
        happen(c, PUPPET_SEEN, is_reachable);                                                      \
    }                                                                                              \
    void name##_response(struct contact *c, struct presence_call *call, enum sip_outcome outcome,  \
                         unsigned status, const struct sip_msg *response)                          \
    {                                                                                              \
        (void)call;                                                                                \
        ASSERT((outcome == SIP_OUTCOME_FINAL) == (response != NULL));                              \
        happen(c, PUPPET_RESPONSE, status);                                                        \
    }                                                                                              \
    void name##_granted(struct contact *c, int err)                                                \
    {                                                                                              \
        happen(c, PUPPET_GRANTED, err);                                                            \
    }                                                                                              \
    void name##_due(struct contact *c)                                                             \
    {                                                                                              \
        happen(c, PUPPET_DUE, 0);                                                                  \
    }                                                                                              \
    void name##_review(struct contact *c)                                                          \
    {                                                                                              \
        happen(c, PUPPET_REVIEW, 0);                                                               \
    }                                                                                              \
    void name##_order(struct contact *c, enum presence_order what)                                 \
    {                                                                                              \
        happen(c, PUPPET_ORDER, what);                                                             \
    }                                                                                              \
    void name##_pack(struct contact *c, struct buf *dialogs, struct buf *document)                 \
    {                                                                                              \
        (void)document;                                                                            \
        pack(c, dialogs);                                                                          \
    }                                                                                              \
    void name##_unpack(struct contact *c, struct slice dialogs, struct slice document)             \
    {                                                                                              \
        (void)document;                                                                            \
        unpack(c, dialogs);                                                                        \
    }                                                                                              \
    void name##_stored(struct contact *c)                                                          \
    {                                                                                              \
        happen(c, PUPPET_STORED, 0);                                                               \
    }                                                                                              \
    void name##_loaded(struct contact *c)                                                          \
    {                                                                                              \
        happen(c, PUPPET_LOADED, 0);                                                               \
    }                                                                                              \
    void name##_measure(const struct contact *c, struct contact_measure *out)                      \
    {                                                                                              \
        measure(c, out);                                                                           \
    }                                                                                              \
    void name##_view(const struct contact *c, struct presence_contact_view *out)                   \
    {                                                                                              \
        show(c, out);                                                                              \
    }

MACHINE(subscriber)
MACHINE(notifier)

void subscriber_notify(struct contact *c, const struct sip_msg *m, struct presence_txn txn)
{
    answer(c, txn);
    happen(c, PUPPET_MESSAGE, m->method);
}

void notifier_subscribe(struct contact *c, const struct sip_msg *m, struct presence_txn txn)
{
    answer(c, txn);
    happen(c, PUPPET_MESSAGE, m->method);
}

void subscriber_paced(struct contact *c)
{
    happen(c, PUPPET_PACED, 0);
}

void subscriber_hop_seen(struct contact *c, bool is_reachable)
{
    happen(c, PUPPET_HOP_SEEN, is_reachable);
}
