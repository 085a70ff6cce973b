/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: who a certificate speaks for. Reads the subjectAltName (RFC 5280 4.2.1.6) of a DER leaf
 * itself, the same for every backend: dNSName, id-on-dnsSRV (RFC 4985), id-on-xmppAddr (RFC 6120
 * 13.7.1.4), URI. The common name is never looked at (RFC 9525).
 * Comparison works on A-labels, case-insensitively; '*' only as the whole leftmost label of a
 * dNSName, for exactly one label, and with two labels or more behind it. An XmppAddr may hold
 * U-labels: it is compared byte by byte (ASCII case aside), so whoever also knows the domain as
 * U-labels asks a second time with those. Names with a NUL in them are dropped when reading.
 * One block of the pool for all names of a certificate, as large as they are. Any thread.       */
#ifndef FG_TLS_NAMES_H
#define FG_TLS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

#define TLS_NAMES_MAX 64u        /* further ones are not looked at and flagged */
#define TLS_NAMES_BYTES 4096u

enum tls_name_kind { TLS_NAME_DNS, TLS_NAME_SRV, TLS_NAME_XMPP, TLS_NAME_URI };

struct tls_name {
    uint16_t offset; /* of its text behind the entries */
    uint16_t len;
    uint16_t kind; /* enum tls_name_kind */
};

/* Zeroed: no names. */
struct tls_names {
    struct tls_name *entries;  /* owned: count of them, then bytes_used bytes of text */
    uint16_t count;
    uint16_t bytes_used;
    bool is_cut;               /* more names than we look at */
    bool has_server_auth;      /* extendedKeyUsage absent, any, or serverAuth */
    bool has_client_auth;      /* extendedKeyUsage absent, any, or clientAuth */
};

/* From a DER certificate. ERR_BAD_INPUT when the structure is broken, ERR_NOMEM; then *out is
 * empty. What was in *out before is not freed. */
NODISCARD int tls_names_parse(struct tls_names *out, struct slice der_certificate);
/* An own copy; ERR_NOMEM: *out is empty. */
NODISCARD int tls_names_copy(struct tls_names *out, const struct tls_names *from);
/* Empties. */
void tls_names_deinit(struct tls_names *n);
struct slice tls_names_get(const struct tls_names *n, uint32_t idx, enum tls_name_kind *kind);
/* domain: A-label, lower case. dNSName, SRVName "_xmpp-server.domain", XmppAddr = domain. */
bool tls_names_match_xmpp(const struct tls_names *n, struct slice domain);
/* RFC 5922 7.1: sip: URI SANs without user part decide if there are any, else dNSName without
 * wildcards; domain: A-label, lower case. */
bool tls_names_match_sip(const struct tls_names *n, struct slice domain);

#endif
