/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate/error: every row of both tables, and what refines them. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "translate/error.h"

static const struct {
    unsigned status;
    enum stanza_condition condition;
    enum stanza_error_type type;
} sip_rows[] = {
    {300, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {301, STANZA_CONDITION_GONE, STANZA_ERROR_TYPE_CANCEL},
    {302, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {305, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {380, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_MODIFY},
    {399, STANZA_CONDITION_REDIRECT, STANZA_ERROR_TYPE_MODIFY},
    {400, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {401, STANZA_CONDITION_NOT_AUTHORIZED, STANZA_ERROR_TYPE_AUTH},
    {402, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {403, STANZA_CONDITION_FORBIDDEN, STANZA_ERROR_TYPE_AUTH},
    {404, STANZA_CONDITION_ITEM_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL},
    {405, STANZA_CONDITION_FEATURE_NOT_IMPLEMENTED, STANZA_ERROR_TYPE_CANCEL},
    {406, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_MODIFY},
    {407, STANZA_CONDITION_REGISTRATION_REQUIRED, STANZA_ERROR_TYPE_AUTH},
    {408, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT},
    {409, STANZA_CONDITION_CONFLICT, STANZA_ERROR_TYPE_CANCEL},
    {410, STANZA_CONDITION_GONE, STANZA_ERROR_TYPE_CANCEL},
    {412, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {413, STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_MODIFY},
    {414, STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_MODIFY},
    {415, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_MODIFY},
    {416, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_MODIFY},
    {417, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {420, STANZA_CONDITION_FEATURE_NOT_IMPLEMENTED, STANZA_ERROR_TYPE_CANCEL},
    {421, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_MODIFY},
    {422, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {423, STANZA_CONDITION_RESOURCE_CONSTRAINT, STANZA_ERROR_TYPE_WAIT},
    {424, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {425, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {428, STANZA_CONDITION_NOT_AUTHORIZED, STANZA_ERROR_TYPE_AUTH},
    {429, STANZA_CONDITION_NOT_AUTHORIZED, STANZA_ERROR_TYPE_AUTH},
    {430, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {433, STANZA_CONDITION_NOT_ALLOWED, STANZA_ERROR_TYPE_CANCEL},
    {436, STANZA_CONDITION_NOT_AUTHORIZED, STANZA_ERROR_TYPE_AUTH},
    {437, STANZA_CONDITION_NOT_AUTHORIZED, STANZA_ERROR_TYPE_AUTH},
    {438, STANZA_CONDITION_NOT_AUTHORIZED, STANZA_ERROR_TYPE_AUTH},
    {439, STANZA_CONDITION_FEATURE_NOT_IMPLEMENTED, STANZA_ERROR_TYPE_CANCEL},
    {440, STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_WAIT},
    {469, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {470, STANZA_CONDITION_FORBIDDEN, STANZA_ERROR_TYPE_AUTH},
    {480, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {481, STANZA_CONDITION_ITEM_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL},
    {482, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_CANCEL},
    {483, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_CANCEL},
    {484, STANZA_CONDITION_ITEM_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL},
    {485, STANZA_CONDITION_ITEM_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL},
    {486, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {487, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {488, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_MODIFY},
    {489, STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_CANCEL},
    {491, STANZA_CONDITION_UNEXPECTED_REQUEST, STANZA_ERROR_TYPE_WAIT},
    {493, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {494, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {499, STANZA_CONDITION_BAD_REQUEST, STANZA_ERROR_TYPE_MODIFY},
    {500, STANZA_CONDITION_INTERNAL_SERVER_ERROR, STANZA_ERROR_TYPE_CANCEL},
    {501, STANZA_CONDITION_FEATURE_NOT_IMPLEMENTED, STANZA_ERROR_TYPE_CANCEL},
    {502, STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL},
    {503, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT},
    {504, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT},
    {505, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_CANCEL},
    {513, STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_MODIFY},
    {555, STANZA_CONDITION_INTERNAL_SERVER_ERROR, STANZA_ERROR_TYPE_CANCEL},
    {580, STANZA_CONDITION_INTERNAL_SERVER_ERROR, STANZA_ERROR_TYPE_CANCEL},
    {599, STANZA_CONDITION_INTERNAL_SERVER_ERROR, STANZA_ERROR_TYPE_CANCEL},
    {600, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
    {603, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_CANCEL},
    {604, STANZA_CONDITION_ITEM_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL},
    {606, STANZA_CONDITION_NOT_ACCEPTABLE, STANZA_ERROR_TYPE_MODIFY},
    {607, STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_CANCEL},
    {608, STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_CANCEL},
    {699, STANZA_CONDITION_RECIPIENT_UNAVAILABLE, STANZA_ERROR_TYPE_WAIT},
};

Test(error, sip_to_xmpp_rows)
{
    for (size_t i = 0; i < ARRAY_COUNT(sip_rows); i++) {
        struct error_sip sip = {.status = sip_rows[i].status, .reason = SLICE_LIT("Why Not")};
        struct stanza_error e;
        struct error_text mem;
        char text[20];
        error_from_sip(&e, &mem, &sip, false);
        cr_assert_eq(e.condition, sip_rows[i].condition, "%u: %s", sip.status,
                     stanza_condition_name(e.condition));
        cr_assert_eq(e.type, sip_rows[i].type, "%u: %s", sip.status,
                     stanza_error_type_name(e.type));
        (void)snprintf(text, sizeof(text), "%u Why Not", sip.status);
        cr_assert(slice_eq_cstr(e.text, text), "%.*s", SLICE_FMT(e.text));
        cr_assert(slice_eq(e.app_name, ERROR_SIP_NAME) && slice_eq(e.app_ns, ERROR_SIP_NS));
    }
}

static struct stanza_error refined(unsigned status, bool retry, bool warning, uint32_t id,
                                   bool mask)
{
    static struct error_text mem;
    struct error_sip sip = {.status = status, .has_retry_after = retry,
                            .has_warning_309 = warning, .ms_diagnostics = id};
    struct stanza_error e;

    error_from_sip(&e, &mem, &sip, mask);
    return e;
}

Test(error, sip_to_xmpp_refinements)
{
    struct stanza_error e = refined(500, true, false, 0, false);
    cr_assert(e.condition == STANZA_CONDITION_INTERNAL_SERVER_ERROR);
    cr_assert(e.type == STANZA_ERROR_TYPE_WAIT);
    e = refined(606, false, true, 0, false);
    cr_assert(e.condition == STANZA_CONDITION_POLICY_VIOLATION);
    cr_assert(e.type == STANZA_ERROR_TYPE_MODIFY);
    e = refined(488, false, true, 0, false);
    cr_assert(e.condition == STANZA_CONDITION_NOT_ACCEPTABLE);
    static const struct {
        uint32_t id;
        enum stanza_condition condition;
    } ids[] = {{1002, STANZA_CONDITION_POLICY_VIOLATION},
               {1012, STANZA_CONDITION_POLICY_VIOLATION},
               {1003, STANZA_CONDITION_ITEM_NOT_FOUND},
               {4005, STANZA_CONDITION_ITEM_NOT_FOUND},
               {1005, STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND},
               {1008, STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND},
               {1014, STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND},
               {1007, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT},
               {1010, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT},
               {1047, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT},
               {99999, STANZA_CONDITION_FORBIDDEN}};
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        e = refined(403, false, false, ids[i].id, false);
        cr_assert_eq(e.condition, ids[i].condition, "%u", ids[i].id);
    }
}

Test(error, figures_for_machines)
{
    struct error_sip sip = {.status = 403, .ms_diagnostics = 1002};
    struct stanza_error e;
    struct error_text mem;
    struct buf out;

    buf_init(&out, 2000);
    error_from_sip(&e, &mem, &sip, false);
    stanza_error_write(&out, &e);
    cr_assert(slice_eq_cstr(buf_slice(&out),
                            "<error type=\"cancel\"><policy-violation "
                            "xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\"/>"
                            "<text xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\" "
                            "xml:lang=\"en\">403 Forbidden</text>"
                            "<sip-status xmlns=\"urn:fedgate:sip\" code=\"403\" ms-id=\"1002\"/>"
                            "</error>"),
              "%.*s", SLICE_FMT(buf_slice(&out)));
    buf_deinit(&out);
}

Test(error, masked_unknown_user_tells_nothing)
{
    unsigned statuses[] = {404, 604, 484};

    for (size_t i = 0; i < ARRAY_COUNT(statuses); i++) {
        struct stanza_error e = refined(statuses[i], false, false, 0, true);
        cr_assert(e.condition == STANZA_CONDITION_SERVICE_UNAVAILABLE);
        cr_assert(e.type == STANZA_ERROR_TYPE_CANCEL);
        cr_assert(e.text.len == 0 && e.app_name.len == 0);
    }
}

Test(error, reason_phrase_is_cleaned_and_cut)
{
    struct error_sip sip = {.status = 486, .reason = SLICE_LIT("a\x01\xff\xc3\xbc\r\nb")};
    static char longtext[4000];
    struct stanza_error e;
    struct error_text mem;

    error_from_sip(&e, &mem, &sip, false);
    cr_assert(slice_eq_cstr(e.text, "486 a ?\u00fc  b"), "%.*s", SLICE_FMT(e.text));
    memset(longtext, 'x', sizeof(longtext));
    sip.reason = slice_make(longtext, sizeof(longtext));
    error_from_sip(&e, &mem, &sip, false);
    cr_assert(e.text.len <= ERROR_TEXT_BYTES_MAX && e.text.len > 200);
    sip = (struct error_sip){.status = 404};
    error_from_sip(&e, &mem, &sip, false);
    cr_assert(slice_eq_cstr(e.text, "404 Not Found"), "%.*s", SLICE_FMT(e.text));
    /* Not a failure status: still an answer. */
    sip.status = 200;
    error_from_sip(&e, &mem, &sip, false);
    cr_assert(e.condition == STANZA_CONDITION_INTERNAL_SERVER_ERROR);
}

Test(error, read_from_response)
{
    static const char text[] = "SIP/2.0 606 Not Acceptable\r\n"
                               "Via: SIP/2.0/TLS a.example;branch=z9hG4bK1\r\n"
                               "From: <sip:a@b.example>;tag=1\r\nTo: <sip:c@d.example>;tag=2\r\n"
                               "Call-ID: 1\r\nCSeq: 1 MESSAGE\r\nRetry-After: 20\r\n"
                               "Warning: 399 x \"other\", 309 lync.example \"refused\"\r\n"
                               "ms-diagnostics: 1003;reason=\"User does not exist\"\r\n"
                               "Content-Length: 0\r\n\r\n";
    struct sip_msg m;
    struct sip_bad bad;
    struct error_sip sip;

    cr_assert_eq(sip_msg_parse(&m, slice_from_cstr(text), &bad), 0);
    error_sip_read(&sip, &m);
    cr_assert_eq(sip.status, 606);
    cr_assert(sip.has_retry_after && sip.has_warning_309);
    cr_assert_eq(sip.ms_diagnostics, 1003);
    cr_assert(slice_eq_cstr(sip.reason, "Not Acceptable"));
}

Test(error, local_failures)
{
    struct stanza_error e;

    error_from_local(&e, ERROR_LOCAL_NO_ROUTE);
    cr_assert(e.condition == STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND);
    error_from_local(&e, ERROR_LOCAL_NO_ANSWER);
    cr_assert(e.condition == STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    error_from_local(&e, ERROR_LOCAL_QUEUE_FULL);
    cr_assert(e.condition == STANZA_CONDITION_RESOURCE_CONSTRAINT);
    error_from_local(&e, ERROR_LOCAL_POLICY);
    cr_assert(e.condition == STANZA_CONDITION_POLICY_VIOLATION);
}

static const struct {
    enum stanza_condition condition;
    unsigned to_bare;
    unsigned to_full;
} xmpp_rows[] = {
    {STANZA_CONDITION_BAD_REQUEST, 400, 400},
    {STANZA_CONDITION_JID_MALFORMED, 400, 400},
    {STANZA_CONDITION_CONFLICT, 400, 400},
    {STANZA_CONDITION_FEATURE_NOT_IMPLEMENTED, 501, 480},
    {STANZA_CONDITION_FORBIDDEN, 403, 403},
    {STANZA_CONDITION_GONE, 410, 410},
    {STANZA_CONDITION_INTERNAL_SERVER_ERROR, 500, 500},
    {STANZA_CONDITION_ITEM_NOT_FOUND, 404, 404},
    {STANZA_CONDITION_NOT_ACCEPTABLE, 606, 406},
    {STANZA_CONDITION_NOT_ALLOWED, 403, 403},
    {STANZA_CONDITION_POLICY_VIOLATION, 403, 403},
    {STANZA_CONDITION_NOT_AUTHORIZED, 403, 403},
    {STANZA_CONDITION_RECIPIENT_UNAVAILABLE, 480, 480},
    {STANZA_CONDITION_REDIRECT, 480, 480},
    {STANZA_CONDITION_REGISTRATION_REQUIRED, 403, 403},
    {STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND, 404, 404},
    {STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, 504, 504},
    {STANZA_CONDITION_RESOURCE_CONSTRAINT, 480, 480},
    {STANZA_CONDITION_SERVICE_UNAVAILABLE, 480, 480},
    {STANZA_CONDITION_SUBSCRIPTION_REQUIRED, 403, 403},
    {STANZA_CONDITION_UNDEFINED_CONDITION, 500, 500},
    {STANZA_CONDITION_UNEXPECTED_REQUEST, 400, 400},
};

Test(error, xmpp_to_sip_rows)
{
    struct buf contact;

    buf_init(&contact, 1000);
    for (int full = 0; full < 2; full++) {
        for (size_t i = 0; i < ARRAY_COUNT(xmpp_rows); i++) {
            struct error_xmpp in = {.error = {.condition = xmpp_rows[i].condition},
                                    .is_to_full = full != 0};
            struct error_response out;
            unsigned want = full ? xmpp_rows[i].to_full : xmpp_rows[i].to_bare;
            error_to_sip(&out, &contact, &in);
            cr_assert_eq(out.status, want, "%s: %u",
                         stanza_condition_name(xmpp_rows[i].condition), out.status);
            bool wait = xmpp_rows[i].condition == STANZA_CONDITION_RESOURCE_CONSTRAINT;
            cr_assert_eq(out.retry_after_s > 0, wait);
            cr_assert_not(out.has_contact);
        }
    }
    cr_assert_eq(buf_len(&contact), 0);
    buf_deinit(&contact);
}

/* What a non-INVITE may never be answered with, whatever the stanza error says. */
Test(error, xmpp_to_sip_never)
{
    struct buf contact;

    buf_init(&contact, 1000);
    for (int c = 0; c < STANZA_CONDITION_COUNT; c++) {
        struct error_xmpp in = {.error = {.condition = (enum stanza_condition)c}};
        struct error_response out;
        error_to_sip(&out, &contact, &in);
        cr_assert(out.status != 401 && out.status != 407 && out.status != 408 &&
                  out.status != 503 && out.status >= 300 && out.status < 700);
    }
    buf_deinit(&contact);
}

Test(error, xmpp_to_sip_refinements)
{
    struct error_xmpp in = {.error = {.condition = STANZA_CONDITION_POLICY_VIOLATION},
                            .is_about_size = true};
    struct error_response out;
    struct buf contact;

    buf_init(&contact, 1000);
    error_to_sip(&out, &contact, &in);
    cr_assert_eq(out.status, 413);
    in = (struct error_xmpp){.error = {.condition = STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND},
                             .is_unresolvable = true};
    error_to_sip(&out, &contact, &in);
    cr_assert_eq(out.status, 504);

    in = (struct error_xmpp){.error = {.condition = STANZA_CONDITION_GONE},
                             .alternate = SLICE_LIT("xmpp:o\\27hara@new.example?message")};
    error_to_sip(&out, &contact, &in);
    cr_assert(out.status == 301 && out.has_contact);
    cr_assert(slice_eq_cstr(buf_slice(&contact), "sip:o'hara@new.example"));
    buf_clear(&contact);
    in.error.condition = STANZA_CONDITION_REDIRECT;
    error_to_sip(&out, &contact, &in);
    cr_assert(out.status == 302 && out.has_contact);
    buf_clear(&contact);
    static const char *const useless[] = {"", "http://new.example", "xmpp:new.example",
                                          "xmpp:a b@new.example", "xmpp:a%40b@new.example",
                                          "xmpp:x\\5cy@new.example"};
    for (size_t i = 0; i < ARRAY_COUNT(useless); i++) {
        in.alternate = slice_from_cstr(useless[i]);
        error_to_sip(&out, &contact, &in);
        cr_assert(out.status == 480 && !out.has_contact && buf_len(&contact) == 0, "%s",
                  useless[i]);
    }
    buf_deinit(&contact);
}

Test(error, stream_failures)
{
    static const struct {
        enum error_stream what;
        unsigned status;
    } rows[] = {{ERROR_STREAM_HOST_UNKNOWN, 404}, {ERROR_STREAM_UNREACHABLE, 504},
                {ERROR_STREAM_NO_TRUST, 403},     {ERROR_STREAM_TLS_REFUSED, 403},
                {ERROR_STREAM_QUEUE_FULL, 480}};

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct error_xmpp in = {.stream = rows[i].what};
        struct error_response out;
        error_to_sip(&out, NULL, &in);
        cr_assert_eq(out.status, rows[i].status);
        cr_assert(out.reason.len > 0);
    }
}
