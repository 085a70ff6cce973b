/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_test: all 18 rows against a table written down independently, and through the loader. */
#include "policy/partner.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "help.h"
#include "xmpp/stream.h"

#define R PARTNER_LEVEL_REQUIRED
#define O PARTNER_LEVEL_OPTIONAL
#define N PARTNER_LEVEL_NOT_SUPPORTED

/* What can result: E EXTERNAL, C certificate in dialback, D dialback over TLS, T over TCP. */
static const struct expected {
    enum partner_level tls;
    enum partner_level sasl;
    bool dialback;
    const char *verdict;
    const char *reason;
    const char *auth;
} expected[] = {
    {R, R, true, "warn", "dialback-unused", "E"},
    {R, R, false, "accept", "", "E"},
    {O, R, true, "warn", "dialback-unused", "E"},
    {O, R, false, "warn", "tls-needed", "E"},
    {N, R, true, "reject", "sasl-needs-tls", ""},
    {N, R, false, "reject", "sasl-needs-tls", ""},
    {R, O, true, "accept", "", "ECD"},
    {R, O, false, "accept", "", "E"},
    {O, O, true, "warn", "tls-optional", "ECDT"},
    {O, O, false, "warn", "tls-needed", "E"},
    {N, O, true, "reject", "sasl-needs-tls", ""},
    {N, O, false, "reject", "sasl-needs-tls", ""},
    {R, N, true, "accept", "", "D"},
    {R, N, false, "reject", "no-authentication", ""},
    {O, N, true, "accept", "", "DT"},
    {O, N, false, "reject", "no-authentication", ""},
    {N, N, true, "accept", "", "T"},
    {N, N, false, "reject", "no-authentication", ""},
};

static uint32_t bits(const char *auth)
{
    uint32_t out = 0;

    out |= strchr(auth, 'E') ? PARTNER_AUTH_EXTERNAL : 0;
    out |= strchr(auth, 'C') ? PARTNER_AUTH_CERTIFICATE : 0;
    out |= strchr(auth, 'D') ? PARTNER_AUTH_DIALBACK_TLS : 0;
    out |= strchr(auth, 'T') ? PARTNER_AUTH_DIALBACK_TCP : 0;
    return out;
}

Test(partner, all_18_rows)
{
    cr_assert_eq(ARRAY_COUNT(expected), PARTNER_ROW_COUNT);
    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct expected *e = &expected[i];
        const struct partner_row *row = partner_row_find(e->tls, e->sasl, e->dialback);

        cr_expect_eq(row, partner_row_at(i), "row %u", i + 1);
        cr_expect_eq(row->number, i + 1);
        cr_expect_eq(row->tls, e->tls);
        cr_expect_eq(row->sasl, e->sasl);
        cr_expect_eq(row->dialback, e->dialback);
        cr_expect_str_eq(partner_verdict_name(row->verdict), e->verdict, "row %u", i + 1);
        cr_expect_str_eq(row->reason, e->reason, "row %u", i + 1);
        cr_expect_eq(row->text[0] == 0, row->reason[0] == 0);
        cr_expect_eq(row->auth, bits(e->auth), "row %u", i + 1);
    }
    cr_expect_null(partner_row_at(PARTNER_ROW_COUNT));
}

/* Whatever the table says in future, these must hold. */
Test(partner, required_is_required_and_not_supported_is_never_used)
{
    const uint32_t by_dialback = PARTNER_AUTH_DIALBACK_TLS | PARTNER_AUTH_DIALBACK_TCP;

    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct partner_row *row = partner_row_at(i);

        cr_expect_eq(row->verdict == PARTNER_VERDICT_REJECT, row->auth == 0);
        if (row->tls == R) {
            cr_expect_not(partner_row_allows(row, PARTNER_AUTH_DIALBACK_TCP));
            cr_expect(row->auth == 0 || row->tls_require);
        }
        if (row->tls == N) {
            cr_expect_eq(row->auth & ~PARTNER_AUTH_DIALBACK_TCP, 0);
            cr_expect_not(row->tls_offer);
        }
        if (row->sasl == R) {
            cr_expect_eq(row->auth & ~PARTNER_AUTH_EXTERNAL, 0);
        }
        if (row->sasl == N) {
            cr_expect_not(partner_row_allows(row, PARTNER_AUTH_EXTERNAL));
            cr_expect_not(row->external_offer);
        }
        if (!row->dialback) {
            cr_expect_eq(row->auth & (by_dialback | PARTNER_AUTH_CERTIFICATE), 0);
            cr_expect_not(row->dialback_offer);
        }
        cr_expect_eq(row->external_offer, partner_row_allows(row, PARTNER_AUTH_EXTERNAL));
        cr_expect_eq(row->dialback_offer, partner_row_allows(row, by_dialback));
        cr_expect_eq(row->certificate_valid, row->auth == PARTNER_AUTH_EXTERNAL);
        cr_expect_eq(row->tls_require,
                     row->auth && !partner_row_allows(row, PARTNER_AUTH_DIALBACK_TCP));
    }
}

Test(partner, bits_are_those_of_the_stream_machine)
{
    cr_expect_eq(PARTNER_AUTH_EXTERNAL, (uint32_t)STREAM_METHOD_EXTERNAL);
    cr_expect_eq(PARTNER_AUTH_CERTIFICATE, (uint32_t)STREAM_METHOD_CERTIFICATE);
    cr_expect_eq(PARTNER_AUTH_DIALBACK_TLS, (uint32_t)STREAM_METHOD_DIALBACK_TLS);
    cr_expect_eq(PARTNER_AUTH_DIALBACK_TCP, (uint32_t)STREAM_METHOD_DIALBACK_PLAIN);
}

Test(partner, the_loader_gives_the_same_verdict)
{
    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct expected *e = &expected[i];
        const struct partner_row *row = partner_row_at(i);
        char partners[256];
        char line[1024];
        const char *report;

        (void)snprintf(partners, sizeof(partners),
                       "[{\"domain\":\"a.example\",\"tls\":\"%s\",\"sasl\":\"%s\","
                       "\"dialback\":%s}]",
                       partner_level_name(e->tls), partner_level_name(e->sasl),
                       e->dialback ? "true" : "false");
        report = help_report(&(struct help_doc){.partners = partners});
        (void)snprintf(line, sizeof(line),
                       "f:7:%zu: partners[0].sasl: %s%s (tls %s, sasl %s, dialback %s): %s\n",
                       strlen("\"partners\":[{\"domain\":\"a.example\",\"tls\":\"\",\"sasl\":") +
                           strlen(partner_level_name(e->tls)) + 1,
                       row->verdict == PARTNER_VERDICT_WARN ? "warning: " : "", e->reason,
                       partner_level_name(e->tls), partner_level_name(e->sasl),
                       e->dialback ? "true" : "false", row->text);
        cr_expect_str_eq(report, row->verdict == PARTNER_VERDICT_ACCEPT ? "" : line);
    }
}

Test(partner, names)
{
    cr_expect_str_eq(partner_level_name(N), "not_supported");
    cr_expect_str_eq(partner_type_name(PARTNER_TYPE_PUBLIC_VERIFIED), "public_verified");
    cr_expect_str_eq(partner_acks_name(PARTNER_ACKS_PING), "ping");
    cr_expect_str_eq(partner_verdict_name(PARTNER_VERDICT_WARN), "warn");
    cr_expect_str_eq(partner_level_name(PARTNER_LEVEL_COUNT), "?");
}

Test(partner, ids_and_homes)
{
    /* Fixed for ever: stored state may name partners by it. */
    cr_expect_eq(partner_id(SLICE_LIT("fabrikam.example")),
                 partner_id(SLICE_LIT("fabrikam.example")));
    cr_expect_neq(partner_id(SLICE_LIT("fabrikam.example")),
                  partner_id(SLICE_LIT("fabrikam.exampl")));
    cr_expect_eq(partner_home_of_id(UINT64_MAX, 1), 0);
    cr_expect_eq(partner_home_of_id(UINT64_MAX, 64), 63);
    cr_expect_eq(partner_home_of_id(0, 64), 0);
}

Test(partner, homes_are_spread_evenly)
{
    uint32_t counts[8] = {0};

    for (uint32_t i = 0; i < 8000; i++) {
        char name[32];
        int len = snprintf(name, sizeof(name), "partner-%u.example", i);
        struct partner p = {.id = partner_id(slice_make(name, (size_t)len))};
        uint32_t home = partner_home(&p, 8);

        cr_assert_lt(home, 8);
        counts[home]++;
    }
    for (uint32_t i = 0; i < 8; i++) {
        cr_expect(counts[i] > 850 && counts[i] < 1150, "%u", counts[i]);
    }
}
