/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: what the other side said of it is what our requests are addressed with, whichever of its
 * messages began it; numbers must rise; what lacks something begins nothing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "load/dialog.h"

#define BYTES 8192u

static struct sip_msg m;
static char text[BYTES];
static struct dialog d;

static void tear_down(void)
{
    dialog_end(&d);
    cr_assert_null(d.text);
}

TestSuite(dialog, .fini = tear_down);

/* A request, or with a status line a response. */
static const struct sip_msg *message(const char *start, const char *tags, unsigned cseq,
                                     const char *more)
{
    struct sip_bad bad;

    (void)snprintf(text, sizeof(text),
                   "%s\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n%s"
                   "Call-ID: call-7\r\nCSeq: %u SUBSCRIBE\r\n%sContent-Length: 0\r\n\r\n",
                   start, tags, cseq, more);
    cr_assert_eq(sip_msg_parse(&m, slice_from_cstr(text), &bad), 0, "%s", text);
    return &m;
}

#define REQUEST  "SUBSCRIBE sip:u@corp.test SIP/2.0"
#define RESPONSE "SIP/2.0 200 OK"
#define THEIRS   "From: <sip:a@b>;tag=their\r\nTo: <sip:c@d>\r\n"
#define OURS     "From: <sip:a@b>;tag=our\r\nTo: <sip:c@d>;tag=their\r\n"
#define CONTACT  "Contact: <sip:server:5070;transport=tls>\r\n"
#define ROUTES   "Record-Route: <sip:one;lr>, <sip:two;lr>\r\nRecord-Route: <sip:three;lr>\r\n"

static const char *written(void)
{
    static char out[BYTES];
    struct buf b;

    buf_init(&b, BYTES);
    dialog_write(&d, &b,
                 (struct sip_request_params){.method = SIP_METHOD_NOTIFY,
                                             .transport = SLICE_LIT("TCP"),
                                             .sent_by = SLICE_LIT("here"),
                                             .branch = SLICE_LIT("z9hG4bKx"),
                                             .max_forwards = 70,
                                             .from_uri = SLICE_LIT("sip:c@d"),
                                             .from_tag = SLICE_LIT("our"),
                                             .to_uri = SLICE_LIT("sip:a@b")});
    cr_assert(slice_to_cstr(buf_slice(&b), out, sizeof(out)));
    buf_deinit(&b);
    return out;
}

Test(dialog, begun_by_a_request_it_has_its_routes_in_order)
{
    const char *out;

    cr_assert_null(dialog_begin(&d, message(REQUEST, THEIRS, 5, CONTACT ROUTES)));
    out = written();
    cr_assert(strstr(out, "NOTIFY sip:server:5070;transport=tls SIP/2.0\r\n"));
    cr_assert(strstr(out, "Route: <sip:one;lr>\r\nRoute: <sip:two;lr>\r\nRoute: <sip:three;lr>"));
    cr_assert(strstr(out, "To: <sip:a@b>;tag=their\r\n"));
    cr_assert(strstr(out, "Call-ID: call-7\r\nCSeq: 1 NOTIFY\r\n"));
    cr_assert(strstr(written(), "CSeq: 2 NOTIFY\r\n"), "numbers rise");
}

Test(dialog, begun_by_a_response_it_has_them_the_other_way_round)
{
    cr_assert_null(dialog_begin(&d, message(RESPONSE, OURS, 1, CONTACT ROUTES)));
    cr_assert(
        strstr(written(), "Route: <sip:three;lr>\r\nRoute: <sip:two;lr>\r\nRoute: <sip:one;lr>"));
}

Test(dialog, what_lacks_something_begins_nothing)
{
    char many[BYTES] = CONTACT;
    char longest[BYTES];

    cr_assert_str_eq(dialog_begin(&d, message(REQUEST, THEIRS, 5, "")), "Contact");
    cr_assert_str_eq(dialog_begin(&d, message(REQUEST, THEIRS, 5, "Contact: *\r\n")), "Contact");
    cr_assert_str_eq(dialog_begin(&d, message(REQUEST, THEIRS, 5, "Contact: <\r\n")), "Contact");
    cr_assert_str_eq(
        dialog_begin(&d, message(REQUEST, "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n", 5, CONTACT)),
        "tag");
    cr_assert_str_eq(
        dialog_begin(&d,
                     message(REQUEST, "From: <sip:a@b>;tag=<t>\r\nTo: <sip:c@d>\r\n", 5, CONTACT)),
        "tag");
    for (unsigned i = 0; i <= DIALOG_ROUTES_MAX; i++) {
        memcpy(many + strlen(many), "Record-Route: <sip:r;lr>\r\n", 27);
    }
    cr_assert_str_eq(dialog_begin(&d, message(REQUEST, THEIRS, 5, many)), "Record-Route");
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "Contact: <sip:", 14);
    (void)snprintf(longest + 14 + DIALOG_TEXT_BYTES_MAX, 16, "@host>\r\n");
    cr_assert_not_null(dialog_begin(&d, message(REQUEST, THEIRS, 5, longest)), "too long");
    cr_assert_null(d.text);
    cr_assert_not(dialog_has(&d, &m));
}

Test(dialog, it_is_known_by_call_and_tag)
{
    cr_assert_null(dialog_begin(&d, message(REQUEST, THEIRS, 5, CONTACT)));
    cr_assert(dialog_has(&d, message(REQUEST, THEIRS, 6, CONTACT)));
    cr_assert_not(dialog_has(&d, message(REQUEST, OURS, 6, CONTACT)));
    cr_assert_not(
        dialog_has(&d, message(REQUEST, "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n", 6, CONTACT)));
}

Test(dialog, numbers_must_rise_and_the_target_follows)
{
    cr_assert_null(dialog_begin(&d, message(REQUEST, THEIRS, 5, CONTACT ROUTES)));
    cr_assert_str_eq(dialog_follow(&d, message(REQUEST, THEIRS, 5, CONTACT)), "CSeq did not rise");
    cr_assert_str_eq(dialog_follow(&d, message(REQUEST, THEIRS, 6, "")), "Contact");
    cr_assert_null(dialog_follow(&d, message(REQUEST, THEIRS, 6, "Contact: <sip:new>\r\n")));
    cr_assert_not_null(dialog_follow(&d, message(REQUEST, THEIRS, 6, CONTACT)));
    cr_assert(strstr(written(), "NOTIFY sip:new SIP/2.0\r\n"));
    cr_assert(strstr(written(), "Route: <sip:one;lr>\r\n"), "the route set stays");
}

Test(dialog, the_first_number_after_a_response_may_be_any)
{
    cr_assert_null(dialog_begin(&d, message(RESPONSE, OURS, 1, CONTACT)));
    cr_assert_null(dialog_follow(&d, message(REQUEST, THEIRS, 0, CONTACT)));
    cr_assert_not_null(dialog_follow(&d, message(REQUEST, THEIRS, 0, CONTACT)));
}
