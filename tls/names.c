/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: see names.h. RFC 5280 4.2.1.6, RFC 4985, RFC 6120 13.7.1.4, RFC 5922 7, RFC 9525 6. */
#include "tls/names.h"

#include "base/ascii.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/cert.h"
#include "tls/der.h"

/* Walked names of one certificate, ours or not; further ones set is_cut. RFC 9618-style floods of
 * names cost at most this much. */
#define NAMES_WALK_MAX 1024u

#define OID_XMPP_ADDR "\x2b\x06\x01\x05\x05\x07\x08\x05"
#define OID_DNS_SRV   "\x2b\x06\x01\x05\x05\x07\x08\x07"

/* While a certificate is read. */
struct collector {
    struct tls_name entries[TLS_NAMES_MAX];
    uint16_t count;
    uint16_t bytes_used;
    bool is_cut;
    char bytes[TLS_NAMES_BYTES];
};

static void add(struct collector *n, enum tls_name_kind kind, struct slice value)
{
    /* An embedded NUL is the oldest trick; an empty name names nobody. Neither can ever match. */
    if (value.len == 0 || slice_find(value, '\0') >= 0) {
        return;
    }
    if (n->count == TLS_NAMES_MAX || value.len > TLS_NAMES_BYTES - n->bytes_used) {
        n->is_cut = true;
        return;
    }
    n->entries[n->count++] = (struct tls_name){
        .offset = n->bytes_used, .len = (uint16_t)value.len, .kind = (uint16_t)kind};
    memcpy(n->bytes + n->bytes_used, value.ptr, value.len);
    n->bytes_used = (uint16_t)(n->bytes_used + value.len);
}

static bool add_other_name(struct collector *n, struct slice content)
{
    struct der d = der_make(content);
    struct slice oid = der_need(&d, DER_OID).content;
    struct der value = der_open(&d, DER_CONTEXT_SEQ(0));
    if (d.failed) {
        return false;
    }
    if (slice_eq(oid, SLICE_LIT(OID_XMPP_ADDR))) {
        add(n, TLS_NAME_XMPP, der_need(&value, DER_UTF8_STRING).content);
        return !value.failed;
    }
    if (slice_eq(oid, SLICE_LIT(OID_DNS_SRV))) {
        add(n, TLS_NAME_SRV, der_need(&value, DER_IA5_STRING).content);
        return !value.failed;
    }
    return true;
}

/* False when the list is broken. */
static bool collect(struct collector *n, struct slice san_content)
{
    struct der san = der_make(san_content);
    struct der_item item;
    bool ok = true;
    uint32_t walked = 0;
    for (; walked < NAMES_WALK_MAX && ok && der_next(&san, &item); walked++) {
        if (item.tag == DER_CONTEXT_SEQ(0)) {
            ok = add_other_name(n, item.content);
        } else if (item.tag == DER_CONTEXT(2)) {
            add(n, TLS_NAME_DNS, item.content);
        } else if (item.tag == DER_CONTEXT(6)) {
            add(n, TLS_NAME_URI, item.content);
        }
    }
    n->is_cut = n->is_cut || (ok && !der_at_end(&san));
    return ok && !san.failed;
}

static size_t entries_bytes(const struct tls_names *n)
{
    return n->count * sizeof(struct tls_name);
}

static char *text_of(const struct tls_names *n)
{
    return n->entries ? (char *)(n->entries + n->count) : NULL;
}

/* The block for what count and bytes_used say; none for nothing. */
static int make_block(struct tls_names *n)
{
    n->entries = NULL;
    if (n->count == 0) {
        return 0;
    }
    n->entries = pool_alloc(entries_bytes(n) + n->bytes_used);
    if (!n->entries) {
        *n = (struct tls_names){0};
        return ERR_NOMEM;
    }
    return 0;
}

int tls_names_parse(struct tls_names *out, struct slice der_certificate)
{
    *out = (struct tls_names){0};
    struct cert cert;
    int err = cert_parse(&cert, der_certificate);
    if (err != 0) {
        return err;
    }
    struct collector found;
    found.count = 0;
    found.bytes_used = 0;
    found.is_cut = false;
    if (!collect(&found, cert.san)) {
        return ERR_BAD_INPUT;
    }
    *out = (struct tls_names){
        .count = found.count,
        .bytes_used = found.bytes_used,
        .is_cut = found.is_cut,
        .has_server_auth = (cert.eku & (CERT_EKU_ANY | CERT_EKU_SERVER)) != 0,
        .has_client_auth = (cert.eku & (CERT_EKU_ANY | CERT_EKU_CLIENT)) != 0,
    };
    err = make_block(out);
    if (out->entries) {
        memcpy(out->entries, found.entries, entries_bytes(out));
        memcpy(text_of(out), found.bytes, found.bytes_used);
    }
    return err;
}

int tls_names_copy(struct tls_names *out, const struct tls_names *from)
{
    *out = *from;
    int err = make_block(out);
    if (out->entries) {
        memcpy(out->entries, from->entries, entries_bytes(out) + out->bytes_used);
    }
    return err;
}

void tls_names_deinit(struct tls_names *n)
{
    pool_free(n->entries);
    *n = (struct tls_names){0};
}

struct slice tls_names_get(const struct tls_names *n, uint32_t idx, enum tls_name_kind *kind)
{
    if (idx >= n->count) {
        return SLICE_NONE;
    }
    const struct tls_name *entry = &n->entries[idx];
    *kind = (enum tls_name_kind)entry->kind;
    return slice_make(text_of(n) + entry->offset, entry->len);
}

/* A final dot (the root) is no part of the name. */
static struct slice without_root(struct slice name)
{
    if (name.len > 1 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    return name;
}

static bool dns_equal(struct slice pattern, struct slice domain)
{
    return slice_eq_nocase(without_root(pattern), without_root(domain));
}

/* RFC 9525 6.3: "*." and then at least two labels, standing for exactly one label. */
static bool wildcard_matches(struct slice pattern, struct slice domain)
{
    if (!slice_starts(pattern, SLICE_LIT("*."))) {
        return false;
    }
    struct slice rest = slice_from(without_root(pattern), 2);
    if (slice_find(rest, '.') < 0 || slice_find(rest, '*') >= 0) {
        return false; /* "*.com" would cover a registry */
    }
    struct slice tail = domain;
    struct slice label;
    return slice_cut(&tail, '.', &label) && label.len > 0 && dns_equal(rest, tail);
}

bool tls_names_match_xmpp(const struct tls_names *n, struct slice domain)
{
    if (slice_is_empty(domain) || slice_find(domain, '*') >= 0) {
        return false;
    }
    for (uint32_t i = 0; i < n->count; i++) {
        enum tls_name_kind kind;
        struct slice name = tls_names_get(n, i, &kind);
        bool matches = false;
        switch (kind) {
        case TLS_NAME_DNS:
            matches = dns_equal(name, domain) || wildcard_matches(name, domain);
            break;
        case TLS_NAME_SRV: {
            struct slice service = SLICE_LIT("_xmpp-server.");
            matches = slice_eq_nocase(slice_to(name, service.len), service) &&
                      dns_equal(slice_from(name, service.len), domain);
            break;
        }
        case TLS_NAME_XMPP:
            matches = slice_eq_nocase(name, domain);
            break;
        case TLS_NAME_URI:
        default:
            break;
        }
        if (matches) {
            return true;
        }
    }
    return false;
}

/* The host of "sip:host" without user part, port, parameters; false for anything else. */
static bool sip_uri_host(struct slice uri, struct slice *host)
{
    struct slice scheme = SLICE_LIT("sip:");
    if (!slice_eq_nocase(slice_to(uri, scheme.len), scheme)) {
        return false;
    }
    struct slice rest = slice_from(uri, scheme.len);
    struct slice tail = rest;
    (void)slice_cut(&tail, ';', &rest);
    tail = rest;
    (void)slice_cut(&tail, '?', &rest);
    if (slice_find(rest, '@') >= 0) {
        *host = SLICE_NONE; /* names a person: a sip URI all the same, but not an identity */
        return true;
    }
    tail = rest;
    (void)slice_cut(&tail, ':', &rest);
    *host = rest;
    return true;
}

bool tls_names_match_sip(const struct tls_names *n, struct slice domain)
{
    if (slice_is_empty(domain) || slice_find(domain, '*') >= 0) {
        return false;
    }
    /* RFC 5922 7.1: step 1 looks at URIs; only a certificate without any usable sip URI identity
     * falls through to dNSName. */
    bool has_uri_identity = false;
    for (uint32_t i = 0; i < n->count; i++) {
        enum tls_name_kind kind;
        struct slice name = tls_names_get(n, i, &kind);
        struct slice host;
        if (kind == TLS_NAME_URI && sip_uri_host(name, &host) && !slice_is_empty(host)) {
            has_uri_identity = true;
            if (dns_equal(host, domain)) {
                return true;
            }
        }
    }
    for (uint32_t i = 0; i < n->count && !has_uri_identity; i++) {
        enum tls_name_kind kind;
        struct slice name = tls_names_get(n, i, &kind);
        if (kind == TLS_NAME_DNS && dns_equal(name, domain)) {
            return true;
        }
    }
    return false;
}
