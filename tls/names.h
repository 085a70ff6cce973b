/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: who a certificate speaks for. Reads the subjectAltName (RFC 5280 4.2.1.6) of a DER leaf
 * itself, the same for every backend: dNSName, id-on-dnsSRV (RFC 4985), id-on-xmppAddr (RFC 6120
 * 13.7.1.4), URI. The common name is never looked at (RFC 9525).
 * Comparison works on A-labels, case-insensitively; '*' only as the whole leftmost label of a
 * dNSName, for exactly one label, and with two labels or more behind it. An XmppAddr may hold
 * U-labels: it is compared byte by byte (ASCII case aside), so whoever also knows the domain as
 * U-labels asks a second time with those. Names with a NUL in them are dropped when reading.
 * Any thread; plain memory.                                                                      */
#ifndef FG_TLS_NAMES_H
#define FG_TLS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

#define TLS_NAMES_MAX 64u        /* further ones are not looked at and flagged */
#define TLS_NAMES_BYTES 4096u

enum tls_name_kind { TLS_NAME_DNS, TLS_NAME_SRV, TLS_NAME_XMPP, TLS_NAME_URI };

struct tls_names {
    struct {
        uint8_t kind; /* enum tls_name_kind */
        uint16_t offset;
        uint16_t len;
    } entries[TLS_NAMES_MAX];
    uint32_t count;
    uint32_t bytes_used;
    bool is_cut;               /* more names than we look at */
    bool has_server_auth;      /* extendedKeyUsage absent, any, or serverAuth */
    bool has_client_auth;      /* extendedKeyUsage absent, any, or clientAuth */
    char bytes[TLS_NAMES_BYTES];
};

/* From a DER certificate. ERR_BAD_INPUT when the structure is broken. */
NODISCARD int tls_names_parse(struct tls_names *out, struct slice der_certificate);
struct slice tls_names_get(const struct tls_names *n, uint32_t idx, enum tls_name_kind *kind);
/* domain: A-label, lower case. dNSName, SRVName "_xmpp-server.domain", XmppAddr = domain. */
bool tls_names_match_xmpp(const struct tls_names *n, struct slice domain);
/* RFC 5922 7.1: sip: URI SANs without user part decide if there are any, else dNSName without
 * wildcards; domain: A-label, lower case. */
bool tls_names_match_sip(const struct tls_names *n, struct slice domain);

#endif
