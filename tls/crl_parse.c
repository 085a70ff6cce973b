/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crl_parse: DER of one list into a view. RFC 5280 5.1, 5.2, 5.3. */
#include "base/err.h"
#include "tls/crl.h"
#include "tls/der.h"

#define OID_IS(oid, text) slice_eq(oid, SLICE_LIT(text))
#define OID_EXTENSION(last) "\x55\x1d" last /* 2.5.29.x */
#define REASON_REMOVE_FROM_CRL 8

/* One Extension of a list or an entry. */
struct extension {
    struct slice oid;
    struct slice value;
    bool is_critical;
};

static bool next_extension(struct der *list, struct extension *out)
{
    struct der one = der_open(list, DER_SEQUENCE);
    struct der_item item;
    *out = (struct extension){.oid = der_need(&one, DER_OID).content};
    if (der_take(&one, DER_BOOLEAN, &item)) {
        out->is_critical = item.content.len == 1 && item.content.ptr[0] != 0;
    }
    out->value = der_need(&one, DER_OCTET_STRING).content;
    return !one.failed && der_at_end(&one);
}

/* DEFAULT FALSE; false = broken. */
static bool take_flag(struct der *d, unsigned n, bool *out)
{
    struct der_item item;
    *out = false;
    if (der_take(d, DER_CONTEXT(n), &item)) {
        *out = item.content.len == 1 && item.content.ptr[0] != 0;
        return item.content.len == 1;
    }
    return true;
}

static const char *parse_scope(struct crl_view *v, struct slice value)
{
    struct der d = der_make(value);
    struct der seq = der_open(&d, DER_SEQUENCE);
    struct der_item item;
    struct der_item reasons;
    bool is_indirect = false;
    bool only_attributes = false;
    v->scope = value;
    if (der_take(&seq, DER_CONTEXT_SEQ(0), &item)) {
        struct der name = der_make(item.content);
        if (der_peek(&name) != DER_CONTEXT_SEQ(0)) {
            return "is about a distribution point named relative to its issuer, which is not "
                   "supported";
        }
        v->points = der_need(&name, DER_CONTEXT_SEQ(0)).content;
        if (name.failed || !der_at_end(&name) || slice_is_empty(v->points)) {
            return "has a damaged issuingDistributionPoint";
        }
    }
    bool ok = take_flag(&seq, 1, &v->only_users) && take_flag(&seq, 2, &v->only_cas);
    bool some_reasons = der_take(&seq, DER_CONTEXT(3), &reasons);
    ok = ok && take_flag(&seq, 4, &is_indirect) && take_flag(&seq, 5, &only_attributes);
    if (!ok || seq.failed || !der_at_end(&seq) || d.failed || !der_at_end(&d)) {
        return "has a damaged issuingDistributionPoint";
    }
    if (some_reasons) {
        return "is limited to some reasons: give complete lists";
    }
    if (is_indirect) {
        return "is an indirect list (of certificates of other issuers), which is not supported";
    }
    if (only_attributes || (v->only_users && v->only_cas)) {
        return "is about attribute certificates, which are not used here";
    }
    return NULL;
}

static const char *parse_list_extension(struct crl_view *v, const struct extension *ext)
{
    struct der d = der_make(ext->value);
    if (OID_IS(ext->oid, OID_EXTENSION("\x1b"))) {
        return "is a delta list: give complete lists";
    }
    if (OID_IS(ext->oid, OID_EXTENSION("\x1c"))) {
        return v->scope.len ? "has an extension twice" : parse_scope(v, ext->value);
    }
    if (OID_IS(ext->oid, OID_EXTENSION("\x14"))) {
        v->number = der_need(&d, DER_INTEGER).content;
        return d.failed || !der_at_end(&d) ? "has a damaged cRLNumber" : NULL;
    }
    if (OID_IS(ext->oid, OID_EXTENSION("\x23"))) {
        struct der seq = der_open(&d, DER_SEQUENCE);
        struct der_item item;
        if (der_take(&seq, DER_CONTEXT(0), &item)) {
            v->authority_key_id = item.content;
        }
        return d.failed || seq.failed ? "has a damaged authorityKeyIdentifier" : NULL;
    }
    return ext->is_critical ? "has a critical extension that is not known here" : NULL;
}

static const char *parse_list_extensions(struct crl_view *v, struct der *tbs)
{
    struct der_item item;
    if (!der_take(tbs, DER_CONTEXT_SEQ(0), &item)) {
        return NULL;
    }
    struct der wrapped = der_make(item.content);
    struct der list = der_open(&wrapped, DER_SEQUENCE);
    for (uint32_t i = 0; i < CRL_EXTENSIONS_MAX && !der_at_end(&list); i++) {
        struct extension ext;
        if (!next_extension(&list, &ext)) {
            return "has a damaged extension";
        }
        const char *fault = parse_list_extension(v, &ext);
        if (fault) {
            return fault;
        }
    }
    return list.failed || !der_at_end(&list) || wrapped.failed || !der_at_end(&wrapped)
               ? "has damaged or too many extensions"
               : NULL;
}

/* *is_revoked: false for removeFromCRL. NULL or what is wrong. */
static const char *parse_entry_extensions(struct der *entry, bool *is_revoked)
{
    struct der list = der_open(entry, DER_SEQUENCE);
    for (uint32_t i = 0; i < CRL_EXTENSIONS_MAX && !der_at_end(&list); i++) {
        struct extension ext;
        if (!next_extension(&list, &ext)) {
            return "has an entry with a damaged extension";
        }
        if (OID_IS(ext.oid, OID_EXTENSION("\x15"))) { /* cRLReason ::= ENUMERATED */
            struct der d = der_make(ext.value);
            struct slice reason = der_need(&d, DER_ENUMERATED).content;
            *is_revoked = reason.len != 1 || reason.ptr[0] != REASON_REMOVE_FROM_CRL;
        } else if (OID_IS(ext.oid, OID_EXTENSION("\x18"))) {
            continue; /* invalidityDate */
        } else if (ext.is_critical) {
            return "has an entry with a critical extension that is not known here";
        }
    }
    return list.failed || !der_at_end(&list) ? "has an entry with damaged extensions" : NULL;
}

static const char *parse_entry(struct der *entries, struct slice *serial, bool *is_revoked)
{
    struct der entry = der_open(entries, DER_SEQUENCE);
    struct der_item when;
    int64_t when_unix_s;
    *is_revoked = true;
    *serial = der_need(&entry, DER_INTEGER).content;
    if (entry.failed || slice_is_empty(*serial) || !der_next(&entry, &when) ||
        !der_time(&when, &when_unix_s)) {
        return "has a damaged entry";
    }
    return der_at_end(&entry) && !entry.failed ? NULL : parse_entry_extensions(&entry, is_revoked);
}

/* Walks all of them, once: what comes later need not look again. */
static const char *parse_entries(struct crl_view *v, struct der *tbs)
{
    struct der_item item;
    if (!der_take(tbs, DER_SEQUENCE, &item)) {
        return NULL; /* nothing revoked */
    }
    v->entries = item.content;
    struct der entries = der_make(item.content);
    while (!der_at_end(&entries)) {
        struct slice serial;
        bool is_revoked;
        const char *fault = parse_entry(&entries, &serial, &is_revoked);
        if (fault) {
            return fault;
        }
        if (serial.len > CRL_SERIAL_BYTES_MAX) {
            return "has an entry with a serial number of more than 32 bytes";
        }
        if (is_revoked) {
            v->entry_count++;
            v->serial_bytes =
                serial.len > v->serial_bytes ? (uint32_t)serial.len : v->serial_bytes;
        }
    }
    return entries.failed ? "has a damaged entry" : NULL;
}

static bool parse_times(struct crl_view *v, struct der *tbs)
{
    struct der_item item;
    if (!der_next(tbs, &item) || !der_time(&item, &v->this_update_unix_s)) {
        return false;
    }
    unsigned tag = der_peek(tbs);
    if (tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME) {
        return true;
    }
    return der_next(tbs, &item) && der_time(&item, &v->next_update_unix_s);
}

static const char *parse_tbs(struct crl_view *v, struct der tbs, struct slice outer_algorithm)
{
    struct der_item item;
    if (der_take(&tbs, DER_INTEGER, &item)) {
        uint32_t version;
        if (!der_u32(item.content, &version) || version != 1) {
            return "is of an unknown version";
        }
    }
    struct der inner_algorithm = der_open(&tbs, DER_SEQUENCE);
    if (!slice_eq(inner_algorithm.rest, outer_algorithm)) {
        return "is damaged: it names two signature algorithms";
    }
    v->issuer = der_need(&tbs, DER_SEQUENCE).whole;
    if (tbs.failed || !parse_times(v, &tbs)) {
        return "is damaged, or no list";
    }
    const char *fault = parse_entries(v, &tbs);
    fault = fault ? fault : parse_list_extensions(v, &tbs);
    if (!fault && (tbs.failed || !der_at_end(&tbs))) {
        fault = "is damaged";
    }
    return fault;
}

static const char *parse(struct crl_view *v, struct slice bytes)
{
    struct der top = der_make(bytes);
    struct der list = der_open(&top, DER_SEQUENCE);
    struct der tbs_only = list;
    v->tbs = der_need(&list, DER_SEQUENCE).whole;
    struct der tbs = der_open(&tbs_only, DER_SEQUENCE);
    struct der algorithm = der_open(&list, DER_SEQUENCE);
    struct slice outer_algorithm = algorithm.rest;
    struct slice bits = der_need(&list, DER_BIT_STRING).content;
    if (list.failed || !der_at_end(&list) || top.failed || !der_at_end(&top) || bits.len < 2 ||
        bits.ptr[0] != 0) {
        return "is damaged, or no list";
    }
    v->signature.bytes = slice_from(bits, 1);
    const char *fault = parse_tbs(v, tbs, outer_algorithm);
    if (!fault && !signature_algorithm(algorithm, &v->signature)) {
        fault = "has a signature that is not RSA or ECDSA with SHA-2";
    }
    return fault;
}

int crl_parse(struct crl_view *out, struct slice der, const char **fault)
{
    *out = (struct crl_view){.next_update_unix_s = CRL_NEVER};
    *fault = parse(out, der);
    return *fault ? ERR_BAD_INPUT : 0;
}

bool crl_next_entry(struct slice *entries, struct slice *serial)
{
    struct der list = der_make(*entries);
    bool is_revoked = false;
    while (!is_revoked && !der_at_end(&list)) {
        if (parse_entry(&list, serial, &is_revoked)) {
            is_revoked = false; /* was looked at before: does not happen */
        }
    }
    *entries = list.rest;
    return is_revoked;
}

bool crl_serial_pad(struct slice serial, unsigned char *out, uint32_t width)
{
    const unsigned char *p = (const unsigned char *)serial.ptr;
    size_t len = serial.len;
    /* Leading bytes that say no more than the sign does. */
    while (len > 1 && ((p[0] == 0 && p[1] < 0x80) || (p[0] == 0xff && p[1] >= 0x80))) {
        p++;
        len--;
    }
    if (len == 0 || len > width) {
        return false;
    }
    memset(out, p[0] >= 0x80 ? 0xff : 0, width - len);
    memcpy(out + (width - len), p, len);
    return true;
}
