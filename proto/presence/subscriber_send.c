/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_send: SUBSCRIBE requests, each at its turn in the pace of the next hop. */
#include "presence/subscriber_int.h"

#include "base/check.h"
#include "sip/ids.h"
#include "translate/pidf.h"

static const struct slice packages[] = {SLICE_LIT("presence")};

static bool write_fields(struct contact *c, uint32_t expires_s)
{
    struct buf *out = &presence_scratch(c->p)->fields;

    buf_clear(out);
    sip_write_header_begin(out, SIP_HDR_CONTACT);
    contact_put_own(c, out);
    sip_write_header_end(out);
    sip_write_header(out, SIP_HDR_EVENT, packages[0]);
    sip_write_header(out, SIP_HDR_ACCEPT, SLICE_LIT(PIDF_MEDIA_TYPE));
    sip_write_allow_events(out, packages, ARRAY_COUNT(packages));
    sip_write_header_u32(out, SIP_HDR_EXPIRES, expires_s);
    return !out->failed;
}

/* The plain addresses of both; borrowed from scratch.text. */
static bool write_uris(struct contact *c, struct sip_request_params *params)
{
    struct buf *text = &presence_scratch(c->p)->text;
    size_t local_len;

    buf_clear(text);
    if (contact_put_uri(c, true, text)) {
        return false;
    }
    local_len = buf_len(text);
    if (contact_put_uri(c, false, text) || text->failed) {
        return false;
    }
    params->uri = slice_to(buf_slice(text), local_len);
    params->to_uri = params->uri;
    params->from_uri = slice_from(buf_slice(text), local_len);
    return true;
}

/* False: nothing was sent. */
static bool send_subscribe(struct contact *c, struct subscriber_dialog *d,
                           enum subscriber_call kind)
{
    struct sip_request_params params = {.method = SIP_METHOD_SUBSCRIBE,
                                        .max_forwards = SIP_MAX_FORWARDS};
    struct sip_dialog_routes routes;

    ASSERT(!d->call);
    if (!write_fields(c, kind == SUBSCRIBER_CALL_END ? 0 : d->asked_s) || !write_uris(c, &params) ||
        sip_dialog_next(d->sip, &routes, &params)) {
        return false;
    }
    if (sip_dialog_needs_store(d->sip)) {
        contact_touch(c);
    }
    d->call = contact_request(c, &params, buf_slice(&presence_scratch(c->p)->fields), SLICE_NONE,
                              SLICE_NONE, d, kind);
    return d->call != NULL;
}

static struct sip_dialog *new_sip_dialog(struct contact *c)
{
    struct sip_id call_id = sip_ids_call_id(presence_ids(c->p));
    struct sip_id tag = sip_ids_tag(presence_ids(c->p));

    return sip_dialog_new_uac(presence_dialogs(c->p), sip_id_slice(&call_id), sip_id_slice(&tag),
                              1);
}

/* NULL: no memory. */
static struct subscriber_dialog *new_dialog(struct contact *c)
{
    struct sip_dialog *sip = new_sip_dialog(c);
    struct subscriber_dialog *d = sip ? subscriber_dialog_new(c, sip) : NULL;
    struct presence_rule rule = {0};

    if (!d) {
        sip_dialog_free(sip);
        return NULL;
    }
    contact_rule(c, &rule);
    d->asked_s = rule.expires_s ? rule.expires_s
                 : rule.is_lync ? SUBSCRIBER_EXPIRES_LYNC_S
                                : SUBSCRIBER_EXPIRES_S;
    return d;
}

static void fail(struct contact *c, struct subscriber_dialog *d)
{
    struct subscriber_step step = {.dialog = d, .status = 503};

    subscriber_step(c, SUBSCRIBER_ON_FAILED, &step);
}

static void send_nascent(struct contact *c, struct subscriber_dialog *d)
{
    d->wants = false;
    d->timer_n_s = subscriber_now_s(c) + SIP_TIMER_N_S;
    c->in.tried_s = subscriber_now_s(c);
    if (!send_subscribe(c, d, SUBSCRIBER_CALL_NEW)) {
        fail(c, d);
    }
}

static void send_new(struct contact *c)
{
    struct subscriber_dialog *d = new_dialog(c);

    c->in.wants_new = false;
    if (d) {
        send_nascent(c, d);
        return;
    }
    c->in.tried_s = subscriber_now_s(c);
    fail(c, NULL);
}

static void send_refresh(struct contact *c, struct subscriber_dialog *d)
{
    d->wants = false;
    d->refresh_s = 0;
    d->timer_n_s = subscriber_now_s(c) + SIP_TIMER_N_S;
    if (subscriber_now_s(c) > d->doubt_s) {
        d->doubt_s = 0;
    }
    if (!send_subscribe(c, d, SUBSCRIBER_CALL_REFRESH)) {
        fail(c, d);
    }
}

static void send_end(struct contact *c, struct subscriber_dialog *d)
{
    d->wants = false;
    d->refresh_s = 0;
    if (!send_subscribe(c, d, SUBSCRIBER_CALL_END)) {
        subscriber_end_answered(c, d, 503);
    }
}

/* What is sent next: what ends first, so that nothing piles up. NULL: nothing in a dialog. */
static struct subscriber_dialog *next_wish(const struct contact *c)
{
    struct subscriber_dialog *found = NULL;

    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (d->wants && !d->call && (!found || d->phase > found->phase)) {
            found = d;
        }
    }
    return found;
}

static bool has_wish(const struct contact *c)
{
    return c->in.wants_new || next_wish(c);
}

static void send_one(struct contact *c)
{
    struct subscriber_dialog *d = next_wish(c);

    if (!d || (d->phase != SUBSCRIBER_ENDING && c->in.wants_new)) {
        send_new(c);
        return;
    }
    switch ((enum subscriber_phase)d->phase) {
    case SUBSCRIBER_NASCENT:
        send_nascent(c, d);
        break;
    case SUBSCRIBER_LIVE:
        send_refresh(c, d);
        break;
    case SUBSCRIBER_ENDING:
        send_end(c, d);
        break;
    }
}

/* When it is too late: what the watcher was told is withdrawn, or a dialog expires. The end of one
 * and the first of one have nothing to lose, but somebody waits. */
static uint32_t due_s(const struct contact *c)
{
    uint32_t soon_s = subscriber_now_s(c) + SUBSCRIBER_KEEP_S;
    uint32_t due_s = UINT32_MAX;

    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        uint32_t end_s = d->phase == SUBSCRIBER_LIVE ? d->expires_s : soon_s;

        if (d->wants && !d->call && end_s != 0 && end_s < due_s) {
            due_s = end_s;
        }
    }
    return due_s == UINT32_MAX || (c->in.wants_new && soon_s < due_s) ? soon_s : due_s;
}

void subscriber_pump(struct contact *c)
{
    /* Each turn takes one wish away, and a failure makes none that is due at once. */
    for (uint32_t i = 0; i <= SUBSCRIBER_DIALOGS_MAX && has_wish(c); i++) {
        if (c->in.is_paced || !contact_pace(c, due_s(c))) {
            c->in.is_paced = true;
            return;
        }
        send_one(c);
    }
    if (c->in.is_paced && !has_wish(c)) {
        c->in.is_paced = false;
        contact_pace_cancel(c);
    }
}

void subscriber_paced(struct contact *c)
{
    c->in.is_paced = false;
    if (has_wish(c)) {
        send_one(c);
    }
    subscriber_settle(c);
}
