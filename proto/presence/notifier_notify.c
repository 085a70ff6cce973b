/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_notify: NOTIFY: what it says, when it may go, what became of it (RFC 6665 4.2.2,
 * RFC 3856 6.7, 6.10); and the notifier's time. A dialog has one NOTIFY in flight at most. What it
 * says is made when it goes: however many changes it stands for, it tells the last of them. */
#include "base/check.h"
#include "presence/notifier_int.h"

static const struct slice lost_note = SLICE_LIT("gateway: domain unreachable");

void notifier_owe(struct notifier_dialog *d)
{
    d->is_owed = true;
    d->is_urgent = true;
    d->retry_at = d->is_held ? d->retry_at : 0;
}

void notifier_owe_all(struct contact *c)
{
    for (struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        if (notifier_dialog_lasts(d)) {
            notifier_owe(d);
        }
    }
}

void notifier_tell_all(struct contact *c)
{
    struct presence_stats *stats = presence_counters(c->p);

    for (struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        if (notifier_dialog_lasts(d)) {
            stats->notify_coalesced += d->is_owed;
            d->is_owed = true;
            d->retry_at = d->is_held ? d->retry_at : 0;
        }
    }
}

/* --- what it says ----------------------------------------------------------------------------- */

static bool says_state(const struct notifier *n, const struct notifier_dialog *d)
{
    return n->state == NOTIFIER_GRANTED && (n->document || n->is_lost) &&
           (notifier_dialog_lasts(d) || d->farewell == NOTIFIER_FAREWELL_STATE);
}

/* False: no body. */
static bool make_state(const struct notifier *n, const struct notifier_dialog *d,
                       struct presence_state *out)
{
    if (says_state(n, d) && !n->is_lost) {
        notifier_read_document(n, out);
        return true;
    }
    presence_clear(out);
    if (says_state(n, d)) {
        out->item_count = 1;
        out->items[0] = (struct presence_item){
            .show = PRESENCE_SHOW_UNAVAILABLE,
            .note_count = 1,
            .notes = {{.lang = SLICE_LIT("en"), .text = lost_note}},
        };
        return true;
    }
    return d->farewell == NOTIFIER_FAREWELL_CLOSED;
}

static void put_subscription_state(const struct contact *c, const struct notifier_dialog *d,
                                   struct buf *fields)
{
    struct sip_subscription_state state = {
        .state = !notifier_dialog_lasts(d)            ? SIP_SUB_TERMINATED
                 : c->out.state == NOTIFIER_GRANTED ? SIP_SUB_ACTIVE
                                                      : SIP_SUB_PENDING,
        .reason = (enum sip_sub_reason)d->reason,
        .has_retry_after = d->reason == SIP_REASON_PROBATION,
        .retry_after_s = NOTIFIER_PROBATION_S,
        .expires_s = notifier_left_s(c, d),
    };

    sip_write_subscription_state(fields, &state);
}

struct notify {
    struct sip_request_params params;
    struct sip_dialog_routes routes;
    size_t cut;
    bool has_body;
};

/* Addresses into text: of the presentity, and from cut on of the watcher. */
static int put_addresses(struct contact *c, struct notify *notify, struct buf *text)
{
    int err;

    buf_clear(text);
    err = contact_put_uri(c, false, text);
    notify->cut = buf_len(text);
    return err ? err : contact_put_uri(c, true, text);
}

static void put_message(struct contact *c, const struct notifier_dialog *d, struct notify *notify)
{
    struct presence_scratch *scratch = presence_scratch(c->p);
    struct sip_event event = {.package = SLICE_LIT("presence"),
                              .id = sip_dialog_event_id(d->sip)};
    struct pidf_out options = {.with_notes = true,
                               .uri = slice_to(buf_slice(&scratch->text), notify->cut)};
    UNINITIALIZED struct presence_state state;
    struct presence_rule rule;
    struct slice lang = SLICE_NONE;

    buf_clear(&scratch->fields);
    buf_clear(&scratch->body);
    notify->has_body = make_state(&c->out, d, &state);
    if (notify->has_body) {
        contact_rule(c, &rule);
        options.profile = rule.is_lync ? PIDF_PROFILE_LYNC : PIDF_PROFILE_SIMPLE;
        pidf_write(&scratch->body, &state, &options);
        lang = pidf_language(&state);
    }
    sip_write_event(&scratch->fields, &event);
    put_subscription_state(c, d, &scratch->fields);
    sip_write_header_begin(&scratch->fields, SIP_HDR_CONTACT);
    contact_put_own(c, &scratch->fields);
    sip_write_header_end(&scratch->fields);
    if (lang.len > 0) {
        sip_write_header(&scratch->fields, SIP_HDR_CONTENT_LANGUAGE, lang);
    }
}

/* --- when it goes ----------------------------------------------------------------------------- */

static uint64_t ready_ms(const struct notifier_dialog *d)
{
    uint64_t at_ms =
        d->is_urgent || d->sent_at == 0 ? 0 : notifier_ms(d->sent_at) + NOTIFIER_GAP_MS;

    return at_ms > notifier_ms(d->retry_at) ? at_ms : notifier_ms(d->retry_at);
}

static void failed(struct contact *c, struct notifier_dialog *d)
{
    uint32_t steps = d->fails < NOTIFIER_RETRY_STEPS ? d->fails : NOTIFIER_RETRY_STEPS;

    d->fails = d->fails < UINT8_MAX ? d->fails + 1 : d->fails;
    d->is_owed = true;
    d->is_urgent = false;
    d->retry_at = notifier_ahead(c, contact_jitter(c, (uint64_t)NOTIFIER_RETRY_MS << steps) -
                                        contact_now_ms(c));
}

/* A final NOTIFY is not tried for ever: the watcher finds out at his next refresh. */
static void failed_or_gone(struct contact *c, struct notifier_dialog *d)
{
    failed(c, d);
    if (!notifier_dialog_lasts(d) && d->fails >= NOTIFIER_FAREWELLS_MAX) {
        notifier_drop_dialog(c, d);
    }
}

static void send(struct contact *c, struct notifier_dialog *d)
{
    struct presence_scratch *scratch = presence_scratch(c->p);
    struct notify notify = {.params = {.method = SIP_METHOD_NOTIFY,
                                       .max_forwards = SIP_MAX_FORWARDS}};
    struct presence_call *call;
    struct slice text;

    if (put_addresses(c, &notify, &scratch->text)) {
        failed_or_gone(c, d);
        return;
    }
    text = buf_slice(&scratch->text);
    notify.params.from_uri = slice_to(text, notify.cut);
    notify.params.to_uri = slice_from(text, notify.cut);
    if (sip_dialog_next(d->sip, &notify.routes, &notify.params)) {
        struct notifier_input in = {.dialog = d}; /* its numbers are used up */

        notifier_step(c, NOTIFIER_EV_NOTIFY_GONE, &in);
        return;
    }
    if (sip_dialog_needs_store(d->sip) && notifier_dialog_lasts(d)) {
        contact_touch(c);
    }
    put_message(c, d, &notify);
    if (scratch->fields.failed || scratch->body.failed) {
        failed_or_gone(c, d);
        return;
    }
    d->is_owed = false;
    d->is_urgent = false;
    d->is_held = false;
    d->retry_at = 0;
    call = contact_request(c, &notify.params, buf_slice(&scratch->fields),
                              notify.has_body ? SLICE_LIT(PIDF_MEDIA_TYPE) : SLICE_NONE,
                              buf_slice(&scratch->body), d, 0);
    d->is_in_flight = call != NULL;
    if (!call) {
        c->out.fault = NOTIFIER_FAULT_NO_HOP;
        failed_or_gone(c, d);
        return;
    }
    if (notify.has_body) {
        d->sent_at = notifier_ahead(c, 0);
    }
}

/* --- what became of it ------------------------------------------------------------------------ */

void notifier_act_drop(struct contact *c, const struct notifier_input *in)
{
    bool has_lasted = notifier_dialog_lasts(in->dialog);

    c->out.fault = NOTIFIER_FAULT_WATCHER;
    notifier_drop_dialog(c, in->dialog);
    if (has_lasted) {
        notifier_watcher_left(c);
    }
}

void notifier_act_retry(struct contact *c, const struct notifier_input *in)
{
    c->out.fault = NOTIFIER_FAULT_NOTIFY;
    failed_or_gone(c, in->dialog);
}

/* --- time ------------------------------------------------------------------------------------- */

static void sooner(uint64_t *deadline_ms, uint64_t at_ms)
{
    if (at_ms != 0 && (*deadline_ms == 0 || at_ms < *deadline_ms)) {
        *deadline_ms = at_ms;
    }
}

/* When watchers are told that the domain cannot be reached; spread, as it concerns all of them. 0 =
 * not. */
static uint64_t unreachable_at_ms(const struct contact *c)
{
    if (!c->remote->is_unreachable || c->out.is_lost || c->out.state != NOTIFIER_GRANTED ||
        notifier_lasting(&c->out) == 0) {
        return 0;
    }
    return c->remote->unreachable_ms + NOTIFIER_LOST_MS + c->hash % NOTIFIER_LOST_SPREAD_MS;
}

/* When a refusal, or a request that nobody repeats, is forgotten. 0 = not. */
static uint64_t lapses_at_ms(const struct contact *c)
{
    int64_t now_unix_s;
    int64_t at_unix_s;

    if (contact_is_granting(c)) {
        return 0;
    }
    if (c->out.state == NOTIFIER_REFUSED && c->state == CONTACT_DENIED) {
        at_unix_s = (int64_t)c->changed_unix_s + NOTIFIER_REFUSED_S;
    } else if (c->out.state == NOTIFIER_ASKING && notifier_lasting(&c->out) == 0) {
        at_unix_s = (int64_t)c->changed_unix_s + NOTIFIER_ASKED_S;
    } else {
        return 0;
    }
    now_unix_s = contact_now_unix_s(c);
    return contact_now_ms(c) +
           (at_unix_s > now_unix_s ? (uint64_t)(at_unix_s - now_unix_s) * 1000 : 0);
}

static void expire_dialogs(struct contact *c, uint64_t now_ms)
{
    for (struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        if (notifier_dialog_lasts(d) && notifier_ms(d->expires_at) <= now_ms) {
            struct notifier_input in = {.dialog = d};

            notifier_step(c, NOTIFIER_EV_EXPIRED, &in);
        }
    }
}

static void probe_or_compare(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;

    if (!n->is_probing) {
        n->probe_at = 0;
        notifier_step(c, NOTIFIER_EV_PROBE_DUE, in);
        return;
    }
    notifier_step(c, NOTIFIER_EV_PROBE_OVER, in);
    notifier_forget_probe(c);
    if (c->remote->is_unreachable) {
        notifier_step(c, NOTIFIER_EV_PARTNER_LOST, in);
    }
}

static void do_what_is_due(struct contact *c, uint64_t now_ms)
{
    struct notifier *n = &c->out;
    struct notifier_input in = {0};
    uint64_t at_ms;

    expire_dialogs(c, now_ms);
    if (n->grant_at != 0 && notifier_ms(n->grant_at) <= now_ms) {
        n->grant_at = 0;
        contact_grant(c, CONTACT_BY_PARTNER);
    }
    if (n->probe_at != 0 && notifier_ms(n->probe_at) <= now_ms) {
        probe_or_compare(c, &in);
    }
    at_ms = unreachable_at_ms(c);
    if (at_ms != 0 && at_ms <= now_ms) {
        notifier_step(c, NOTIFIER_EV_UNREACHABLE, &in);
    }
    at_ms = lapses_at_ms(c);
    if (at_ms != 0 && at_ms <= now_ms) {
        notifier_step(c, NOTIFIER_EV_LAPSED, &in);
    }
}

static void arm(struct contact *c)
{
    const struct notifier *n = &c->out;
    uint64_t deadline_ms = 0;

    for (const struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        if (notifier_dialog_lasts(d)) {
            sooner(&deadline_ms, notifier_ms(d->expires_at));
        }
        if (d->is_owed && !d->is_in_flight) {
            sooner(&deadline_ms, ready_ms(d));
        }
    }
    sooner(&deadline_ms, notifier_ms(n->grant_at));
    sooner(&deadline_ms, notifier_ms(n->probe_at));
    sooner(&deadline_ms, unreachable_at_ms(c));
    sooner(&deadline_ms, lapses_at_ms(c));
    contact_arm(c, deadline_ms);
}

void notifier_run(struct contact *c)
{
    uint64_t now_ms = contact_now_ms(c);
    struct notifier_dialog *next;
    bool is_told = true;

    do_what_is_due(c, now_ms);
    for (struct notifier_dialog *d = c->out.dialogs; d; d = next) {
        next = d->next;
        if (d->is_owed && !d->is_in_flight && ready_ms(d) <= now_ms) {
            send(c, d);
        }
    }
    for (const struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        is_told = is_told && !(d->is_owed && notifier_dialog_lasts(d));
    }
    if (is_told) {
        notifier_settle_document(c);
    }
    arm(c);
}
