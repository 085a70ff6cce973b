/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error: the tables, and the few rules that depend on more than the status or condition. */
#include "translate/error.h"

#include <stdio.h>

#include "base/utf8.h"
#include "sip/write.h"
#include "translate/address.h"

#define C(name) STANZA_CONDITION_##name
#define T(name) STANZA_ERROR_TYPE_##name

struct sip_row {
    uint16_t status;
    enum stanza_condition condition;
    enum stanza_error_type type;
};

/* Sorted by status; what is missing goes by its class. */
static const struct sip_row sip_rows[] = {
    {300, C(RECIPIENT_UNAVAILABLE), T(WAIT)}, /* redirections are not followed */
    {301, C(GONE), T(CANCEL)},
    {302, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    {305, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    {380, C(NOT_ACCEPTABLE), T(MODIFY)},
    {400, C(BAD_REQUEST), T(MODIFY)},
    {401, C(NOT_AUTHORIZED), T(AUTH)},
    {402, C(BAD_REQUEST), T(MODIFY)},
    {403, C(FORBIDDEN), T(AUTH)},
    {404, C(ITEM_NOT_FOUND), T(CANCEL)},
    {405, C(FEATURE_NOT_IMPLEMENTED), T(CANCEL)},
    {406, C(NOT_ACCEPTABLE), T(MODIFY)},
    {407, C(REGISTRATION_REQUIRED), T(AUTH)},
    {408, C(REMOTE_SERVER_TIMEOUT), T(WAIT)},
    {409, C(CONFLICT), T(CANCEL)},
    {410, C(GONE), T(CANCEL)},
    {412, C(BAD_REQUEST), T(MODIFY)},
    {413, C(POLICY_VIOLATION), T(MODIFY)},
    {414, C(POLICY_VIOLATION), T(MODIFY)},
    {415, C(NOT_ACCEPTABLE), T(MODIFY)},
    {416, C(NOT_ACCEPTABLE), T(MODIFY)},
    {417, C(BAD_REQUEST), T(MODIFY)},
    {420, C(FEATURE_NOT_IMPLEMENTED), T(CANCEL)},
    {421, C(NOT_ACCEPTABLE), T(MODIFY)},
    {422, C(BAD_REQUEST), T(MODIFY)},
    {423, C(RESOURCE_CONSTRAINT), T(WAIT)},
    {424, C(BAD_REQUEST), T(MODIFY)},
    {425, C(BAD_REQUEST), T(MODIFY)},
    {428, C(NOT_AUTHORIZED), T(AUTH)},
    {429, C(NOT_AUTHORIZED), T(AUTH)},
    {430, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    {433, C(NOT_ALLOWED), T(CANCEL)},
    {436, C(NOT_AUTHORIZED), T(AUTH)},
    {437, C(NOT_AUTHORIZED), T(AUTH)},
    {438, C(NOT_AUTHORIZED), T(AUTH)},
    {439, C(FEATURE_NOT_IMPLEMENTED), T(CANCEL)},
    {440, C(POLICY_VIOLATION), T(WAIT)},
    {469, C(BAD_REQUEST), T(MODIFY)},
    {470, C(FORBIDDEN), T(AUTH)},
    {480, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    {481, C(ITEM_NOT_FOUND), T(CANCEL)},
    {482, C(NOT_ACCEPTABLE), T(CANCEL)},
    {483, C(NOT_ACCEPTABLE), T(CANCEL)},
    {484, C(ITEM_NOT_FOUND), T(CANCEL)},
    {485, C(ITEM_NOT_FOUND), T(CANCEL)},
    {486, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    {487, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    {488, C(NOT_ACCEPTABLE), T(MODIFY)},
    {489, C(POLICY_VIOLATION), T(CANCEL)},
    {491, C(UNEXPECTED_REQUEST), T(WAIT)},
    {493, C(BAD_REQUEST), T(MODIFY)},
    {494, C(BAD_REQUEST), T(MODIFY)},
    {500, C(INTERNAL_SERVER_ERROR), T(CANCEL)},
    {501, C(FEATURE_NOT_IMPLEMENTED), T(CANCEL)},
    {502, C(REMOTE_SERVER_NOT_FOUND), T(CANCEL)},
    {503, C(REMOTE_SERVER_TIMEOUT), T(WAIT)}, /* after the other targets were tried */
    {504, C(REMOTE_SERVER_TIMEOUT), T(WAIT)},
    {505, C(NOT_ACCEPTABLE), T(CANCEL)},
    {513, C(POLICY_VIOLATION), T(MODIFY)},
    {555, C(INTERNAL_SERVER_ERROR), T(CANCEL)},
    {580, C(INTERNAL_SERVER_ERROR), T(CANCEL)},
    {600, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    {603, C(RECIPIENT_UNAVAILABLE), T(CANCEL)},
    {604, C(ITEM_NOT_FOUND), T(CANCEL)},
    {606, C(NOT_ACCEPTABLE), T(MODIFY)},
    {607, C(POLICY_VIOLATION), T(CANCEL)},
    {608, C(POLICY_VIOLATION), T(CANCEL)},
};

static struct sip_row find_row(unsigned status)
{
    static const struct sip_row classes[] = {
        {3, C(REDIRECT), T(MODIFY)},
        {4, C(BAD_REQUEST), T(MODIFY)},
        {5, C(INTERNAL_SERVER_ERROR), T(CANCEL)},
        {6, C(RECIPIENT_UNAVAILABLE), T(WAIT)},
    };

    for (size_t i = 0; i < ARRAY_COUNT(sip_rows); i++) {
        if (sip_rows[i].status == status) {
            return sip_rows[i];
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(classes); i++) {
        if (classes[i].status == status / 100) {
            return classes[i];
        }
    }
    /* Not a final failure: a caller's mistake or a peer's status beyond the protocol. */
    return (struct sip_row){0, C(INTERNAL_SERVER_ERROR), T(CANCEL)};
}

/* What Microsoft servers mean by it. */
static void refine_by_ms_diagnostics(struct stanza_error *e, uint32_t id)
{
    switch (id) {
    case 1002: /* not authorised for federated partners */
    case 1012: /* not authorised outside the enterprise */
        e->condition = C(POLICY_VIOLATION);
        e->type = T(CANCEL);
        break;
    case 1003: /* user does not exist */
    case 4005: /* destination not enabled for SIP */
        e->condition = C(ITEM_NOT_FOUND);
        e->type = T(CANCEL);
        break;
    case 1005: /* cannot route to destination domain */
    case 1008: /* cannot resolve DNS SRV */
    case 1014: /* cannot resolve A */
        e->condition = C(REMOTE_SERVER_NOT_FOUND);
        e->type = T(CANCEL);
        break;
    case 1007: /* temporarily cannot route */
    case 1010: /* certificate trust with next hop */
    case 1047: /* TLS negotiation failed */
        e->condition = C(REMOTE_SERVER_TIMEOUT);
        e->type = T(WAIT);
        break;
    default:
        break;
    }
}

void error_sip_read(struct error_sip *out, const struct sip_msg *response)
{
    struct sip_reason diagnostics;
    struct sip_warning warning;
    struct sip_list list;
    struct slice value;

    *out = (struct error_sip){.status = response->status, .reason = response->reason};
    out->has_retry_after = sip_msg_has(response, SIP_HDR_RETRY_AFTER);
    sip_list_init(&list, response, SIP_HDR_WARNING);
    while (sip_list_next(&list, &value)) {
        if (sip_warning_parse(value, &warning) == 0 && warning.code == 309) {
            out->has_warning_309 = true;
        }
    }
    value = sip_msg_value(response, SIP_HDR_MS_DIAGNOSTICS);
    if (value.len > 0 && sip_ms_diagnostics_parse(value, &diagnostics) == 0) {
        out->ms_diagnostics = diagnostics.cause;
    }
}

/* "404 Not Found", of characters XML can carry. */
static struct slice put_text(struct error_text *mem, unsigned status, struct slice reason)
{
    char digits[3] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10)};
    size_t len = sizeof(digits);
    size_t at = 0;
    uint32_t c;

    memcpy(mem->bytes, digits, sizeof(digits));
    if (reason.len == 0) {
        reason = sip_status_phrase(status);
    }
    if (reason.len > 0) {
        mem->bytes[len++] = ' ';
    }
    while (at < reason.len && len + 4 <= sizeof(mem->bytes)) {
        if (!utf8_next(reason, &at, &c)) {
            at++;
            c = '?';
        }
        if (c < 0x20 || c == 0x7f || !utf8_is_xml_char(c)) {
            c = ' ';
        }
        len += utf8_put(mem->bytes + len, c);
    }
    return slice_make(mem->bytes, len);
}

/* ` code="403" ms-id="1002"`: figures only, so nothing needs escaping. */
static struct slice put_attrs(struct error_text *mem, unsigned status, uint32_t ms_id)
{
    int len = ms_id ? snprintf(mem->attrs, sizeof(mem->attrs), " code=\"%u\" ms-id=\"%u\"", status,
                               ms_id)
                    : snprintf(mem->attrs, sizeof(mem->attrs), " code=\"%u\"", status);

    return slice_make(mem->attrs, len > 0 && (size_t)len < sizeof(mem->attrs) ? (size_t)len : 0);
}

void error_from_sip(struct stanza_error *out, struct error_text *mem, const struct error_sip *sip,
                    bool mask_404)
{
    struct sip_row row = find_row(sip->status);
    unsigned status = sip->status;
    struct slice reason = sip->reason;

    *out = (struct stanza_error){.condition = row.condition, .type = row.type};
    if (status == 500 && sip->has_retry_after) {
        out->type = T(WAIT);
    }
    if (status == 606 && sip->has_warning_309) {
        out->condition = C(POLICY_VIOLATION);
    }
    if (sip->ms_diagnostics != 0) {
        refine_by_ms_diagnostics(out, sip->ms_diagnostics);
    }
    if (mask_404 && out->condition == C(ITEM_NOT_FOUND)) {
        out->condition = C(SERVICE_UNAVAILABLE);
        out->type = T(CANCEL);
        return; /* neither text nor status may tell the difference */
    }
    out->text = put_text(mem, status, reason);
    out->app_name = ERROR_SIP_NAME;
    out->app_ns = ERROR_SIP_NS;
    out->app_attrs = put_attrs(mem, status, sip->ms_diagnostics);
}

void error_from_local(struct stanza_error *out, enum error_local what)
{
    *out = (struct stanza_error){.type = T(DEFAULT)};
    switch (what) {
    case ERROR_LOCAL_NO_ROUTE:
        out->condition = C(REMOTE_SERVER_NOT_FOUND);
        out->text = SLICE_LIT("No route to the SIP domain");
        break;
    case ERROR_LOCAL_NO_ANSWER:
        out->condition = C(REMOTE_SERVER_TIMEOUT);
        out->text = SLICE_LIT("No answer from the SIP domain");
        break;
    case ERROR_LOCAL_QUEUE_FULL:
        out->condition = C(RESOURCE_CONSTRAINT);
        out->text = SLICE_LIT("Too many messages are waiting");
        break;
    case ERROR_LOCAL_POLICY:
        out->condition = C(POLICY_VIOLATION);
        out->type = T(CANCEL);
        out->text = SLICE_LIT("Not permitted here");
        break;
    }
}

struct xmpp_row {
    enum stanza_condition condition;
    uint16_t to_bare;
    uint16_t to_full;
};

static const struct xmpp_row xmpp_rows[] = {
    {C(BAD_REQUEST), 400, 400},
    {C(JID_MALFORMED), 400, 400},
    {C(CONFLICT), 400, 400},
    {C(FEATURE_NOT_IMPLEMENTED), 501, 480},
    {C(FORBIDDEN), 403, 403},
    {C(GONE), 410, 410},
    {C(INTERNAL_SERVER_ERROR), 500, 500},
    {C(ITEM_NOT_FOUND), 404, 404},
    {C(NOT_ACCEPTABLE), 606, 406},
    {C(NOT_ALLOWED), 403, 403},
    {C(POLICY_VIOLATION), 403, 403},
    {C(NOT_AUTHORIZED), 403, 403},
    {C(RECIPIENT_UNAVAILABLE), 480, 480},
    {C(REDIRECT), 480, 480},
    {C(REGISTRATION_REQUIRED), 403, 403},
    {C(REMOTE_SERVER_NOT_FOUND), 404, 404},
    {C(REMOTE_SERVER_TIMEOUT), 504, 504},
    {C(RESOURCE_CONSTRAINT), 480, 480},
    {C(SERVICE_UNAVAILABLE), 480, 480},
    {C(SUBSCRIPTION_REQUIRED), 403, 403},
    {C(UNDEFINED_CONDITION), 500, 500},
    {C(UNEXPECTED_REQUEST), 400, 400},
    {C(REMOTE_CONNECTION_FAILED), 504, 504},
};

static bool stream_to_sip(struct error_response *out, enum error_stream what)
{
    switch (what) {
    case ERROR_STREAM_NONE:
        return false;
    case ERROR_STREAM_HOST_UNKNOWN:
        out->status = 404;
        out->reason = SLICE_LIT("Domain Not Found");
        return true;
    case ERROR_STREAM_UNREACHABLE:
        out->status = 504;
        out->reason = SLICE_LIT("Domain Not Reachable");
        return true;
    case ERROR_STREAM_NO_TRUST:
        out->status = 403;
        out->reason = SLICE_LIT("Domain Not Authenticated");
        return true;
    case ERROR_STREAM_TLS_REFUSED:
        out->status = 403;
        out->reason = SLICE_LIT("TLS Required");
        return true;
    case ERROR_STREAM_QUEUE_FULL:
        out->status = 480;
        out->reason = SLICE_LIT("Too Many Messages Waiting");
        out->retry_after_s = ERROR_RETRY_AFTER_S;
        return true;
    }
    return false;
}

/* "xmpp:user@host?..." as a SIP URI. */
static bool put_alternate(struct buf *contact, struct slice alternate)
{
    struct slice scheme = SLICE_LIT("xmpp:");
    struct jid_storage mem;
    struct slice path;
    struct jid jid;

    if (!slice_eq_nocase(slice_to(alternate, scheme.len), scheme)) {
        return false;
    }
    alternate = slice_from(alternate, scheme.len);
    (void)slice_cut(&alternate, '?', &path);
    if (slice_find(path, '%') >= 0 || jid_parse(&mem, path, &jid) || jid.local.len == 0) {
        return false;
    }
    return address_to_uri(contact, &jid, false) == 0;
}

void error_to_sip(struct error_response *out, struct buf *contact, const struct error_xmpp *in)
{
    *out = (struct error_response){.status = 500};
    if (stream_to_sip(out, in->stream)) {
        return;
    }
    enum stanza_condition condition = in->error.condition;
    for (size_t i = 0; i < ARRAY_COUNT(xmpp_rows); i++) {
        if (xmpp_rows[i].condition == condition) {
            out->status = in->is_to_full ? xmpp_rows[i].to_full : xmpp_rows[i].to_bare;
        }
    }
    if (condition == C(POLICY_VIOLATION) && in->is_about_size) {
        out->status = 413;
    }
    if (condition == C(REMOTE_SERVER_NOT_FOUND) && in->is_unresolvable) {
        out->status = 504;
    }
    if (condition == C(RESOURCE_CONSTRAINT)) {
        out->retry_after_s = ERROR_RETRY_AFTER_S;
    }
    if ((condition == C(GONE) || condition == C(REDIRECT)) &&
        put_alternate(contact, in->alternate)) {
        out->status = condition == C(GONE) ? 301 : 302;
        out->has_contact = true;
    }
}
