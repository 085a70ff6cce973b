/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_form: what a SIP source writes is a message that our own parser takes, with its numbers at
 * their places; responses find their transaction; what arrives damaged is found out. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "load/payload.h"
#include "load/sip_form.h"
#include "sip/checks.h"
#include "sip/framer.h"

#define RUN 0x1badcafeu
#define MESSAGE_BYTES 4096u

static const struct plan plan = {
    .kind_name = {"sip", "s2s"},
    .streams = 20000,
    .domains = 7,
    .mix = "plain",
    .stanza_bytes = 251,
    .suffix = "fan.test",
    .inside = "corp.test",
};

struct fixture {
    struct sip_form form;
    struct sip_framer framer;
    char text[MESSAGE_BYTES];
    size_t len;
};

static void make(struct fixture *f)
{
    cr_assert_null(sip_form_init(&f->form, &plan, "127.0.0.1:5060", RUN));
    sip_framer_init(&f->framer);
}

static void drop(struct fixture *f)
{
    sip_framer_deinit(&f->framer);
    sip_form_deinit(&f->form);
}

static const struct sip_msg *read_text(struct fixture *f)
{
    size_t used;

    cr_assert_eq(sip_framer_feed(&f->framer, f->text, f->len, &used), SIP_FRAME_MSG, "%.*s",
                 (int)f->len, f->text);
    cr_assert_eq(used, f->len);
    return &f->framer.msg;
}

static void expect(struct slice got, const char *want)
{
    cr_assert(slice_eq_cstr(got, want), "'%.*s', not '%s'", SLICE_FMT(got), want);
}

Test(sip_form, what_is_written_is_a_message)
{
    const struct sip_check_policy policy = {.methods = SIP_METHOD_BIT(SIP_METHOD_MESSAGE),
                                            .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP),
                                            .accept = &SLICE_LIT("text/plain"),
                                            .accept_count = 1};
    struct fixture f;
    struct sip_verdict verdict;
    const struct sip_msg *m;
    struct sip_addr from;
    uint32_t flow;
    uint64_t seq;

    make(&f);
    f.len = f.form.len;
    cr_assert_leq(f.len, sizeof(f.text));
    sip_form_write(&f.form, f.text, 12345, 9876543210);
    m = read_text(&f);
    cr_assert(sip_check_request(m, &policy, &verdict), "%s", verdict.why);
    expect(m->uri, "sip:u12345@p00004.fan.test");
    cr_assert_eq(sip_msg_addr(m, SIP_HDR_FROM, &from), 0);
    expect(from.uri.text, "sip:u12345@corp.test");
    expect(sip_msg_value(m, SIP_HDR_CALL_ID), "1badcafe-12345-9876543210");
    cr_assert(payload_read(m->body, &flow, &seq));
    cr_assert_eq(flow, 12345);
    cr_assert_eq(seq, 9876543210);
    cr_assert_eq(m->body.len, f.form.body_bytes);
    drop(&f);
}

Test(sip_form, nothing_else_changes_with_the_numbers)
{
    struct fixture a;
    struct fixture b;
    size_t differs = 0;

    make(&a);
    make(&b);
    sip_form_write(&a.form, a.text, 0, 0);
    sip_form_write(&b.form, b.text, 11111, 1111111111);
    for (size_t i = 0; i < a.form.len; i++) {
        differs += a.text[i] != b.text[i];
    }
    /* Flow six times, number three times; the domain (2) differs in one digit, twice. */
    cr_assert_eq(differs, 6 * PAYLOAD_FLOW_DIGITS + 3 * PAYLOAD_SEQ_DIGITS + 2, "%zu", differs);
    drop(&a);
    drop(&b);
}

static bool is_answer(struct fixture *f, const char *branch, const char *cseq, uint32_t *flow,
                      uint64_t *seq)
{
    f->len = (size_t)snprintf(f->text, sizeof(f->text),
                              "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=%s\r\n"
                              "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\n"
                              "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
                              branch, cseq);
    return sip_form_answered(&f->form, read_text(f), flow, seq);
}

Test(sip_form, a_response_finds_its_request)
{
    struct fixture f;
    uint32_t flow = 0;
    uint64_t seq = 0;

    make(&f);
    cr_assert(is_answer(&f, "z9hG4bK1badcafex00042-0000000017", "MESSAGE", &flow, &seq));
    cr_assert_eq(flow, 42);
    cr_assert_eq(seq, 17);
    cr_assert_not(is_answer(&f, "z9hG4bK1badcafex00042-0000000017", "OPTIONS", &flow, &seq));
    cr_assert_not(is_answer(&f, "z9hG4bK1badcaffx00042-0000000017", "MESSAGE", &flow, &seq));
    cr_assert_not(is_answer(&f, "z9hG4bK1badcafex20000-0000000017", "MESSAGE", &flow, &seq));
    cr_assert_not(is_answer(&f, "z9hG4bK1badcafex00042-000000001", "MESSAGE", &flow, &seq));
    cr_assert_not(is_answer(&f, "z9hG4bK1badcafex00042-00000000x7", "MESSAGE", &flow, &seq));
    drop(&f);
}

/* A MESSAGE from a gateway; NULL = intact. */
static const char *fault(struct fixture *f, const char *uri, const char *from, const char *type,
                         const char *body)
{
    uint32_t flow;
    uint64_t seq;

    f->len = (size_t)snprintf(f->text, sizeof(f->text),
                              "MESSAGE %s SIP/2.0\r\nVia: SIP/2.0/TCP e;branch=z9hG4bK1\r\n"
                              "Max-Forwards: 70\r\nFrom: <%s>;tag=1\r\nTo: <sip:c@d>\r\n"
                              "Call-ID: 1\r\nCSeq: 1 MESSAGE\r\nContent-Type: %s\r\n"
                              "Content-Length: %zu\r\n\r\n%s",
                              uri, from, type, strlen(body), body);
    return sip_form_fault(&f->form, read_text(f), &flow, &seq);
}

Test(sip_form, what_arrives_is_compared)
{
#define URI "sip:u00008@corp.test"
#define FROM "sip:u00008@p00001.fan.test"
#define TYPE "text/plain;charset=UTF-8"
    struct fixture f;
    char body[MESSAGE_BYTES] = "";
    char short_body[MESSAGE_BYTES] = "";

    make(&f);
    payload_write(body, f.form.body_bytes, 8, 3);
    payload_write(short_body, f.form.body_bytes - 1, 8, 3);
    cr_assert_null(fault(&f, URI, FROM, TYPE, body));
    cr_assert_null(fault(&f, URI ";transport=tcp", FROM ";gr=home", TYPE, body));
    cr_assert_str_eq(fault(&f, "sip:u00009@corp.test", FROM, TYPE, body), "Request-URI");
    cr_assert_str_eq(fault(&f, "sip:u00008@app.test", FROM, TYPE, body), "Request-URI");
    cr_assert_str_eq(fault(&f, URI, "sip:u00008@p00002.fan.test", TYPE, body), "From");
    cr_assert_str_eq(fault(&f, URI, "sip:v00008@p00001.fan.test", TYPE, body), "From");
    cr_assert_str_eq(fault(&f, URI, FROM, "text/html", body), "Content-Type");
    cr_assert_str_eq(fault(&f, URI, FROM, TYPE, short_body), "text");
    body[40] ^= 1;
    cr_assert_str_eq(fault(&f, URI, FROM, TYPE, body), "text");
    drop(&f);
}
