/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cert: what path validation and name matching need from one X.509 certificate, as views into its
 * DER (RFC 5280 section 4). The same for every backend. Any thread; borrows the DER.             */
#ifndef FG_TLS_CERT_H
#define FG_TLS_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

#define CERT_BYTES_MAX      (64u << 10)
#define CERT_EXTENSIONS_MAX 64u
#define CERT_EKU_MAX        32u

/* keyUsage bits as in the first byte of the BIT STRING. */
#define CERT_KU_DIGITAL_SIGNATURE 0x80u
#define CERT_KU_CERT_SIGN         0x04u
#define CERT_KU_CRL_SIGN          0x02u

enum cert_eku { CERT_EKU_ANY = 1, CERT_EKU_SERVER = 2, CERT_EKU_CLIENT = 4 };

struct cert {
    struct slice der;
    struct slice serial;       /* content of the INTEGER */
    struct slice issuer;       /* Name, whole element */
    struct slice subject;      /* Name, whole element */
    struct slice san;          /* GeneralNames content; empty when absent */
    struct slice constraints;  /* NameConstraints content; empty when absent */
    struct slice crl_points;   /* CRLDistributionPoints as it stands, not looked at; or empty */
    struct slice subject_key_id;
    struct slice authority_key_id;
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    uint32_t path_len;         /* UINT32_MAX = no limit */
    uint8_t key_usage;         /* CERT_KU_*; all ones when the extension is absent */
    uint8_t eku;               /* enum cert_eku bits; CERT_EKU_ANY when absent */
    uint8_t version;           /* 1, 2, 3 */
    bool is_ca;                /* basicConstraints cA */
    bool has_constraints;
    bool is_weakly_signed;     /* digest below SHA-256, or a signature scheme not known here */
    bool has_unknown_critical; /* a critical extension that nobody here processes */
};

/* ERR_BAD_INPUT when the structure is broken, an extension is doubled or a limit is crossed. */
NODISCARD int cert_parse(struct cert *out, struct slice der);
static inline bool cert_is_self_issued(const struct cert *c)
{
    return slice_eq(c->issuer, c->subject);
}
/* "CN=fabrikam, O=Fabrikam": for people, untrusted bytes escaped, cut with "..." at out_bytes. */
void cert_name_text(struct slice name, char *out, size_t out_bytes);

#endif
