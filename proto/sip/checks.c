/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks: the order of RFC 3261 8.2 and 16.3, one small function per step. */
#include "sip/checks.h"

#include "base/err.h"
#include "sip/chars.h"
#include "sip/write.h"

#define CSEQ_MAX         0x7FFFFFFFu /* RFC 3261 8.1.1.5 */
#define MAX_FORWARDS_MAX 255u        /* 20.22 */

static bool refuse(struct sip_verdict *v, uint16_t status, const char *why)
{
    *v = (struct sip_verdict){status, why};
    return false;
}

static bool version_is_ours(const struct sip_msg *m)
{
    return sip_is_name(m->version, "sip/2.0");
}

/* A sent-by without a port means that of the transport. */
static uint16_t port_of(const struct sip_host *sent_by, struct slice transport)
{
    if (sent_by->port) {
        return sent_by->port;
    }
    return sip_is_name(transport, "tls") ? 5061 : 5060;
}

static bool is_own(const struct sip_check_policy *p, const struct sip_via *via)
{
    for (uint32_t i = 0; i < p->own_count; i++) {
        if (port_of(&p->own[i], via->transport) == port_of(&via->sent_by, via->transport) &&
            sip_host_eq(&p->own[i], &via->sent_by)) {
            return true;
        }
    }
    return false;
}

/* All Via values: syntax, number, and whether one is ours. */
static bool read_vias(const struct sip_msg *m, const struct sip_check_policy *p,
                      struct sip_keys *keys)
{
    struct sip_list list;
    struct slice value;
    struct sip_via via UNINITIALIZED;

    keys->via_count = 0;
    keys->is_loop = false;
    sip_list_init(&list, m, SIP_HDR_VIA);
    while (sip_list_next(&list, &value)) {
        struct sip_via *to = keys->via_count == 0 ? &keys->via : &via;

        if (++keys->via_count > SIP_VIA_DEPTH_MAX || sip_via_parse(value, to)) {
            return false;
        }
        if (keys->via_count == 1) {
            keys->via_text = value;
        }
        keys->is_loop = keys->is_loop || is_own(p, to);
    }
    return keys->via_count > 0;
}

/* The fields every message has (8.1.1), and their syntax. */
static const char *read_keys(const struct sip_msg *m, const struct sip_check_policy *p,
                             struct sip_keys *keys)
{
    if (m->has_double) {
        return "header field may occur only once";
    }
    if (!read_vias(m, p, keys)) {
        return "Via missing or malformed";
    }
    if (sip_msg_addr(m, SIP_HDR_FROM, &keys->from) || keys->from.is_star) {
        return "From missing or malformed";
    }
    if (sip_msg_addr(m, SIP_HDR_TO, &keys->to) || keys->to.is_star) {
        return "To missing or malformed";
    }
    if (sip_msg_call_id(m, &keys->call_id)) {
        return "Call-ID missing or malformed";
    }
    if (sip_msg_cseq(m, &keys->cseq) || keys->cseq.number > CSEQ_MAX) {
        return "CSeq missing or malformed";
    }
    return NULL;
}

static bool addrs_are_valid(const struct sip_msg *m, enum sip_header id, bool star_allowed)
{
    struct sip_list list;
    struct slice value;
    struct sip_addr addr UNINITIALIZED;
    unsigned count = 0;

    if (!sip_msg_has(m, id)) {
        return true;
    }

    sip_list_init(&list, m, id);
    while (sip_list_next(&list, &value)) {
        if (++count > SIP_LIST_VALUES_MAX || sip_addr_parse(value, &addr) ||
            (addr.is_star && !star_allowed)) {
            return false;
        }
    }
    return true;
}

/* *hops: Max-Forwards, or the largest there is. */
static const char *check_fields(const struct sip_msg *m, uint32_t *hops)
{
    *hops = MAX_FORWARDS_MAX;
    if (sip_msg_has(m, SIP_HDR_MAX_FORWARDS) &&
        (sip_msg_u32(m, SIP_HDR_MAX_FORWARDS, hops) || *hops > MAX_FORWARDS_MAX)) {
        return "Max-Forwards malformed";
    }
    if (!addrs_are_valid(m, SIP_HDR_CONTACT, true)) {
        return "Contact malformed";
    }
    if (!addrs_are_valid(m, SIP_HDR_ROUTE, false) ||
        !addrs_are_valid(m, SIP_HDR_RECORD_ROUTE, false)) {
        return "Route or Record-Route malformed";
    }
    return NULL;
}

static bool check_method(const struct sip_msg *m, const struct sip_check_policy *p,
                         const struct sip_keys *keys, struct sip_verdict *v)
{
    uint32_t served =
        p->methods | SIP_METHOD_BIT(SIP_METHOD_ACK) | SIP_METHOD_BIT(SIP_METHOD_CANCEL);

    if (m->method == SIP_METHOD_UNKNOWN) {
        return refuse(v, 501, "method not known");
    }
    if (!slice_eq(m->method_text, keys->cseq.method_text)) {
        return refuse(v, 400, "CSeq method differs");
    }
    if (!(served & SIP_METHOD_BIT(m->method))) {
        return refuse(v, 405, "method not served");
    }
    return true;
}

static bool check_uri(const struct sip_msg *m, const struct sip_check_policy *p,
                      struct sip_keys *keys, struct sip_verdict *v)
{
    if (sip_msg_uri(m, &keys->uri)) {
        return refuse(v, 400, "Request-URI malformed");
    }
    if (keys->uri.headers.len > 0) {
        return refuse(v, 400, "Request-URI with header fields");
    }
    if (!(p->schemes & SIP_SCHEME_BIT(keys->uri.scheme))) {
        return refuse(v, 416, "Request-URI scheme not served");
    }
    /* RFC 7247 8: a sips To promises security on all hops, which is not ours to keep. */
    if (keys->to.uri.scheme == SIP_SCHEME_SIPS && !(p->schemes & SIP_SCHEME_BIT(SIP_SCHEME_SIPS))) {
        return refuse(v, 416, "sips in To not served");
    }
    return true;
}

static bool in_list(const struct slice *items, uint32_t count, struct slice item)
{
    for (uint32_t i = 0; i < count; i++) {
        if (slice_eq_nocase(items[i], item)) {
            return true;
        }
    }
    return false;
}

static bool requirement_is_met(const struct sip_check_policy *p, struct slice tag)
{
    return tag.len == 0 || in_list(p->supported, p->supported_count, tag);
}

static bool check_require(const struct sip_msg *m, const struct sip_check_policy *p,
                          struct sip_verdict *v)
{
    struct sip_list list;
    struct slice tag;

    sip_list_init(&list, m, SIP_HDR_REQUIRE);
    while (sip_list_next(&list, &tag)) {
        if (!requirement_is_met(p, tag)) {
            return refuse(v, 420, "extension required that is not supported");
        }
    }
    return true;
}

/* What may be the body of a request like m: a document in a MESSAGE would be no notification. */
static const struct slice *accepted_by(const struct sip_check_policy *p, const struct sip_msg *m,
                                       uint32_t *count)
{
    bool is_notify = m->method == SIP_METHOD_NOTIFY;

    *count = is_notify ? p->notify_accept_count : p->accept_count;
    return is_notify ? p->notify_accept : p->accept;
}

static bool type_is_accepted(const struct sip_check_policy *p, const struct sip_msg *m,
                             const struct sip_media_type *t)
{
    uint32_t count;
    const struct slice *accept = accepted_by(p, m, &count);

    for (uint32_t i = 0; i < count; i++) {
        struct slice subtype = accept[i];
        struct slice type;

        (void)slice_cut(&subtype, '/', &type);
        if (sip_media_type_is(t, type, subtype)) {
            return true;
        }
    }
    return false;
}

static bool check_body(const struct sip_msg *m, const struct sip_check_policy *p,
                       struct sip_verdict *v)
{
    uint32_t bytes_max = p->body_bytes_max ? p->body_bytes_max : SIP_BODY_BYTES_MAX;
    struct sip_media_type type;
    struct sip_list list;
    struct slice coding;
    int err;

    if (m->body.len > bytes_max) {
        return refuse(v, 413, "body too large");
    }
    if (m->body.len == 0) {
        return true;
    }
    sip_list_init(&list, m, SIP_HDR_CONTENT_ENCODING);
    while (sip_list_next(&list, &coding)) {
        if (!slice_eq_nocase(coding, SLICE_LIT("identity"))) {
            return refuse(v, 415, "Content-Encoding not supported");
        }
    }
    err = sip_msg_content_type(m, &type);
    if (err) {
        return refuse(
            v, 400, err == ERR_NOT_FOUND ? "body without Content-Type" : "Content-Type malformed");
    }
    return type_is_accepted(p, m, &type) ? true : refuse(v, 415, "Content-Type not supported");
}

bool sip_check_request_keys(const struct sip_msg *m, const struct sip_check_policy *p,
                            struct sip_keys *keys, struct sip_verdict *v)
{
    const char *why;
    uint32_t hops;

    *v = (struct sip_verdict){0, ""};
    if (!m->is_request || m->flaw.why) {
        return refuse(v, m->is_request ? m->flaw.status : 0,
                      m->flaw.why ? m->flaw.why : "not a request");
    }
    if (!version_is_ours(m)) {
        return refuse(v, 505, "SIP version not supported");
    }
    why = read_keys(m, p, keys);
    if (why) {
        return refuse(v, 400, why);
    }
    if (!p->from_tag_optional && keys->from.tag.len == 0) {
        return refuse(v, 400, "From without tag");
    }
    if (!check_method(m, p, keys, v)) {
        return false;
    }
    why = check_fields(m, &hops);
    if (why) {
        return refuse(v, 400, why);
    }
    if (m->method == SIP_METHOD_ACK) {
        return true; /* never answered, so nothing more to find wrong */
    }
    if (!check_uri(m, p, keys, v)) {
        return false;
    }
    if (m->method != SIP_METHOD_OPTIONS && m->method != SIP_METHOD_CANCEL &&
        hops == 0) {
        return refuse(v, 483, "Max-Forwards is 0");
    }
    if (keys->is_loop) {
        return refuse(v, 482, "loop: the request has been here");
    }
    if (m->method == SIP_METHOD_CANCEL) {
        return true; /* 9.1: no Require in CANCEL, and no body */
    }
    return check_require(m, p, v) && check_body(m, p, v);
}

bool sip_check_request(const struct sip_msg *m, const struct sip_check_policy *p,
                       struct sip_verdict *verdict)
{
    struct sip_keys keys UNINITIALIZED;

    return sip_check_request_keys(m, p, &keys, verdict);
}

bool sip_check_response(const struct sip_msg *m, const struct sip_check_policy *p,
                        struct sip_verdict *verdict)
{
    struct sip_keys keys UNINITIALIZED;

    return sip_check_response_keys(m, p, &keys, verdict);
}

bool sip_check_response_keys(const struct sip_msg *m, const struct sip_check_policy *p,
                             struct sip_keys *keys, struct sip_verdict *verdict)
{
    const char *why;

    *verdict = (struct sip_verdict){0, ""};
    if (m->is_request || m->flaw.why) {
        return refuse(verdict, 0, m->flaw.why ? m->flaw.why : "not a response");
    }
    if (!version_is_ours(m)) {
        return refuse(verdict, 0, "SIP version not supported");
    }
    why = read_keys(m, p, keys);
    if (why) {
        return refuse(verdict, 0, why);
    }
    if (keys->via_count != 1) {
        return refuse(verdict, 0, "more than one Via: meant for someone else"); /* 8.1.3.3 */
    }
    if (p->own_count > 0 && !keys->is_loop) {
        return refuse(verdict, 0, "Via is not ours"); /* 18.1.2 */
    }
    return true;
}

void sip_put_methods(struct buf *out, uint32_t methods)
{
    bool is_first = true;

    for (unsigned m = SIP_METHOD_UNKNOWN + 1; m < SIP_METHOD_COUNT; m++) {
        if (methods & SIP_METHOD_BIT(m)) {
            if (!is_first) {
                buf_put_lit(out, ", ");
            }
            buf_put(out, sip_method_name((enum sip_method)m));
            is_first = false;
        }
    }
}

void sip_put_list(struct buf *out, const struct slice *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_put_lit(out, ", ");
        }
        sip_put_clean(out, items[i]);
    }
}

static void put_unsupported(struct buf *out, const struct sip_msg *m,
                            const struct sip_check_policy *p)
{
    struct sip_list list;
    struct slice tag;
    bool is_first = true;

    sip_write_header_begin(out, SIP_HDR_UNSUPPORTED);
    sip_list_init(&list, m, SIP_HDR_REQUIRE);
    while (sip_list_next(&list, &tag)) {
        if (!requirement_is_met(p, tag)) {
            if (!is_first) {
                buf_put_lit(out, ", ");
            }
            sip_put_clean(out, tag);
            is_first = false;
        }
    }
    sip_write_header_end(out);
}

void sip_verdict_put(struct buf *out, const struct sip_msg *m, const struct sip_check_policy *p,
                     const struct sip_verdict *verdict)
{
    const struct slice *accept;
    uint32_t count;

    if (verdict->status == 405 || verdict->status == 501) {
        sip_write_header_begin(out, SIP_HDR_ALLOW);
        sip_put_methods(out, p->methods);
        sip_write_header_end(out);
    } else if (verdict->status == 415) {
        accept = accepted_by(p, m, &count);
        sip_write_header_begin(out, SIP_HDR_ACCEPT);
        sip_put_list(out, accept, count);
        sip_write_header_end(out);
        sip_write_header(out, SIP_HDR_ACCEPT_ENCODING, SLICE_LIT("identity"));
    } else if (verdict->status == 420) {
        put_unsupported(out, m, p);
    }
}
