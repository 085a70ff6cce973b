/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options: ping, answer, and the rhythm of probing. */
#include "sip/options.h"
#include "sip_help.h"

Test(options, ping_is_a_good_request)
{
    struct sip_check_policy policy = sip_help_policy();
    struct sip_verdict verdict;
    struct sip_msg m;
    struct sip_bad bad;
    struct buf b;

    buf_init(&b, 4096);
    sip_options_write(&b,
                      &(struct sip_request_params){
                          .uri = SLICE_LIT("sip:corp.example"),
                          .transport = SLICE_LIT("TLS"),
                          .sent_by = SLICE_LIT("edge1.corp.example"),
                          .branch = SLICE_LIT("z9hG4bK1"),
                          .max_forwards = 70,
                          .from_uri = SLICE_LIT("sip:edge1.corp.example"),
                          .from_tag = SLICE_LIT("t"),
                          .to_uri = SLICE_LIT("sip:corp.example"),
                          .call_id = SLICE_LIT("c"),
                          .cseq = 1,
                      },
                      &policy, SLICE_LIT("fedgate"));
    cr_assert_not(b.failed);
    cr_assert_eq(sip_msg_parse(&m, buf_slice(&b), &bad), 0);
    cr_expect(sip_check_request(&m, &policy, &verdict), "%s", verdict.why);
    cr_expect_eq(m.method, SIP_METHOD_OPTIONS);
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_ALLOW), "INVITE, OPTIONS, REGISTER, MESSAGE");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_USER_AGENT), "fedgate");
    cr_expect_not(sip_msg_has(&m, SIP_HDR_SUPPORTED));
    buf_deinit(&b);
}

Test(options, answer)
{
    static const struct slice supported[] = {SLICE_LIT("gruu")};
    struct sip_check_policy policy = sip_help_policy();
    unsigned status;
    struct buf b;

    buf_init(&b, 4096);
    policy.supported = supported;
    policy.supported_count = 1;
    sip_options_answer_put(&b, &policy, false, &status);
    cr_expect_eq(status, 200);
    EXPECT_SLICE(buf_slice(&b), "Allow: INVITE, OPTIONS, REGISTER, MESSAGE\r\n"
                                "Accept: text/plain, application/sdp, multipart/mixed\r\n"
                                "Supported: gruu\r\n"
                                "Accept-Encoding: identity\r\n");
    buf_clear(&b);
    sip_options_answer_put(&b, &policy, true, &status);
    cr_expect_eq(status, 503);
    cr_expect(slice_ends(buf_slice(&b), SLICE_LIT("Retry-After: 30\r\n")));
    buf_deinit(&b);
}

/* RFC 3261 11.2, RFC 6665 4.4.4: what is served of event notification is told. */
Test(options, answer_with_events)
{
    static const struct slice packages[] = {SLICE_LIT("presence"), SLICE_LIT("presence.winfo")};
    static const struct slice types[] = {SLICE_LIT("application/pidf+xml")};
    struct sip_check_policy policy = {
        .methods = SIP_METHOD_BIT(SIP_METHOD_SUBSCRIBE) | SIP_METHOD_BIT(SIP_METHOD_NOTIFY),
        .notify_accept = types,
        .notify_accept_count = ARRAY_COUNT(types),
        .packages = packages,
        .package_count = ARRAY_COUNT(packages),
    };
    unsigned status;
    struct buf b;

    buf_init(&b, 4096);
    sip_options_answer_put(&b, &policy, false, &status);
    EXPECT_SLICE(buf_slice(&b), "Allow: SUBSCRIBE, NOTIFY\r\n"
                                "Accept: application/pidf+xml\r\n"
                                "Allow-Events: presence, presence.winfo\r\n"
                                "Accept-Encoding: identity\r\n");
    buf_clear(&b);
    policy.accept = types;
    policy.accept_count = 1;
    policy.package_count = 0;
    sip_options_answer_put(&b, &policy, false, &status);
    EXPECT_SLICE(buf_slice(&b), "Allow: SUBSCRIBE, NOTIFY\r\n"
                                "Accept: application/pidf+xml, application/pidf+xml\r\n"
                                "Accept-Encoding: identity\r\n");
    buf_deinit(&b);
}

Test(options, probe_goes_down_after_three_misses_and_up_at_once)
{
    struct sip_probe p = {0};

    cr_expect_eq(sip_probe_next_ms(&p), 0);
    for (unsigned i = 0; i < 3; i++) {
        sip_probe_sent(&p, 1000 * i);
        cr_expect_eq(sip_probe_next_ms(&p), UINT64_MAX);
        cr_expect_eq(sip_probe_missed(&p, 1000 * i, 0), i == 2);
        cr_expect_eq(sip_probe_next_ms(&p), 1000 * i + SIP_PROBE_DOWN_MS * 9 / 10);
    }
    cr_expect(p.is_down);
    sip_probe_sent(&p, 10000);
    cr_expect_not(sip_probe_missed(&p, 10000, 0), "down already");
    sip_probe_sent(&p, 20000);
    cr_expect(sip_probe_alive(&p, 20000, 0));
    cr_expect_not(p.is_down);
    cr_expect_eq(sip_probe_next_ms(&p), 20000 + SIP_PROBE_UP_MS * 9 / 10);
    sip_probe_sent(&p, 50000);
    cr_expect_not(sip_probe_alive(&p, 50000, 0), "was up");
    cr_expect_eq(p.misses, 0);
}

Test(options, probe_spreads_by_ten_percent)
{
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;

    for (uint32_t random = 0; random < 100000; random += 7) {
        struct sip_probe p = {0};

        (void)sip_probe_alive(&p, 0, random);
        low = p.next_ms < low ? p.next_ms : low;
        high = p.next_ms > high ? p.next_ms : high;
    }
    cr_expect_eq(low, SIP_PROBE_UP_MS * 9 / 10);
    cr_expect_eq(high, SIP_PROBE_UP_MS * 11 / 10);
}
