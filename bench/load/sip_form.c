/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_form: the MESSAGE of a flow and a number. */
#include "load/sip_form.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/pool.h"
#include "load/message.h"
#include "load/payload.h"

/* In the template each byte of a hole is its kind. */
#define FLOW "\1\1\1\1\1"
#define DOMAIN "\2\2\2\2\2"
#define SEQ "\3\3\3\3\3\3\3\3\3\3"
#define NUMBER FLOW "-" SEQ
#define TEXT_BYTES_MAX 2048u /* of the header fields */
#define BRANCH "z9hG4bK"

static unsigned width_of(char kind)
{
    return kind == SEQ[0] ? PAYLOAD_SEQ_DIGITS : PAYLOAD_FLOW_DIGITS;
}

static void find_holes(struct sip_form *f)
{
    for (uint32_t at = 0; at < f->len; at++) {
        char kind = f->bytes[at];

        if (kind == FLOW[0] || kind == DOMAIN[0] || kind == SEQ[0]) {
            ASSERT(f->hole_count < SIP_FORM_HOLES_MAX);
            f->holes[f->hole_count].at = at;
            f->holes[f->hole_count++].kind = kind;
            at += width_of(kind) - 1;
        }
    }
}

/* The text's head is a hole, too. */
static void put_body(const struct sip_form *f, char *to)
{
    payload_write(to, f->body_bytes, 0, 0);
    memcpy(to, FLOW, PAYLOAD_FLOW_DIGITS);
    memcpy(to + PAYLOAD_FLOW_DIGITS + 1, SEQ, PAYLOAD_SEQ_DIGITS);
}

const char *sip_form_init(struct sip_form *f, const struct plan *plan, const char *sent_by,
                          uint32_t run)
{
    struct message m;
    const char *fault = message_init(&m, plan, true);
    char head[TEXT_BYTES_MAX];
    int len;

    *f = (struct sip_form){.plan = plan};
    if (fault) {
        return fault;
    }
    f->body_bytes = m.body_bytes;
    message_deinit(&m);
    (void)snprintf(f->run, sizeof(f->run), "%08x", (unsigned)run);
    len = snprintf(head, sizeof(head),
                   "MESSAGE sip:u" FLOW "@p" DOMAIN ".%s SIP/2.0\r\n"
                   "Via: SIP/2.0/%s %s;branch=" BRANCH "%sx" NUMBER "\r\nMax-Forwards: 70\r\n"
                   "From: <sip:u" FLOW "@%s>;tag=%s\r\nTo: <sip:u" FLOW "@p" DOMAIN ".%s>\r\n"
                   "Call-ID: %s-" NUMBER "\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n"
                   "Content-Length: %u\r\n\r\n",
                   plan->suffix, plan->is_sip_tls ? "TLS" : "TCP", sent_by, f->run, plan->inside,
                   f->run, plan->suffix, f->run, (unsigned)f->body_bytes);
    if (len < 0 || (size_t)len >= sizeof(head)) {
        return "names are too long for a MESSAGE";
    }
    f->len = (uint32_t)len + f->body_bytes;
    f->bytes = pool_heap_zalloc(f->len);
    memcpy(f->bytes, head, (size_t)len);
    put_body(f, f->bytes + len);
    find_holes(f);
    return NULL;
}

void sip_form_deinit(struct sip_form *f)
{
    pool_heap_free(f->bytes);
    f->bytes = NULL;
}

void sip_form_write(const struct sip_form *f, char *to, uint32_t flow, uint64_t seq)
{
    char digits[3][PAYLOAD_SEQ_DIGITS];

    payload_put_digits(digits[FLOW[0] - 1], PAYLOAD_FLOW_DIGITS, flow);
    payload_put_digits(digits[DOMAIN[0] - 1], PAYLOAD_FLOW_DIGITS, plan_domain_of(f->plan, flow));
    payload_put_digits(digits[SEQ[0] - 1], PAYLOAD_SEQ_DIGITS, seq);
    memcpy(to, f->bytes, f->len);
    for (uint32_t i = 0; i < f->hole_count; i++) {
        memcpy(to + f->holes[i].at, digits[f->holes[i].kind - 1], width_of(f->holes[i].kind));
    }
}

bool sip_form_answered(const struct sip_form *f, const struct sip_msg *response, uint32_t *flow,
                       uint64_t *seq)
{
    static const size_t head = sizeof(BRANCH) - 1 + SIP_FORM_RUN_DIGITS + 1;
    struct sip_via via;
    struct sip_cseq cseq;
    uint64_t number;

    if (sip_msg_via_top(response, &via) != 0 || sip_msg_cseq(response, &cseq) != 0 ||
        cseq.method != SIP_METHOD_MESSAGE ||
        via.branch.len != head + PAYLOAD_FLOW_DIGITS + 1 + PAYLOAD_SEQ_DIGITS ||
        memcmp(via.branch.ptr + sizeof(BRANCH) - 1, f->run, SIP_FORM_RUN_DIGITS) != 0 ||
        !payload_take_digits(via.branch.ptr + head, PAYLOAD_FLOW_DIGITS, &number) ||
        !payload_take_digits(via.branch.ptr + head + PAYLOAD_FLOW_DIGITS + 1, PAYLOAD_SEQ_DIGITS,
                             seq) ||
        number >= f->plan->streams) {
        return false;
    }
    *flow = (uint32_t)number;
    return true;
}

/* sip:u00007@host, any parameters. */
static bool is_user(const struct sip_uri *uri, uint32_t flow, struct slice host)
{
    uint64_t number;

    return uri->user.len == 1 + PAYLOAD_FLOW_DIGITS && uri->user.ptr[0] == 'u' &&
           payload_take_digits(uri->user.ptr + 1, PAYLOAD_FLOW_DIGITS, &number) &&
           number == flow && slice_eq_nocase(uri->host.text, host);
}

const char *sip_form_fault(const struct sip_form *f, const struct sip_msg *m, uint32_t *flow,
                           uint64_t *seq)
{
    char partner[PLAN_NAME_BYTES];
    struct sip_media_type type;
    struct sip_addr from;
    struct sip_uri uri;

    if (!payload_read(m->body, flow, seq) || *flow >= f->plan->streams ||
        m->body.len != f->body_bytes) {
        return "text";
    }
    if (sip_msg_content_type(m, &type) != 0 ||
        !sip_media_type_is(&type, SLICE_LIT("text"), SLICE_LIT("plain"))) {
        return "Content-Type";
    }
    if (sip_msg_uri(m, &uri) != 0 || !is_user(&uri, *flow, slice_from_cstr(f->plan->inside))) {
        return "Request-URI";
    }
    plan_partner(f->plan, plan_domain_of(f->plan, *flow), partner);
    if (sip_msg_addr(m, SIP_HDR_FROM, &from) != 0 ||
        !is_user(&from.uri, *flow, slice_from_cstr(partner))) {
        return "From";
    }
    return NULL;
}
