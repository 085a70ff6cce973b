/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_dialog: SUBSCRIBE of all sorts: dialogs begin, last and end (RFC 6665 4.2.1, 4.4.3). */
#include "base/check.h"
#include "base/err.h"
#include "presence/notifier_int.h"

static const struct slice packages[] = {SLICE_LIT("presence")};

/* --- the list --------------------------------------------------------------------------------- */

uint32_t notifier_left_s(const struct contact *c, const struct notifier_dialog *d)
{
    uint64_t now_ms = contact_now_ms(c);
    uint64_t expires_ms = notifier_ms(d->expires_at);

    return !notifier_dialog_lasts(d) || expires_ms <= now_ms
               ? 0
               : (uint32_t)((expires_ms - now_ms) / 1000);
}

bool notifier_dialog_lasts(const struct notifier_dialog *d)
{
    return d->reason == SIP_REASON_NONE;
}

uint32_t notifier_lasting(const struct notifier *n)
{
    uint32_t count = 0;

    for (const struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        count += notifier_dialog_lasts(d);
    }
    return count;
}

void notifier_drop_dialog(struct contact *c, struct notifier_dialog *d)
{
    struct notifier_dialog **link = &c->out.dialogs;

    while (*link != d) {
        ASSERT(*link);
        link = &(*link)->next;
    }
    *link = d->next;
    if (notifier_dialog_lasts(d)) {
        contact_touch(c);
    }
    notifier_free_dialog(c, d);
}

void notifier_free_dialog(struct contact *c, struct notifier_dialog *d)
{
    contact_forget_dialog(c, d);
    sip_dialog_free(d->sip);
    contact_free_bytes(c, d, sizeof(*d));
}

void notifier_end_dialog(struct contact *c, struct notifier_dialog *d, enum sip_sub_reason reason,
                         enum notifier_farewell farewell)
{
    ASSERT(reason != SIP_REASON_NONE);
    if (!notifier_dialog_lasts(d)) {
        return;
    }
    d->reason = (uint8_t)reason;
    d->farewell = (uint8_t)farewell;
    d->fails = 0;
    notifier_owe(d);
    contact_touch(c);
}

void notifier_end_all(struct contact *c, enum sip_sub_reason reason)
{
    for (struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        notifier_end_dialog(c, d, reason, NOTIFIER_FAREWELL_NONE);
    }
}

/* Where the presentity watches our user, the subscriber tells him how our user is: then the end of
 * our user's watching must not make him look gone, which `unavailable` from a bare address does. */
void notifier_watcher_left(struct contact *c)
{
    struct presence_pair pair = contact_pair(c);
    const struct contact *other;

    if (notifier_lasting(&c->out) > 0) {
        return;
    }
    notifier_forget_probe(c);
    other = contact_find(c->p, CONTACT_IN, &pair);
    if (!other || other->state != CONTACT_GRANTED) {
        contact_send_type(c, STANZA_TYPE_UNAVAILABLE);
    }
}

/* Whose place a new device takes: one that does not answer, else the one that is there longest. */
static struct notifier_dialog *find_victim(const struct notifier *n)
{
    struct notifier_dialog *victim = NULL;

    for (struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        if (notifier_dialog_lasts(d) && (!victim || d->fails > 0 || victim->fails == 0)) {
            victim = d;
        }
    }
    return victim;
}

/* Final NOTIFYs are bounded, too: the oldest one is not waited for. */
static void bound_ending(struct contact *c)
{
    struct notifier_dialog *oldest = NULL;
    uint32_t count = 0;

    for (struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        if (!notifier_dialog_lasts(d)) {
            oldest = d;
            count++;
        }
    }
    if (count > NOTIFIER_ENDING_MAX) {
        notifier_drop_dialog(c, oldest);
    }
}

/* Who never saw our answer begins again with the same Call-ID and tag: the dialog that he does not
 * know of goes. */
static void drop_superseded(struct contact *c, const struct sip_dialog_key *key)
{
    for (struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        if (slice_eq(sip_dialog_call_id(d->sip), key->call_id) &&
            slice_eq(sip_dialog_remote_tag(d->sip), key->remote_tag)) {
            notifier_drop_dialog(c, d);
            return;
        }
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer(struct contact *c, const struct notifier_request *request, unsigned status,
                   struct slice fields)
{
    contact_answer(c, *request->txn, &(struct sip_answer){.status = status, .fields = fields});
}

void notifier_answer_ok(struct contact *c, const struct notifier_request *request, bool is_new,
                        uint32_t expires_s)
{
    struct buf *fields = &presence_scratch(c->p)->fields;

    buf_clear(fields);
    if (is_new) {
        sip_dialog_answer_put(fields, request->m);
        sip_write_allow_events(fields, packages, ARRAY_COUNT(packages));
    }
    sip_write_header_begin(fields, SIP_HDR_CONTACT);
    contact_put_own(c, fields);
    sip_write_header_end(fields);
    sip_write_header_u32(fields, SIP_HDR_EXPIRES, expires_s);
    answer(c, request, 200, buf_slice(fields));
}

void notifier_act_forbid(struct contact *c, const struct notifier_input *in)
{
    answer(c, in->request, 403, SLICE_NONE);
}

void notifier_act_missing(struct contact *c, const struct notifier_input *in)
{
    answer(c, in->request, 481, SLICE_NONE);
}

/* One user's trouble, or ours with memory: not 503, which would stop everything else that the next
 * hop has for us (RFC 3261 21.5.4). */
static void answer_full(struct contact *c, const struct notifier_request *request)
{
    struct buf *fields = &presence_scratch(c->p)->fields;

    presence_counters(c->p)->refused_full++;
    buf_clear(fields);
    sip_write_header_u32(fields, SIP_HDR_RETRY_AFTER, NOTIFIER_RETRY_AFTER_S);
    answer(c, request, 500, buf_slice(fields));
}

/* --- new dialogs ------------------------------------------------------------------------------ */

static int make_sip_dialog(struct contact *c, const struct notifier_request *request,
                           struct sip_dialog **out)
{
    struct buf *text = &presence_scratch(c->p)->text;
    struct sip_dialog_uas uas = {
        .local_tag = request->txn->to_tag,
        .event_id = request->view->event.id,
        .cseq = 1,
    };
    size_t cut;
    int err;

    buf_clear(text);
    err = contact_put_uri(c, false, text);
    cut = buf_len(text);
    if (!err) {
        err = contact_put_uri(c, true, text);
    }
    if (err) {
        return err;
    }
    uas.plain_local = slice_to(buf_slice(text), cut);
    uas.plain_remote = slice_from(buf_slice(text), cut);
    return sip_dialog_new_uas(presence_dialogs(c->p), request->m, &uas, out);
}

/* NULL: it was answered. */
static struct notifier_dialog *make_dialog(struct contact *c,
                                           const struct notifier_request *request)
{
    struct notifier_dialog *d;
    int err;

    if (presence_counters(c->p)->dialogs[CONTACT_OUT] >= NOTIFIER_DIALOGS_ALL_MAX) {
        answer_full(c, request);
        return NULL;
    }
    d = contact_alloc(c, sizeof(*d));
    err = d ? make_sip_dialog(c, request, &d->sip) : ERR_NOMEM;
    if (err) {
        contact_free_bytes(c, d, sizeof(*d));
        if (err == ERR_NOMEM) {
            answer_full(c, request);
        } else {
            answer(c, request, sip_dialog_status(err), SLICE_NONE);
        }
        return NULL;
    }
    drop_superseded(c, &request->view->key);
    d->expires_at = notifier_ahead(c, (uint64_t)request->view->expires_s * 1000);
    d->next = c->out.dialogs;
    c->out.dialogs = d;
    notifier_answer_ok(c, request, true, request->view->expires_s);
    return d;
}

/* The first watcher's interest is what the presentity's side is asked for. */
static void ask_for_first(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;
    uint32_t now_s = notifier_now_s(c);

    if (n->state == NOTIFIER_GRANTED) {
        notifier_probe_now(c);
    } else if (!contact_is_granting(c) &&
               (n->asked_s == 0 || now_s - n->asked_s >= NOTIFIER_ASK_AGAIN_S)) {
        notifier_act_ask(c, in);
    }
}

void notifier_act_open(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;
    bool is_first = notifier_lasting(n) == 0;
    struct notifier_dialog *d = make_dialog(c, in->request);

    if (!d) {
        return;
    }
    if (notifier_lasting(n) > NOTIFIER_DIALOGS_MAX) {
        notifier_end_dialog(c, find_victim(n), SIP_REASON_PROBATION, NOTIFIER_FAREWELL_NONE);
        bound_ending(c);
    }
    notifier_owe(d);
    contact_touch(c);
    if (n->state == NOTIFIER_NONE) {
        contact_set_state(c, CONTACT_ASKED, CONTACT_BY_LOCAL);
        notifier_set_state(c, NOTIFIER_ASKING);
    }
    if (is_first) {
        ask_for_first(c, in);
    }
}

/* While somebody watches, the document is kept up by itself. */
static bool is_cold(const struct contact *c)
{
    const struct notifier *n = &c->out;
    bool is_kept = n->state == NOTIFIER_GRANTED && n->document && notifier_lasting(n) > 0;

    return !is_kept && !n->is_probing &&
           (n->probed_s == 0 || notifier_now_s(c) - n->probed_s >= NOTIFIER_FETCH_PROBE_S);
}

void notifier_act_fetch(struct contact *c, const struct notifier_input *in)
{
    struct notifier_dialog *d = make_dialog(c, in->request);

    if (!d) {
        return;
    }
    d->reason = SIP_REASON_TIMEOUT;
    d->farewell = NOTIFIER_FAREWELL_STATE;
    notifier_owe(d);
    bound_ending(c);
    if (is_cold(c)) {
        notifier_probe_now(c);
    }
}

/* --- in the dialog ---------------------------------------------------------------------------- */

void notifier_act_refresh(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;
    struct notifier_dialog *d = in->dialog;

    d->expires_at = notifier_ahead(c, (uint64_t)in->request->view->expires_s * 1000);
    notifier_answer_ok(c, in->request, false, in->request->view->expires_s);
    notifier_owe(d);
    contact_touch(c);
    if (n->state == NOTIFIER_GRANTED && n->was_down &&
        notifier_now_s(c) - n->probed_s >= NOTIFIER_STALE_S) {
        notifier_probe_now(c);
    }
}

void notifier_act_end(struct contact *c, const struct notifier_input *in)
{
    notifier_answer_ok(c, in->request, false, in->request->view->expires_s);
    notifier_end_dialog(c, in->dialog, SIP_REASON_TIMEOUT, NOTIFIER_FAREWELL_CLOSED);
    bound_ending(c);
    notifier_watcher_left(c);
}

void notifier_act_give_up(struct contact *c, const struct notifier_input *in)
{
    c->out.fault = NOTIFIER_FAULT_NO_ANSWER;
    notifier_end_dialog(c, in->dialog, SIP_REASON_GIVEUP, NOTIFIER_FAREWELL_NONE);
    notifier_watcher_left(c);
}

void notifier_act_time_out(struct contact *c, const struct notifier_input *in)
{
    notifier_end_dialog(c, in->dialog, SIP_REASON_TIMEOUT, NOTIFIER_FAREWELL_CLOSED);
    notifier_watcher_left(c);
}
