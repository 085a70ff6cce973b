/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose: its tables are complete, its record is bounded and never grows better. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "ctl/diagnose.h"

static struct ctl ctl = {.config_path = "/etc/fedgate/fedgate.conf"};
static const struct snapshot policy;

static struct diagnose *make(enum diagnose_direction direction)
{
    struct diagnose *d = pool_heap_zalloc(sizeof(*d));

    d->ctl = &ctl;
    d->policy = &policy;
    cr_assert(jid_domain_to_ascii(SLICE_LIT("fabrikam.test"), &d->domain) == 0);
    d->part_count = 1;
    d->at = &d->parts[0];
    d->at->direction = direction;
    d->at->local = SLICE_LIT("corp.test");
    for (int i = 0; i < DIAGNOSE_STEP_COUNT; i++) {
        buf_init(&d->at->results[i].seen, 1 << 16);
    }
    return d;
}

static void destroy(struct diagnose *d)
{
    diagnose_deinit(d);
    pool_heap_free(d);
}

Test(diagnose, every_step_has_names_and_something_that_can_be_wrong)
{
    for (int s = 0; s < DIAGNOSE_STEP_COUNT; s++) {
        bool has_fault = false;

        cr_expect(strlen(diagnose_steps[s].name) > 0 && strlen(diagnose_steps[s].title) > 0);
        for (int f = 1; f < DIAGNOSE_FAULT_COUNT; f++) {
            has_fault |= (diagnose_faults[f].steps >> s & 1) != 0;
        }
        cr_expect(has_fault, "step %s", diagnose_steps[s].name);
        for (int other = 0; other < s; other++) {
            cr_expect(diagnose_steps[s].direction != diagnose_steps[other].direction ||
                          strcmp(diagnose_steps[s].name, diagnose_steps[other].name) != 0,
                      "%s twice", diagnose_steps[s].name);
        }
    }
}

/* Only what is put in stands in braces. */
static bool has_known_words_only(const char *text)
{
    for (const char *c = strchr(text, '{'); c; c = strchr(c + 1, '{')) {
        if (strncmp(c, "{partner}", 9) != 0 && strncmp(c, "{local}", 7) != 0 &&
            strncmp(c, "{config}", 8) != 0) {
            return false;
        }
    }
    return true;
}

Test(diagnose, every_fault_says_what_it_means_and_what_to_do)
{
    for (int f = 1; f < DIAGNOSE_FAULT_COUNT; f++) {
        const struct diagnose_fault_desc *fault = &diagnose_faults[f];

        cr_expect(strlen(fault->name) > 2 && strlen(fault->means) > 10, "fault %d", f);
        cr_expect(strlen(fault->remedy) > 10, "%s has no remedy", fault->name);
        cr_expect(has_known_words_only(fault->means) && has_known_words_only(fault->remedy), "%s",
                  fault->name);
        cr_expect(fault->steps != 0 && fault->steps >> DIAGNOSE_STEP_COUNT == 0, "%s",
                  fault->name);
        for (int other = 1; other < f; other++) {
            cr_expect((fault->steps & diagnose_faults[other].steps) == 0 ||
                          strcmp(fault->name, diagnose_faults[other].name) != 0,
                      "%s has two meanings at one step", fault->name);
        }
    }
}

static void judge(enum diagnose_direction direction, enum tls_chain chain, bool is_needed)
{
    struct diagnose *d = make(direction);
    const struct diagnose_map *map =
        direction == DIAGNOSE_OUT ? &diagnose_map_out : &diagnose_map_in;
    struct diagnose_judge j = {map, SLICE_LIT("fabrikam.test"), is_needed};
    struct tls_peer peer = {.chain = chain,
                            .not_after_unix_s = INT64_MAX,
                            .names = {.has_server_auth = true, .has_client_auth = true},
                            .subject = "",
                            .issuer = "",
                            .version = "TLSv1.3",
                            .cipher = "X",
                            .sni = "",
                            .alpn = ""};
    const struct diagnose_result *r = &d->at->results[map->chain];

    cr_expect(!diagnose_judge_peer(d, &j, &peer), "no name fits");
    if (chain == TLS_CHAIN_OK) {
        cr_expect(r->status == DIAGNOSE_OK);
    } else {
        cr_expect(r->status == (is_needed && r->fault != DIAGNOSE_FAULT_OUR_CERT_UNTRUSTED
                                    ? DIAGNOSE_FAILED
                                    : DIAGNOSE_WARNING),
                  "chain %d", chain);
        cr_expect(r->fault != DIAGNOSE_FAULT_NONE);
    }
    if (chain != TLS_CHAIN_NONE) {
        cr_expect(d->at->results[map->name].status ==
                  (is_needed ? DIAGNOSE_FAILED : DIAGNOSE_WARNING));
    }
    destroy(d);
}

Test(diagnose, every_verdict_on_a_chain_is_a_fault_of_its_step)
{
    for (int chain = 0; chain <= TLS_CHAIN_CRL_STALE; chain++) {
        judge(DIAGNOSE_OUT, (enum tls_chain)chain, true);
        judge(DIAGNOSE_OUT, (enum tls_chain)chain, false);
        judge(DIAGNOSE_IN, (enum tls_chain)chain, true);
    }
}

Test(diagnose, a_step_never_gets_better)
{
    struct diagnose *d = make(DIAGNOSE_OUT);
    struct diagnose_result *r = &d->at->results[DIAGNOSE_OUT_TCP];

    diagnose_set(d, DIAGNOSE_OUT_TCP, DIAGNOSE_OK);
    diagnose_warn(d, DIAGNOSE_OUT_TCP, DIAGNOSE_FAULT_TCP_SOME);
    diagnose_set(d, DIAGNOSE_OUT_TCP, DIAGNOSE_OK);
    cr_expect(r->status == DIAGNOSE_WARNING && r->fault == DIAGNOSE_FAULT_TCP_SOME);
    diagnose_fail(d, DIAGNOSE_OUT_TCP, DIAGNOSE_FAULT_TCP_CLOSED);
    diagnose_warn(d, DIAGNOSE_OUT_TCP, DIAGNOSE_FAULT_TCP_SOME);
    cr_expect(r->status == DIAGNOSE_FAILED && r->fault == DIAGNOSE_FAULT_TCP_CLOSED);
    cr_expect(diagnose_first_failure(d->at) == DIAGNOSE_OUT_TCP);
    destroy(d);
}

Test(diagnose, only_streams_are_forgiven_when_another_target_holds)
{
    struct diagnose *d = make(DIAGNOSE_OUT);

    diagnose_fail(d, DIAGNOSE_OUT_POLICY, DIAGNOSE_FAULT_NOT_A_PARTNER);
    diagnose_fail(d, DIAGNOSE_OUT_TLS, DIAGNOSE_FAULT_TLS_FAILED);
    diagnose_forgive_walk(d);
    cr_expect(d->at->results[DIAGNOSE_OUT_TLS].status == DIAGNOSE_WARNING);
    cr_expect(diagnose_first_failure(d->at) == DIAGNOSE_OUT_POLICY);
    destroy(d);
}

Test(diagnose, what_cannot_be_tried_is_no_success)
{
    struct diagnose *d = make(DIAGNOSE_OUT);

    cr_expect(!diagnose_part_has_failed(d->at));
    diagnose_block(d, DIAGNOSE_OUT_DIALBACK, DIAGNOSE_FAULT_NO_KEY);
    cr_expect(d->at->results[DIAGNOSE_OUT_DIALBACK].status == DIAGNOSE_NOT_TRIED);
    cr_expect(diagnose_part_has_failed(d->at));
    destroy(d);
}

Test(diagnose, lines_are_bounded_and_one_line_each)
{
    struct diagnose *d = make(DIAGNOSE_OUT);
    struct buf *seen = &d->at->results[DIAGNOSE_OUT_SRV].seen;
    char longer[4 * DIAGNOSE_LINE_BYTES];

    memset(longer, 'x', sizeof(longer));
    longer[5] = '\n';
    longer[sizeof(longer) - 1] = 0;
    for (uint32_t i = 0; i < 3 * DIAGNOSE_LINES_MAX; i++) {
        diagnose_seen(d, DIAGNOSE_OUT_SRV, "%s", longer);
    }
    cr_expect(!seen->failed);
    cr_expect(buf_len(seen) < (DIAGNOSE_LINES_MAX + 1) * (DIAGNOSE_LINE_BYTES + 8));
    cr_expect(d->at->results[DIAGNOSE_OUT_SRV].line_count == DIAGNOSE_LINES_MAX);
    cr_expect(slice_ends(buf_slice(seen), SLICE_LIT("... and more\n")));
    cr_expect(buf_slice(seen).ptr[5] == ' ');
    destroy(d);
}

Test(diagnose, names_are_put_into_remedies)
{
    struct diagnose *d = make(DIAGNOSE_OUT);
    struct buf out;

    buf_init(&out, 4096);
    diagnose_expand(&out, d, SLICE_LIT("corp.test"), "{partner} {local} {config} {other} {");
    cr_expect(slice_eq(buf_slice(&out), SLICE_LIT("fabrikam.test corp.test "
                                                  "/etc/fedgate/fedgate.conf {other} {")));
    buf_deinit(&out);
    destroy(d);
}

Test(diagnose, addresses_are_read_with_and_without_brackets)
{
    struct diagnose_spot spot;

    cr_expect(diagnose_spot_parse(&spot, SLICE_LIT("[2001:db8::1]"), 5269));
    cr_expect(strcmp(spot.text, "[2001:db8::1]:5269") == 0);
    cr_expect(diagnose_spot_parse(&spot, SLICE_LIT("192.0.2.1"), 5270));
    cr_expect(strcmp(spot.text, "192.0.2.1:5270") == 0);
    cr_expect(!diagnose_spot_parse(&spot, SLICE_LIT("xmpp.example"), 5269));
    cr_expect(!diagnose_spot_parse(&spot, SLICE_NONE, 5269));
}
