/* SPDX-License-Identifier: GPL-2.0-or-later */
/* torture: all 49 messages of RFC 4475, each with the reaction that the RFC names for a user agent
 * of our kind, as datagrams and as streams under two ways of cutting.                            */
#include <stdio.h>

#include "base/pool.h"
#include "sip/framer.h"
#include "sip_help.h"

#define DROP ((uint16_t)1) /* a response to be discarded */

struct torture {
    const char *name;
    uint16_t whole;  /* verdict on the datagram: 0 accepted, DROP, or the status to answer */
    uint16_t stream; /* the same on a stream, of its first message */
    bool closes;     /* on a stream the border is lost */
    bool is_whole;   /* on a stream its bytes are exactly one message */
};

static const struct torture torture[] = {
    /* 3.1.1 valid */
    {"wsinv", 0, 0, false, true},
    {"intmeth", 501, 501, false, true},
    {"esc01", 0, 0, false, true},
    {"escnull", 0, 0, false, true},
    {"esc02", 501, 501, false, true},
    {"lwsdisp", 0, 0, false, true},
    {"longreq", 0, 0, false, true},
    {"dblreq", 0, 0, false, false},
    {"semiuri", 0, 0, false, true},
    {"transports", 0, 0, false, true},
    {"mpart01", 0, 0, false, true},
    {"unreason", 0, 0, false, true},
    {"noreason", 0, 0, false, true},
    /* 3.1.2 invalid */
    {"badinv01", 400, 400, false, true},
    {"clerr", 400, 0, false, false},
    {"ncl", 400, 400, true, false},
    {"scalar02", 400, 400, false, true},
    {"scalarlg", DROP, DROP, false, true},
    {"quotbal", 400, 400, false, true},
    {"ltgtruri", 400, 400, false, true},
    {"lwsruri", 400, 400, false, true},
    {"lwsstart", 400, 400, false, true},
    {"trws", 400, 400, false, true},
    {"escruri", 400, 400, false, true},
    {"baddate", 0, 0, false, true},
    {"regbadct", 400, 400, false, true},
    {"badaspec", 400, 400, false, true},
    {"baddn", 400, 400, false, true},
    {"badvers", 505, 505, false, true},
    {"mismatch01", 400, 400, false, true},
    {"mismatch02", 501, 501, false, true},
    {"bigcode", DROP, DROP, false, true},
    /* 3.2, 3.3, 3.4 */
    {"badbranch", 0, 0, false, true},
    {"insuf", 400, 400, false, true},
    {"unkscm", 416, 416, false, true},
    {"novelsc", 416, 416, false, true},
    {"unksm2", 0, 0, false, true},
    {"bext01", 420, 420, false, true},
    {"invut", 415, 415, false, true},
    {"regaut01", 0, 0, false, true},
    {"multi01", 400, 400, false, true},
    {"mcl01", 400, 400, true, false},
    {"bcast", DROP, DROP, false, true},
    {"zeromf", 0, 0, false, true},
    {"cparam01", 0, 0, false, true},
    {"cparam02", 0, 0, false, true},
    {"regescrt", 0, 0, false, true},
    {"sdp01", 0, 0, false, true},
    {"inv2543", 400, 400, true, false},
};

struct file {
    char bytes[8192];
    size_t len;
};

static void load(const char *name, struct file *f)
{
    char path[512];
    FILE *in;

    (void)snprintf(path, sizeof(path), "%s/%s.dat", SIP_TORTURE_DIR, name);
    in = fopen(path, "rb");
    cr_assert_not_null(in, "%s", path);
    f->len = fread(f->bytes, 1, sizeof(f->bytes), in);
    cr_assert(f->len > 0 && f->len + 2 < sizeof(f->bytes));
    if (strcmp(name, "baddn") == 0) {
        /* The archive has this one without its empty line, which is not what it tests. */
        memcpy(f->bytes + f->len, "\r\n", 2);
        f->len += 2;
    }
    (void)fclose(in);
}

static uint16_t verdict_of(const struct sip_msg *m)
{
    struct sip_check_policy policy = sip_help_policy();
    struct sip_verdict verdict;

    if (m->is_request) {
        (void)sip_check_request(m, &policy, &verdict);
        return verdict.status;
    }
    return sip_check_response(m, &policy, &verdict) ? (uint16_t)0 : DROP;
}

Test(torture, all_49_are_there)
{
    cr_assert_eq(ARRAY_COUNT(torture), 49);
}

Test(torture, datagram_verdicts)
{
    for (size_t i = 0; i < ARRAY_COUNT(torture); i++) {
        struct sip_msg m;
        struct sip_bad bad;
        struct file f;
        uint16_t got;

        load(torture[i].name, &f);
        if (sip_msg_parse(&m, slice_make(f.bytes, f.len), &bad)) {
            got = m.is_request ? bad.status : DROP;
        } else {
            got = verdict_of(&m);
        }
        cr_expect_eq(got, torture[i].whole, "%s: got %u, want %u", torture[i].name, got,
                     torture[i].whole);
    }
}

/* Feeds chunks of a size and returns the first message's verdict. */
static void run_stream(const struct torture *t, const struct file *f, size_t chunk)
{
    enum sip_frame frame = SIP_FRAME_MORE;
    struct sip_framer framer;
    uint16_t got = 0;
    size_t at = 0;

    sip_framer_init(&framer);
    while (at < f->len && frame == SIP_FRAME_MORE) {
        size_t len = f->len - at < chunk ? f->len - at : chunk;
        /* A copy of its own size, so that the sanitizer sees any step beyond it. */
        char *piece = pool_alloc(len);
        size_t used;

        memcpy(piece, f->bytes + at, len);
        frame = sip_framer_feed(&framer, piece, len, &used);
        at += used;
        if (frame == SIP_FRAME_MSG) {
            got = verdict_of(&framer.msg);
        } else if (frame == SIP_FRAME_BAD) {
            got = framer.bad.status;
        }
        pool_free(piece);
    }
    cr_expect_eq(got, t->stream, "%s by %zu: got %u, want %u", t->name, chunk, got, t->stream);
    cr_expect_eq(frame == SIP_FRAME_BAD, t->closes, "%s by %zu: frame %d", t->name, chunk, frame);
    cr_expect_eq(frame == SIP_FRAME_MSG && at == f->len, t->is_whole, "%s by %zu: ends at %zu/%zu",
                 t->name, chunk, at, f->len);
    sip_framer_deinit(&framer);
}

Test(torture, stream_verdicts_whole_and_byte_by_byte)
{
    for (size_t i = 0; i < ARRAY_COUNT(torture); i++) {
        struct file f;

        load(torture[i].name, &f);
        run_stream(&torture[i], &f, f.len);
        run_stream(&torture[i], &f, 1);
        run_stream(&torture[i], &f, 7);
    }
    cr_expect_eq(pool_used_bytes(), 0);
}

Test(torture, methods_not_served_get_405)
{
    static const char *const names[] = {"wsinv", "escnull", "dblreq", "regaut01", "cparam01"};
    struct sip_check_policy policy = sip_help_policy();

    policy.methods = SIP_METHOD_BIT(SIP_METHOD_MESSAGE) | SIP_METHOD_BIT(SIP_METHOD_OPTIONS);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct sip_verdict verdict;
        struct sip_msg m;
        struct sip_bad bad;
        struct file f;

        load(names[i], &f);
        cr_assert_eq(sip_msg_parse(&m, slice_make(f.bytes, f.len), &bad), 0);
        cr_expect_not(sip_check_request(&m, &policy, &verdict));
        cr_expect_eq(verdict.status, 405, "%s", names[i]);
    }
}

Test(torture, rfc2543_request_by_option)
{
    struct sip_check_policy policy = sip_help_policy();
    struct sip_verdict verdict;
    struct sip_msg m;
    struct sip_bad bad;
    struct file f;

    load("inv2543", &f);
    cr_assert_eq(sip_msg_parse(&m, slice_make(f.bytes, f.len), &bad), 0);
    policy.from_tag_optional = true;
    cr_expect(sip_check_request(&m, &policy, &verdict), "%s", verdict.why);
}

Test(torture, values_of_the_tortuous_invite)
{
    struct sip_msg m;
    struct sip_bad bad;
    struct sip_addr addr;
    struct sip_cseq cseq;
    struct sip_list list;
    struct sip_via via;
    struct slice value;
    uint32_t hops;
    struct file f;

    load("wsinv", &f);
    cr_assert_eq(sip_msg_parse(&m, slice_make(f.bytes, f.len), &bad), 0);
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_TO, &addr), 0);
    EXPECT_SLICE(addr.tag, "1918181833n");
    EXPECT_SLICE(addr.uri.user, "vivekg");
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_FROM, &addr), 0);
    EXPECT_SLICE(addr.display, "\"J Rosenberg \\\\\\\"\"");
    EXPECT_SLICE(addr.tag, "98asjd8");
    cr_assert_eq(sip_msg_u32(&m, SIP_HDR_MAX_FORWARDS, &hops), 0);
    cr_expect_eq(hops, 68);
    cr_assert_eq(sip_msg_cseq(&m, &cseq), 0);
    cr_expect_eq(cseq.number, 9);
    cr_expect_eq(cseq.method, SIP_METHOD_INVITE);
    sip_list_init(&list, &m, SIP_HDR_VIA);
    cr_assert(sip_list_next(&list, &value));
    cr_assert_eq(sip_via_parse(value, &via), 0);
    EXPECT_SLICE(via.branch, "390skdjuw");
    cr_expect_not(via.has_cookie);
    cr_assert(sip_list_next(&list, &value));
    cr_assert_eq(sip_via_parse(value, &via), 0);
    EXPECT_SLICE(via.branch, "z9hG4bK9ikj8");
    EXPECT_SLICE(via.sent_by.text, "spindle.example.com");
    cr_assert(sip_list_next(&list, &value));
    cr_assert_eq(sip_via_parse(value, &via), 0);
    EXPECT_SLICE(via.branch, "z9hG4bK30239");
    cr_expect_not(sip_list_next(&list, &value));
    cr_expect(sip_msg_has(&m, SIP_HDR_SUBJECT));
    cr_expect(slice_is_empty(sip_msg_value(&m, SIP_HDR_SUBJECT)));
    cr_expect_not_null(sip_msg_find_other(&m, SLICE_LIT("newfangledheader")));
    cr_expect_eq(m.body.len, 150);
}
