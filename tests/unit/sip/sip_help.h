/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_help: what the tests of the SIP room share. One thread per test. */
#ifndef FG_TEST_SIP_HELP_H
#define FG_TEST_SIP_HELP_H

#include <criterion/criterion.h>

#include "base/slice.h"
#include "sip/checks.h"
#include "sip/msg.h"

#define EXPECT_SLICE(got, text) sip_help_expect((got), (text), __FILE__, __LINE__)

static inline void sip_help_expect(struct slice got, const char *want, const char *file, int line)
{
    cr_assert(got.ptr || got.len == 0);
    cr_expect(slice_eq_cstr(got, want), "%s:%d: got \"%.*s\", want \"%s\"", file, line,
              SLICE_FMT(got), want);
}

/* Parses a text that must be a well-framed message. */
static inline void sip_help_parse(struct sip_msg *m, const char *text)
{
    struct sip_bad bad;

    cr_assert_eq(sip_msg_parse(m, slice_from_cstr(text), &bad), 0, "%s in: %s", bad.why, text);
}

#define SIP_HELP_MESSAGE                                                                           \
    "MESSAGE sip:bob@corp.example SIP/2.0\r\n"                                                     \
    "Via: SIP/2.0/TLS pool.corp.example:5061;branch=z9hG4bK74b43\r\n"                              \
    "Max-Forwards: 69\r\n"                                                                         \
    "From: \"Ann\" <sip:ann@chat.example>;tag=49583\r\n"                                           \
    "To: <sip:bob@corp.example>\r\n"                                                               \
    "Call-ID: asd88asd77a@192.0.2.4\r\n"                                                           \
    "CSeq: 1 MESSAGE\r\n"                                                                          \
    "Content-Type: text/plain;charset=UTF-8\r\n"                                                   \
    "Content-Length: 5\r\n\r\nhello"

/* A policy that serves much; tests narrow it. */
static inline struct sip_check_policy sip_help_policy(void)
{
    static const struct slice accept[] = {
        SLICE_LIT("text/plain"),
        SLICE_LIT("application/sdp"),
        SLICE_LIT("multipart/mixed"),
    };

    return (struct sip_check_policy){
        .methods = SIP_METHOD_BIT(SIP_METHOD_INVITE) | SIP_METHOD_BIT(SIP_METHOD_OPTIONS) |
                   SIP_METHOD_BIT(SIP_METHOD_MESSAGE) | SIP_METHOD_BIT(SIP_METHOD_REGISTER),
        .schemes = SIP_SCHEME_BIT(SIP_SCHEME_SIP),
        .accept = accept,
        .accept_count = ARRAY_COUNT(accept),
    };
}

#endif
