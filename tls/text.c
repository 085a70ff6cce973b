/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text: names and sentences for verdicts, alerts and paths. */
#include "base/attr.h"
#include "tls/tls_int.h"

const char *tls_chain_name(enum tls_chain chain)
{
    static const char *const names[] = {
        [TLS_CHAIN_NONE] = "none",
        [TLS_CHAIN_OK] = "ok",
        [TLS_CHAIN_SELF_SIGNED] = "self-signed",
        [TLS_CHAIN_UNKNOWN_CA] = "unknown-ca",
        [TLS_CHAIN_EXPIRED] = "expired",
        [TLS_CHAIN_NOT_YET_VALID] = "not-yet-valid",
        [TLS_CHAIN_BAD] = "bad",
        [TLS_CHAIN_REVOKED] = "revoked",
        [TLS_CHAIN_CRL_STALE] = "crl-stale",
    };
    return (size_t)chain < ARRAY_COUNT(names) ? names[chain] : "?";
}

const char *tls_chain_text(enum tls_chain chain)
{
    static const char *const texts[] = {
        [TLS_CHAIN_NONE] = "the peer showed no certificate",
        [TLS_CHAIN_OK] = "certificate valid and issued by a trusted authority",
        [TLS_CHAIN_SELF_SIGNED] = "certificate is self-signed and not in the trust file",
        [TLS_CHAIN_UNKNOWN_CA] = "certificate's issuer is not in the trust file, or an "
                                 "intermediate certificate is missing",
        [TLS_CHAIN_EXPIRED] = "certificate, or one it depends on, has expired",
        [TLS_CHAIN_NOT_YET_VALID] = "certificate, or one it depends on, is not valid yet "
                                    "(compare the clocks)",
        [TLS_CHAIN_BAD] = "certificate not acceptable: signature, constraints, purpose, weak key "
                          "or unknown critical extension",
        [TLS_CHAIN_REVOKED] = "certificate, or one it depends on, was revoked by its issuer",
        [TLS_CHAIN_CRL_STALE] = "whether the certificate is revoked cannot be told: its issuer's "
                                "CRL is out of date, not valid or missing (renew the files)",
    };
    return (size_t)chain < ARRAY_COUNT(texts) ? texts[chain] : "?";
}

const char *tls_path_name(enum tls_path path)
{
    static const char *const names[] = {
        [TLS_PATH_LIBRARY] = "library",
        [TLS_PATH_USER] = "user",
        [TLS_PATH_KERNEL] = "kernel",
    };
    return (size_t)path < ARRAY_COUNT(names) ? names[path] : "?";
}

const char *tls_alert_name(int alert)
{
    static const struct {
        int code;
        const char *name;
    } alerts[] = {
        {0, "close_notify"},
        {10, "unexpected_message"},
        {20, "bad_record_mac"},
        {22, "record_overflow"},
        {40, "handshake_failure"},
        {42, "bad_certificate"},
        {43, "unsupported_certificate"},
        {44, "certificate_revoked"},
        {45, "certificate_expired"},
        {46, "certificate_unknown"},
        {47, "illegal_parameter"},
        {48, "unknown_ca"},
        {49, "access_denied"},
        {50, "decode_error"},
        {51, "decrypt_error"},
        {70, "protocol_version"},
        {71, "insufficient_security"},
        {80, "internal_error"},
        {86, "inappropriate_fallback"},
        {90, "user_canceled"},
        {100, "no_renegotiation"},
        {109, "missing_extension"},
        {110, "unsupported_extension"},
        {112, "unrecognized_name"},
        {116, "certificate_required"},
        {120, "no_application_protocol"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(alerts); i++) {
        if (alerts[i].code == alert) {
            return alerts[i].name;
        }
    }
    return "unknown alert";
}

const struct tls_suite *tls_suite_find(uint32_t code)
{
    static const struct tls_suite suites[] = {
        {0x1301, TLS_CIPHER_AES_128_GCM, "TLS_AES_128_GCM_SHA256"},
        {0x1302, TLS_CIPHER_AES_256_GCM, "TLS_AES_256_GCM_SHA384"},
        {0x1303, TLS_CIPHER_CHACHA20_POLY1305, "TLS_CHACHA20_POLY1305_SHA256"},
        {0xc02b, TLS_CIPHER_AES_128_GCM, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
        {0xc02c, TLS_CIPHER_AES_256_GCM, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
        {0xc02f, TLS_CIPHER_AES_128_GCM, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
        {0xc030, TLS_CIPHER_AES_256_GCM, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
        {0xcca8, TLS_CIPHER_CHACHA20_POLY1305, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
        {0xcca9, TLS_CIPHER_CHACHA20_POLY1305, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(suites); i++) {
        if (suites[i].code == code) {
            return &suites[i];
        }
    }
    return NULL;
}
