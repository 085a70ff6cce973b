/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner: the truth table and the names of its parts. */
#include "policy/partner.h"

#include <stddef.h>

#include "base/check.h"
#include "base/hash.h"

#define R    PARTNER_LEVEL_REQUIRED
#define O    PARTNER_LEVEL_OPTIONAL
#define N    PARTNER_LEVEL_NOT_SUPPORTED
#define EXT  PARTNER_AUTH_EXTERNAL
#define CERT PARTNER_AUTH_CERTIFICATE
#define DTLS PARTNER_AUTH_DIALBACK_TLS
#define DTCP PARTNER_AUTH_DIALBACK_TCP

#define DIALBACK_UNUSED                                                                            \
    PARTNER_VERDICT_WARN, "dialback-unused",                                                       \
        "SASL is required, so dialback is never used: the partner must show a valid certificate "  \
        "over TLS; set \"dialback\": false, or \"sasl\": \"optional\" to let dialback help"
#define TLS_NEEDED                                                                                 \
    PARTNER_VERDICT_WARN, "tls-needed",                                                            \
        "nothing but SASL EXTERNAL is left, and that needs TLS: a partner without TLS cannot "     \
        "connect; set \"tls\": \"required\" to say so"
#define FALLBACK_UNENCRYPTED                                                                       \
    PARTNER_VERDICT_WARN, "tls-optional",                                                          \
        "SASL needs TLS, and TLS is optional: a partner without TLS is let in by dialback, "       \
        "unencrypted; set \"tls\": \"required\" to prevent that"
#define SASL_NEEDS_TLS                                                                             \
    PARTNER_VERDICT_REJECT, "sasl-needs-tls",                                                      \
        "SASL, required or optional, demands TLS, required or optional: it proves the domain "     \
        "with the TLS certificate; set \"tls\" to \"required\" or \"optional\", or \"sasl\" to "   \
        "\"not_supported\" for dialback alone"
#define NO_METHOD                                                                                  \
    PARTNER_VERDICT_REJECT, "no-authentication",                                                   \
        "neither SASL nor dialback is left, so no stream could ever be authenticated: "            \
        "set \"dialback\": true or \"sasl\" to \"required\" or \"optional\""
#define PLAIN PARTNER_VERDICT_ACCEPT, "", ""

/* number, levels, what can result, verdict; the flags follow from what can result and are checked
 * against it by a test. */
#define ROW(number_, tls_, sasl_, dialback_, auth_, ...)                                           \
    ROW_(number_, tls_, sasl_, dialback_, auth_, __VA_ARGS__)
#define ROW_(number_, tls_, sasl_, dialback_, auth_, verdict_, reason_, text_)                     \
    {                                                                                              \
        .number = (number_), .tls = (tls_), .sasl = (sasl_), .dialback = (dialback_),              \
        .verdict = (verdict_), .auth = (auth_), .tls_offer = ((auth_) & (EXT | DTLS)) != 0,        \
        .tls_require = (auth_) != 0 && ((auth_)&DTCP) == 0, .external_offer = ((auth_)&EXT) != 0,  \
        .dialback_offer = ((auth_) & (DTLS | DTCP)) != 0, .certificate_valid = (auth_) == EXT,     \
        .reason = (reason_), .text = (text_)                                                       \
    }

static const struct partner_row rows[] = {
    ROW(1, R, R, true, EXT, DIALBACK_UNUSED),
    ROW(2, R, R, false, EXT, PLAIN),
    ROW(3, O, R, true, EXT, DIALBACK_UNUSED),
    ROW(4, O, R, false, EXT, TLS_NEEDED),
    ROW(5, N, R, true, 0, SASL_NEEDS_TLS),
    ROW(6, N, R, false, 0, SASL_NEEDS_TLS),
    ROW(7, R, O, true, EXT | CERT | DTLS, PLAIN),
    ROW(8, R, O, false, EXT, PLAIN),
    ROW(9, O, O, true, EXT | CERT | DTLS | DTCP, FALLBACK_UNENCRYPTED),
    ROW(10, O, O, false, EXT, TLS_NEEDED),
    ROW(11, N, O, true, 0, SASL_NEEDS_TLS),
    ROW(12, N, O, false, 0, SASL_NEEDS_TLS),
    ROW(13, R, N, true, DTLS, PLAIN),
    ROW(14, R, N, false, 0, NO_METHOD),
    ROW(15, O, N, true, DTLS | DTCP, PLAIN),
    ROW(16, O, N, false, 0, NO_METHOD),
    ROW(17, N, N, true, DTCP, PLAIN),
    ROW(18, N, N, false, 0, NO_METHOD),
};

STATIC_ASSERT(ARRAY_COUNT(rows) == PARTNER_ROW_COUNT, "all 18 combinations, once each");

const struct partner_row *partner_row_at(uint32_t idx)
{
    return idx < ARRAY_COUNT(rows) ? &rows[idx] : NULL;
}

const struct partner_row *partner_row_find(enum partner_level tls, enum partner_level sasl,
                                           bool dialback)
{
    ASSERT(tls < PARTNER_LEVEL_COUNT);
    ASSERT(sasl < PARTNER_LEVEL_COUNT);
    /* The order of the table: SASL, then TLS, then dialback true before false. */
    return &rows[sasl * 6u + tls * 2u + (dialback ? 0u : 1u)];
}

const char *partner_level_name(enum partner_level level)
{
    static const char *const names[] = {"required", "optional", "not_supported"};

    return level < ARRAY_COUNT(names) ? names[level] : "?";
}

const char *partner_type_name(enum partner_type type)
{
    static const char *const names[] = {"federated", "public_verified", "public_unverified"};

    return type < ARRAY_COUNT(names) ? names[type] : "?";
}

const char *partner_acks_name(enum partner_acks acks)
{
    static const char *const names[] = {"auto", "sm", "ping", "off"};

    return acks < ARRAY_COUNT(names) ? names[acks] : "?";
}

const char *partner_verdict_name(enum partner_verdict verdict)
{
    static const char *const names[] = {"accept", "warn", "reject"};

    return verdict < ARRAY_COUNT(names) ? names[verdict] : "?";
}

uint64_t partner_id(struct slice domain)
{
    /* A fixed key: the id is the same in every process (logs, stored state). Domains come from
     * the administrator, nobody else can aim for a collision. */
    static const struct hash_key key = {0x6665646761746531u, 0x706172746e657231u};

    return hash_bytes_keyed(key, domain);
}

uint32_t partner_home_of_id(uint64_t id, uint32_t shard_count)
{
    ASSERT(shard_count >= 1);
    /* The high half scaled to the count: even, and without a division. */
    return (uint32_t)(((id >> 32) * shard_count) >> 32);
}
