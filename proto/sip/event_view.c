/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event_view: whole SUBSCRIBE and NOTIFY requests, and what is wrong with them (RFC 6665 4.1.3,
 * 4.2.1, 4.2.3). What no reader could understand comes before what we do not serve.              */
#include "sip/event.h"

#include "base/err.h"

static bool refuse(struct sip_verdict *v, uint16_t status, const char *why)
{
    *v = (struct sip_verdict){status, why};
    return false;
}

/* At most one Contact, a SIP URI; *contact stays zeroed without any. */
static bool read_contact(const struct sip_msg *m, struct sip_addr *contact, struct sip_verdict *v)
{
    struct sip_list list;
    struct slice value;

    *contact = (struct sip_addr){.is_star = false};
    sip_list_init(&list, m, SIP_HDR_CONTACT);
    if (!sip_list_next(&list, &value)) {
        return true;
    }
    if (sip_addr_parse(value, contact) || contact->is_star) {
        return refuse(v, 400, "Contact malformed");
    }
    if (contact->uri.scheme != SIP_SCHEME_SIP && contact->uri.scheme != SIP_SCHEME_SIPS) {
        return refuse(v, 400, "Contact is no SIP URI");
    }
    if (sip_list_next(&list, &value)) {
        return refuse(v, 400, "more than one Contact");
    }
    return true;
}

/* Absent, without a word that we know, or malformed: 4.2.3 wants 489 for SUBSCRIBE without Event.
 * A NOTIFY without Event is broken, and 489 would end the subscription (4.2.2) that it meant.   */
static bool read_event(const struct sip_msg *m, const struct sip_event_policy *p,
                       struct sip_event *event, struct sip_verdict *v)
{
    int err = sip_msg_event(m, event);

    if (err == ERR_NOT_FOUND) {
        return refuse(v, m->method == SIP_METHOD_NOTIFY ? 400 : 489, "Event missing");
    }
    if (err || event->id.len > SIP_DIALOG_EVENT_ID_BYTES_MAX) {
        return refuse(v, 400, "Event malformed");
    }
    for (uint32_t i = 0; i < p->package_count; i++) {
        if (slice_eq(event->package, p->packages[i])) {
            return true;
        }
    }
    return refuse(v, 489, "event package not served");
}

static bool read_accept(const struct sip_msg *m, const struct sip_event_policy *p,
                        uint32_t *type_idx, struct sip_verdict *v)
{
    for (*type_idx = 0; *type_idx < p->type_count; (*type_idx)++) {
        struct slice subtype = p->types[*type_idx];
        struct slice type;

        (void)slice_cut(&subtype, '/', &type);
        switch (sip_msg_accepts(m, type, subtype)) {
        case SIP_ACCEPT_ABSENT:
        case SIP_ACCEPT_YES:
            return true;
        case SIP_ACCEPT_BAD:
            return refuse(v, 400, "Accept malformed");
        case SIP_ACCEPT_NO:
            break;
        }
    }
    return refuse(v, 406, "no type of notification that is served is accepted");
}

static uint32_t min_expires(const struct sip_event_policy *p)
{
    return p->expires_min_s < SIP_EXPIRES_TOO_BRIEF_S ? p->expires_min_s : SIP_EXPIRES_TOO_BRIEF_S;
}

static bool read_expires(const struct sip_msg *m, const struct sip_event_policy *p,
                         uint32_t *expires_s, struct sip_verdict *v)
{
    uint32_t default_s = p->expires_default_s ? p->expires_default_s : SIP_EXPIRES_PRESENCE_S;

    if (!sip_msg_expires(m, default_s, expires_s)) {
        return refuse(v, 400, "Expires malformed");
    }
    if (*expires_s > 0 && *expires_s < min_expires(p)) {
        return refuse(v, 423, "Expires below the minimum");
    }
    if (p->expires_max_s > 0 && *expires_s > p->expires_max_s) {
        *expires_s = p->expires_max_s;
    }
    return true;
}

/* What dialogs and identities hang on. Only for requests that were not checked can it fail. */
static bool read_names(const struct sip_msg *m, struct sip_dialog_key *key, uint32_t *cseq,
                       struct sip_verdict *v)
{
    struct sip_cseq number;

    if (sip_dialog_key_read(m, key) || sip_msg_cseq(m, &number)) {
        return refuse(v, 400, "From, To, Call-ID or CSeq malformed");
    }
    if (key->call_id.len > SIP_DIALOG_CALL_ID_BYTES_MAX ||
        key->remote_tag.len > SIP_DIALOG_TAG_BYTES_MAX) {
        return refuse(v, 400, "Call-ID or tag too long");
    }
    *cseq = number.number;
    return true;
}

static bool read_addrs(const struct sip_msg *m, struct sip_addr *from, struct sip_addr *to,
                       struct sip_verdict *v)
{
    if (sip_msg_addr(m, SIP_HDR_FROM, from) || sip_msg_addr(m, SIP_HDR_TO, to) || from->is_star ||
        to->is_star) {
        return refuse(v, 400, "From or To malformed");
    }
    return true;
}

bool sip_subscribe_read(const struct sip_msg *m, const struct sip_event_policy *p,
                        struct sip_subscribe_view *out, struct sip_verdict *verdict)
{
    *out = (struct sip_subscribe_view){.cseq = 0};
    *verdict = (struct sip_verdict){0, ""};
    if (!read_names(m, &out->key, &out->cseq, verdict) ||
        !read_addrs(m, &out->from, &out->to, verdict) || !read_contact(m, &out->contact, verdict)) {
        return false;
    }
    if (sip_msg_uri(m, &out->uri)) {
        return refuse(verdict, 400, "Request-URI malformed");
    }
    if (out->contact.uri.text.len == 0 && out->key.local_tag.len == 0) {
        return refuse(verdict, 400, "Contact missing"); /* RFC 3261 8.1.1.8, 12.1.1 */
    }
    out->supports_eventlist = sip_msg_list_has(m, SIP_HDR_SUPPORTED, SLICE_LIT("eventlist"));
    return read_event(m, p, &out->event, verdict) && read_accept(m, p, &out->type_idx, verdict) &&
           read_expires(m, p, &out->expires_s, verdict);
}

bool sip_notify_read(const struct sip_msg *m, const struct sip_event_policy *p,
                     struct sip_notify_view *out, struct sip_verdict *verdict)
{
    int err;

    *out = (struct sip_notify_view){.cseq = 0};
    *verdict = (struct sip_verdict){0, ""};
    if (!read_names(m, &out->key, &out->cseq, verdict) ||
        !read_addrs(m, &out->from, &out->to, verdict) || !read_contact(m, &out->contact, verdict)) {
        return false;
    }
    err = sip_msg_subscription_state(m, &out->state);
    if (err) {
        return refuse(verdict, 400,
                      err == ERR_NOT_FOUND ? "Subscription-State missing"
                                           : "Subscription-State malformed");
    }
    if (!read_event(m, p, &out->event, verdict)) {
        return false;
    }
    out->body = m->body;
    if (m->body.len > 0 && sip_msg_content_type(m, &out->type)) {
        return refuse(verdict, 400, "Content-Type missing or malformed");
    }
    return true;
}

void sip_write_allow_events(struct buf *out, const struct slice *packages, uint32_t count)
{
    if (count > 0) {
        sip_write_header_begin(out, SIP_HDR_ALLOW_EVENTS);
        sip_put_list(out, packages, count);
        sip_write_header_end(out);
    }
}

void sip_event_verdict_put(struct buf *out, const struct sip_event_policy *p,
                           const struct sip_verdict *verdict)
{
    if (verdict->status == 489) {
        sip_write_allow_events(out, p->packages, p->package_count);
    } else if (verdict->status == 406) {
        sip_write_header_begin(out, SIP_HDR_ACCEPT);
        sip_put_list(out, p->types, p->type_count);
        sip_write_header_end(out);
    } else if (verdict->status == 423) {
        sip_write_header_u32(out, SIP_HDR_MIN_EXPIRES, min_expires(p));
    }
}
