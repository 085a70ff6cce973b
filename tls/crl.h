/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crl: certificate revocation lists from files (RFC 5280 sections 5 and 6.3), and the question
 * whether one of them names a certificate. Complete lists only: delta and indirect lists, those
 * limited to some reasons or to attribute certificates, and those with unknown critical extensions
 * are refused when they are loaded. Lists limited to some distribution points, to CAs or to others
 * are used for what they are about.
 * Of a list only the serial numbers stay in memory, in one sorted row of fixed width, and the
 * digest that its signature is checked against when the issuer's certificate is at hand.
 * Threads: loaded on the control thread; crl_check on any (what was found out about signatures is
 * remembered under a lock). */
#ifndef FG_TLS_CRL_H
#define FG_TLS_CRL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/crypto.h"
#include "base/slice.h"
#include "tls/cert.h"
#include "tls/revocation.h"
#include "tls/signature.h"

struct tls_error;

#define CRL_FILE_BYTES_MAX   (64u << 20)
#define CRL_FILES_BYTES_MAX  (512u << 20) /* of one folder */
#define CRL_LISTS_MAX        8192u
#define CRL_SERIAL_BYTES_MAX 32u /* RFC 5280: at most 20 */
#define CRL_EXTENSIONS_MAX   32u
#define CRL_NEVER            INT64_MAX

/* One list as it stands in its DER, which is borrowed. */
struct crl_view {
    struct slice tbs;
    struct slice issuer;  /* Name, whole element */
    struct slice entries; /* content of revokedCertificates; every one was looked at */
    struct slice authority_key_id;
    struct slice number;  /* content of the INTEGER; empty = none */
    struct slice scope;   /* IssuingDistributionPoint, content; empty = about all certificates */
    struct slice points;  /* GeneralNames of it; empty = of all distribution points */
    int64_t this_update_unix_s;
    int64_t next_update_unix_s; /* CRL_NEVER = it does not say */
    uint32_t entry_count;       /* that are revoked */
    uint32_t serial_bytes;      /* of the longest */
    bool only_users;            /* no CA certificates */
    bool only_cas;
    struct signature signature; /* without digest */
};

/* 0, or ERR_BAD_INPUT and *fault says why, for people, static. */
NODISCARD int crl_parse(struct crl_view *out, struct slice der, const char **fault);
/* The next entry of entries: its serial number; entries move behind it. False at the end. Entries
 * that say removeFromCRL are skipped. */
bool crl_next_entry(struct slice *entries, struct slice *serial);
/* The number as width bytes, two's complement; false when it needs more. */
bool crl_serial_pad(struct slice serial, unsigned char *out, uint32_t width);

/* What is enough to find a certificate in later lists. */
struct crl_trace {
    uint64_t issuer_hash; /* hash_bytes of its issuer's name */
    uint64_t key_hash;    /* of its issuer's key identifier; 0 = it has none */
    uint8_t serial_len;
    unsigned char serial[23]; /* as in the certificate; RFC 5280: at most 21 */
};

/* False when its serial number is too long. */
bool crl_trace_make(struct crl_trace *out, const struct cert *cert, const struct cert *issuer);

struct crl_store;

struct crl_store_params {
    const char *path; /* file, or folder: every file in it whose name does not begin with a dot */
    const struct signature_ops *signature;
    const struct crypto *crypto;
};

/* ERR_TLS_CONFIG: why names the file. */
NODISCARD int crl_store_new(struct crl_store **out, const struct crl_store_params *params,
                            struct tls_error *why);
void crl_store_free(struct crl_store *store);
uint32_t crl_store_count(const struct crl_store *store);
/* The idx-th list; false past the end. */
bool crl_store_info(const struct crl_store *store, uint32_t idx, struct tls_crl_info *out);

enum crl_verdict {
    CRL_NONE,    /* no list here is about it */
    CRL_GOOD,    /* not in the newest list */
    CRL_REVOKED,
    CRL_STALE,   /* there are lists, but none in time and signed by this issuer */
};

/* cert is signed by issuer, whose own path was found good. *until_unix_s is lowered to the time
 * up to which the answer holds. */
enum crl_verdict crl_check(struct crl_store *store, const struct cert *cert,
                           const struct cert *issuer, int64_t now_unix_s, int64_t *until_unix_s);

#define CRL_ISSUERS_MAX 16u /* certificates of one name and key: renewed, cross-signed */

/* Who may have signed a list; borrowed for the call. */
struct crl_issuers {
    const struct cert *certs[CRL_ISSUERS_MAX];
    uint32_t count;
};

/* Whether it is named by the newest list that one of these has signed: a shorter question than
 * crl_check, for whose answer the end of lists does not matter. issuers: of the trace's issuer. */
bool crl_names(struct crl_store *store, const struct crl_trace *trace,
               const struct crl_issuers *issuers, int64_t now_unix_s);
/* hash_bytes of the name of the idx-th list's issuer. */
uint64_t crl_store_issuer_hash(const struct crl_store *store, uint32_t idx);
/* Which of the lists of one scope is the newest: the first from the idx-th on that one of these has
 * signed; while there is none, the first. Returns where the next scope begins. Before other threads
 * know the store. */
uint32_t crl_store_settle(struct crl_store *store, uint32_t idx,
                          const struct crl_issuers *issuers);
/* Differs when the lists do. NULL = no lists. */
uint64_t crl_store_hash(const struct crl_store *store);

#endif
