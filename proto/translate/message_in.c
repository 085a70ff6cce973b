/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message_in: pager-mode SIP MESSAGE -> XMPP message. */
#include "base/ascii.h"
#include "base/attr.h"
#include "base/err.h"
#include "sip/checks.h"
#include "translate/address.h"
#include "translate/body.h"
#include "translate/message.h"
#include "translate/stamp.h"
#include "xml/writer.h"

#define ACCEPT_TYPES                                                                               \
    SLICE_LIT("text/plain, text/html, message/cpim, multipart/alternative, multipart/mixed, "      \
              "multipart/related, application/im-iscomposing+xml")
/* A Date older than this is worth showing. */
#define DELAY_WORTH_SHOWING_S 60
#define LANGUAGE_BYTES_MAX 35u

static void refuse(struct message_from_sip *r, enum message_why why, unsigned status,
                   struct slice reason)
{
    r->verdict = MESSAGE_REFUSED;
    r->why = why;
    r->status = status;
    r->reason = reason;
}

static void consume(struct message_from_sip *r, enum message_why why)
{
    r->verdict = MESSAGE_CONSUMED;
    r->why = why;
}

/* To: the Request-URI, since proxies retarget; From: the AOR, with our one resource. */
static bool read_addresses(struct message_from_sip *r, const struct sip_msg *m,
                           const struct message_from_sip_options *options)
{
    struct slice resource = options->resource.len ? options->resource : SLICE_LIT("sip");
    const struct sip_uri *from = options->keys ? &options->keys->from.uri : NULL;
    struct sip_addr addr UNINITIALIZED;
    unsigned status = options->keys
                          ? address_to_jid(&options->keys->uri, true, &r->to_mem, &r->to)
                          : address_text_to_jid(m->uri, true, &r->to_mem, &r->to);

    if (status) {
        refuse(r, MESSAGE_WHY_ADDRESS, status, SLICE_NONE);
        return false;
    }
    if (r->to.local.len == 0) {
        refuse(r, MESSAGE_WHY_NOT_A_USER, 404, SLICE_NONE);
        return false;
    }
    if (!from) {
        if (sip_msg_addr(m, SIP_HDR_FROM, &addr)) {
            refuse(r, MESSAGE_WHY_MALFORMED, 400, SLICE_LIT("Bad From"));
            return false;
        }
        from = &addr.uri;
    }
    /* Without a user part the SIP domain itself speaks. */
    if (address_to_jid_at(from, resource, &r->from_mem, &r->from)) {
        refuse(r, MESSAGE_WHY_ADDRESS, 403, SLICE_LIT("From Not Translatable"));
        return false;
    }
    return true;
}

/* CPIM headers speak for nobody: who says something else there than in SIP is refused. */
static bool is_same_identity(struct slice cpim_uri, const struct jid *sip_identity)
{
    struct jid_storage mem UNINITIALIZED;
    struct jid jid;

    return cpim_uri.len == 0 || (address_text_to_jid(cpim_uri, false, &mem, &jid) == 0 &&
                                 jid_eq_bare(&jid, sip_identity));
}

/* RFC 3428 section 7: an expired message is not delivered, and nobody minds. */
static bool is_expired(const struct sip_msg *m, int64_t now_unix_s)
{
    uint32_t expires;
    int64_t date;

    if (sip_msg_u32(m, SIP_HDR_EXPIRES, &expires)) {
        return false;
    }
    return sip_msg_date(m, &date) == 0 && date + (int64_t)expires < now_unix_s;
}

static bool judge_kind(struct message_from_sip *r, enum body_kind kind)
{
    switch (kind) {
    case BODY_TEXT:
        return true;
    case BODY_CHAT_STATE:
        consume(r, MESSAGE_WHY_CHAT_STATE);
        return false;
    case BODY_RECEIPT:
        consume(r, MESSAGE_WHY_RECEIPT);
        return false;
    case BODY_TYPE:
        refuse(r, MESSAGE_WHY_MEDIA_TYPE, 415, SLICE_NONE);
        r->accept = ACCEPT_TYPES;
        return false;
    case BODY_ENCODING:
        refuse(r, MESSAGE_WHY_ENCODING, 415, SLICE_NONE);
        r->accept = ACCEPT_TYPES;
        return false;
    case BODY_MALFORMED:
        refuse(r, MESSAGE_WHY_MALFORMED, 400, SLICE_LIT("Bad Message Body"));
        return false;
    }
    return false;
}

static void write_attr_jid(struct buf *out, const char *name, const struct jid *jid)
{
    char text[JID_BYTES_MAX] UNINITIALIZED;
    char *at = text;

    if (jid->local.len != 0) {
        at = mempcpy(at, jid->local.ptr, jid->local.len);
        *at++ = '@';
    }
    at = mempcpy(at, jid->domain.ptr, jid->domain.len);
    if (jid->resource.len != 0) {
        *at++ = '/';
        at = mempcpy(at, jid->resource.ptr, jid->resource.len);
    }
    xml_write_attr(out, name, slice_make(text, (size_t)(at - text)));
}

/* Content-Language: its first tag, if it is one. */
static struct slice first_language(struct slice value)
{
    struct slice lang;

    (void)slice_cut(&value, ',', &lang);
    lang = slice_trim(lang);
    for (size_t i = 0; i < lang.len; i++) {
        if (!ascii_is_alnum(lang.ptr[i]) && lang.ptr[i] != '-') {
            return SLICE_NONE;
        }
    }
    return lang.len <= LANGUAGE_BYTES_MAX ? lang : SLICE_NONE;
}

static void write_delay(struct buf *out, const struct message_from_sip *r, const struct sip_msg *m,
                        const struct body_info *info, int64_t now_unix_s)
{
    int64_t sent = 0;

    if (info->cpim_date_time.len == 0 || stamp_parse(info->cpim_date_time, &sent)) {
        if (sip_msg_date(m, &sent)) {
            return;
        }
    }
    if (sent <= 0 || sent + DELAY_WORTH_SHOWING_S >= now_unix_s) {
        return;
    }
    buf_put_lit(out, "<delay xmlns=\"urn:xmpp:delay\"");
    xml_write_attr(out, "from", r->from.domain);
    buf_put_lit(out, " stamp=\"");
    stamp_write(out, sent);
    buf_put_lit(out, "\"/>");
}

static void write_subject(struct buf *out, const struct sip_msg *m)
{
    struct slice value = sip_msg_value(m, SIP_HDR_SUBJECT);
    struct buf subject;

    if (value.len == 0) {
        return;
    }
    value = slice_to(value, MESSAGE_SUBJECT_BYTES_MAX);
    buf_init(&subject, MESSAGE_SUBJECT_BYTES_MAX);
    sip_unfold(&subject, value);
    buf_put_lit(out, "<subject>");
    xml_write_text_clean(out, buf_slice(&subject));
    buf_put_lit(out, "</subject>");
    buf_deinit(&subject);
}

static void write_stanza(struct buf *out, const struct message_from_sip *r, const struct sip_msg *m,
                         const struct body_info *info, struct slice text,
                         const struct message_from_sip_options *options)
{
    struct slice lang = info->language.len ? info->language
                                           : sip_msg_value(m, SIP_HDR_CONTENT_LANGUAGE);
    struct slice call_id;

    buf_put_lit(out, "<message");
    write_attr_jid(out, "from", &r->from);
    write_attr_jid(out, "to", &r->to);
    if (!options->type_normal) {
        buf_put_lit(out, " type=\"chat\"");
    }
    if (options->id.len > 0) {
        xml_write_attr(out, "id", options->id);
    }
    lang = first_language(lang);
    if (lang.len > 0) {
        xml_write_attr(out, "xml:lang", lang);
    }
    buf_putc(out, '>');
    write_subject(out, m);
    buf_put_lit(out, "<body>");
    xml_write_text_clean(out, text);
    buf_put_lit(out, "</body>");
    if (sip_msg_call_id(m, &call_id) == 0) {
        buf_put_lit(out, "<thread>");
        xml_write_text_clean(out, call_id);
        buf_put_lit(out, "</thread>");
    }
    write_delay(out, r, m, info, options->now_unix_s);
    buf_put_lit(out, "</message>");
}

/* The body is not compressed or encrypted as a whole (RFC 3261 20.12). */
static bool has_content_encoding(const struct sip_msg *m)
{
    struct slice value = slice_trim(sip_msg_value(m, SIP_HDR_CONTENT_ENCODING));

    return value.len > 0 && !slice_eq_nocase(value, SLICE_LIT("identity"));
}

void message_from_sip(struct message_from_sip *r, struct buf *out, const struct sip_msg *m,
                      const struct message_from_sip_options *options)
{
    size_t max = options->body_bytes_max ? options->body_bytes_max : MESSAGE_BODY_BYTES_MAX;
    struct body_in in = {.bytes = m->body};
    struct body_info info;
    struct buf text;

    r->verdict = MESSAGE_SEND;
    r->why = MESSAGE_WHY_NONE;
    r->status = 202;
    r->reason = SLICE_NONE;
    r->accept = SLICE_NONE;
    r->accept_identity = false;
    if (!read_addresses(r, m, options)) {
        return;
    }
    if (is_expired(m, options->now_unix_s)) {
        consume(r, MESSAGE_WHY_EXPIRED);
        return;
    }
    if (m->body.len == 0) {
        consume(r, MESSAGE_WHY_EMPTY);
        return;
    }
    if (has_content_encoding(m)) {
        refuse(r, MESSAGE_WHY_ENCODING, 415, SLICE_NONE);
        r->accept_identity = true;
        return;
    }
    in.content_type = sip_msg_value(m, SIP_HDR_CONTENT_TYPE);
    in.transfer_encoding = sip_msg_value(m, SIP_HDR_CONTENT_TRANSFER_ENCODING);
    size_t before = buf_len(out);
    buf_init(&text, max);
    if (judge_kind(r, body_read(&text, &in, &info))) {
        if (text.failed) {
            refuse(r, MESSAGE_WHY_TOO_BIG, 413, SLICE_NONE);
        } else if (!is_same_identity(info.cpim_from, &r->from) ||
                   !is_same_identity(info.cpim_to, &r->to)) {
            refuse(r, MESSAGE_WHY_IDENTITY, 403, SLICE_LIT("CPIM Identity Mismatch"));
        } else if (buf_len(&text) == 0) {
            consume(r, MESSAGE_WHY_EMPTY);
        } else {
            write_stanza(out, r, m, &info, buf_slice(&text), options);
        }
    }
    buf_deinit(&text);
    if (out->failed) {
        buf_truncate(out, before);
        refuse(r, MESSAGE_WHY_TOO_BIG, 413, SLICE_NONE);
    }
}
