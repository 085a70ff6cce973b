/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cert: see cert.h. RFC 5280 4.1 and 4.2. */
#include "tls/cert.h"

#include "base/err.h"
#include "tls/der.h"

#define OID_IS(oid, text) slice_eq(oid, SLICE_LIT(text))
#define OID_EXTENSION(last) "\x55\x1d" last /* 2.5.29.x */

/* Extensions that we act upon, and those that may be critical without changing our answer: policies
 * are not asked for (initial-policy-set is any-policy), issuer names are not used here. */
enum extension {
    EXT_UNKNOWN,
    EXT_IGNORED,
    EXT_SUBJECT_KEY_ID,
    EXT_KEY_USAGE,
    EXT_SAN,
    EXT_BASIC,
    EXT_CONSTRAINTS,
    EXT_AUTHORITY_KEY_ID,
    EXT_EKU,
    EXT_CRL_POINTS,
    EXT_COUNT
};

static enum extension extension_of(struct slice oid)
{
    static const struct {
        struct slice oid;
        enum extension ext;
    } known[] = {
        {SLICE_LIT(OID_EXTENSION("\x0e")), EXT_SUBJECT_KEY_ID},
        {SLICE_LIT(OID_EXTENSION("\x0f")), EXT_KEY_USAGE},
        {SLICE_LIT(OID_EXTENSION("\x11")), EXT_SAN},
        {SLICE_LIT(OID_EXTENSION("\x12")), EXT_IGNORED}, /* issuerAltName */
        {SLICE_LIT(OID_EXTENSION("\x13")), EXT_BASIC},
        {SLICE_LIT(OID_EXTENSION("\x1e")), EXT_CONSTRAINTS},
        {SLICE_LIT(OID_EXTENSION("\x1f")), EXT_CRL_POINTS},
        {SLICE_LIT(OID_EXTENSION("\x20")), EXT_IGNORED}, /* certificatePolicies */
        {SLICE_LIT(OID_EXTENSION("\x21")), EXT_IGNORED}, /* policyMappings */
        {SLICE_LIT(OID_EXTENSION("\x23")), EXT_AUTHORITY_KEY_ID},
        {SLICE_LIT(OID_EXTENSION("\x24")), EXT_IGNORED}, /* policyConstraints */
        {SLICE_LIT(OID_EXTENSION("\x25")), EXT_EKU},
        {SLICE_LIT(OID_EXTENSION("\x36")), EXT_IGNORED}, /* inhibitAnyPolicy */
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (slice_eq(oid, known[i].oid)) {
            return known[i].ext;
        }
    }
    return EXT_UNKNOWN;
}

static bool parse_basic(struct cert *c, struct der d)
{
    struct der seq = der_open(&d, DER_SEQUENCE);
    struct der_item item;
    if (der_take(&seq, DER_BOOLEAN, &item)) {
        c->is_ca = item.content.len == 1 && item.content.ptr[0] != 0;
    }
    if (der_take(&seq, DER_INTEGER, &item)) {
        if (!der_u32(item.content, &c->path_len) || c->path_len == UINT32_MAX) {
            return false;
        }
    }
    return !seq.failed && !d.failed && der_at_end(&seq) && der_at_end(&d);
}

static bool parse_key_usage(struct cert *c, struct der d)
{
    struct slice bits = der_need(&d, DER_BIT_STRING).content;
    if (d.failed || bits.len < 1 || (unsigned char)bits.ptr[0] > 7) {
        return false;
    }
    c->key_usage = bits.len > 1 ? (uint8_t)bits.ptr[1] : 0;
    return true;
}

static bool parse_eku(struct cert *c, struct der d)
{
    struct der seq = der_open(&d, DER_SEQUENCE);
    c->eku = 0;
    for (uint32_t i = 0; i < CERT_EKU_MAX && !der_at_end(&seq); i++) {
        struct slice oid = der_need(&seq, DER_OID).content;
        if (OID_IS(oid, "\x2b\x06\x01\x05\x05\x07\x03\x01")) {
            c->eku |= CERT_EKU_SERVER;
        } else if (OID_IS(oid, "\x2b\x06\x01\x05\x05\x07\x03\x02")) {
            c->eku |= CERT_EKU_CLIENT;
        } else if (OID_IS(oid, OID_EXTENSION("\x25\x00"))) {
            c->eku |= CERT_EKU_ANY;
        }
    }
    return !seq.failed && !d.failed && der_at_end(&seq);
}

static bool parse_authority_key_id(struct cert *c, struct der d)
{
    struct der seq = der_open(&d, DER_SEQUENCE);
    struct der_item item;
    if (der_take(&seq, DER_CONTEXT(0), &item)) {
        c->authority_key_id = item.content;
    }
    return !seq.failed && !d.failed;
}

static bool parse_extension(struct cert *c, enum extension ext, struct slice value)
{
    struct der d = der_make(value);
    switch (ext) {
    case EXT_SUBJECT_KEY_ID:
        c->subject_key_id = der_need(&d, DER_OCTET_STRING).content;
        return !d.failed;
    case EXT_KEY_USAGE:
        return parse_key_usage(c, d);
    case EXT_SAN:
        c->san = der_need(&d, DER_SEQUENCE).content;
        return !d.failed && der_at_end(&d);
    case EXT_BASIC:
        return parse_basic(c, d);
    case EXT_CONSTRAINTS:
        c->constraints = der_need(&d, DER_SEQUENCE).content;
        c->has_constraints = true;
        return !d.failed && der_at_end(&d);
    case EXT_AUTHORITY_KEY_ID:
        return parse_authority_key_id(c, d);
    case EXT_EKU:
        return parse_eku(c, d);
    case EXT_CRL_POINTS:
        c->crl_points = value;
        return true;
    case EXT_UNKNOWN:
    case EXT_IGNORED:
    case EXT_COUNT:
    default:
        return true;
    }
}

static bool parse_extensions(struct cert *c, struct der *tbs)
{
    struct der_item item;
    if (!der_take(tbs, DER_CONTEXT_SEQ(3), &item)) {
        return !tbs->failed;
    }
    if (c->version != 3) {
        return false;
    }
    struct der wrapped = der_make(item.content);
    struct der list = der_open(&wrapped, DER_SEQUENCE);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < CERT_EXTENSIONS_MAX && !der_at_end(&list); i++) {
        struct der one = der_open(&list, DER_SEQUENCE);
        enum extension ext = extension_of(der_need(&one, DER_OID).content);
        bool critical = false;
        if (der_take(&one, DER_BOOLEAN, &item)) {
            critical = item.content.len == 1 && item.content.ptr[0] != 0;
        }
        struct slice value = der_need(&one, DER_OCTET_STRING).content;
        if (one.failed || (ext > EXT_IGNORED && (seen & 1u << ext) != 0) ||
            !parse_extension(c, ext, value)) {
            return false;
        }
        seen |= 1u << ext;
        c->has_unknown_critical = c->has_unknown_critical || (critical && ext == EXT_UNKNOWN);
    }
    return !wrapped.failed && !list.failed && der_at_end(&list);
}

#define OID_PKCS1(last) "\x2a\x86\x48\x86\xf7\x0d\x01\x01" last
#define OID_ECDSA(last) "\x2a\x86\x48\xce\x3d\x04\x03" last
#define OID_SHA2(last)  "\x60\x86\x48\x01\x65\x03\x04\x02" last

/* RSASSA-PSS names its digest in the parameters; left out, it is SHA-1 (RFC 4055 3.1). */
static bool pss_is_strong(struct der algorithm)
{
    struct der params = der_open(&algorithm, DER_SEQUENCE);
    struct der hash_field = der_open(&params, DER_CONTEXT_SEQ(0));
    struct der hash = der_open(&hash_field, DER_SEQUENCE);
    struct slice oid = der_need(&hash, DER_OID).content;
    return OID_IS(oid, OID_SHA2("\x01")) || OID_IS(oid, OID_SHA2("\x02")) ||
           OID_IS(oid, OID_SHA2("\x03"));
}

/* algorithm: behind the head of the AlgorithmIdentifier. */
static bool signature_is_strong(struct der algorithm)
{
    static const struct slice strong[] = {
        SLICE_LIT(OID_PKCS1("\x0b")), SLICE_LIT(OID_PKCS1("\x0c")), SLICE_LIT(OID_PKCS1("\x0d")),
        SLICE_LIT(OID_ECDSA("\x02")), SLICE_LIT(OID_ECDSA("\x03")), SLICE_LIT(OID_ECDSA("\x04")),
        SLICE_LIT("\x2b\x65\x70"), /* Ed25519 */
        SLICE_LIT("\x2b\x65\x71"), /* Ed448 */
    };
    struct slice oid = der_need(&algorithm, DER_OID).content;
    for (size_t i = 0; i < ARRAY_COUNT(strong); i++) {
        if (slice_eq(oid, strong[i])) {
            return true;
        }
    }
    return OID_IS(oid, OID_PKCS1("\x0a")) && pss_is_strong(algorithm);
}

int cert_parse(struct cert *out, struct slice der)
{
    *out = (struct cert){.der = der, .path_len = UINT32_MAX, .key_usage = 0xff, .eku = CERT_EKU_ANY,
                         .version = 1};
    if (der.len > CERT_BYTES_MAX) {
        return ERR_BAD_INPUT;
    }
    struct der top = der_make(der);
    struct der certificate = der_open(&top, DER_SEQUENCE);
    struct der tbs = der_open(&certificate, DER_SEQUENCE);
    struct der outer_algorithm = der_open(&certificate, DER_SEQUENCE);
    (void)der_need(&certificate, DER_BIT_STRING);
    struct der_item item;
    if (der_take(&tbs, DER_CONTEXT_SEQ(0), &item)) {
        struct der version = der_make(item.content);
        uint32_t number;
        if (!der_u32(der_need(&version, DER_INTEGER).content, &number) || number > 2) {
            return ERR_BAD_INPUT;
        }
        out->version = (uint8_t)(number + 1);
    }
    out->serial = der_need(&tbs, DER_INTEGER).content;
    struct der inner_algorithm = der_open(&tbs, DER_SEQUENCE);
    /* RFC 5280 4.1.1.2: both must be the same; else the signed one says nothing. */
    if (!slice_eq(inner_algorithm.rest, outer_algorithm.rest)) {
        return ERR_BAD_INPUT;
    }
    out->is_weakly_signed = !signature_is_strong(outer_algorithm);
    out->issuer = der_need(&tbs, DER_SEQUENCE).whole;
    struct der validity = der_open(&tbs, DER_SEQUENCE);
    struct der_item from;
    struct der_item until;
    bool has_validity = der_next(&validity, &from) && der_time(&from, &out->not_before_unix_s) &&
                        der_next(&validity, &until) && der_time(&until, &out->not_after_unix_s);
    out->subject = der_need(&tbs, DER_SEQUENCE).whole;
    (void)der_need(&tbs, DER_SEQUENCE); /* subjectPublicKeyInfo: the backend's */
    (void)der_take(&tbs, DER_CONTEXT(1), &item);
    (void)der_take(&tbs, DER_CONTEXT(2), &item);
    if (!has_validity || outer_algorithm.failed || !parse_extensions(out, &tbs) || tbs.failed ||
        !der_at_end(&tbs) || certificate.failed || !der_at_end(&certificate) || top.failed ||
        !der_at_end(&top)) {
        return ERR_BAD_INPUT;
    }
    return 0;
}
