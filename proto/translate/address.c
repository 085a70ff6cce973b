/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address: XEP-0106 escaping, percent encoding, IDN; see the header for the rules. */
#include "translate/address.h"

#include "base/ascii.h"
#include "base/err.h"
#include "base/utf8.h"

/* An escaped name: three bytes for one. */
#define ESCAPED_BYTES_MAX (3u * ADDRESS_USER_BYTES_MAX)

/* The character of an escape sequence without its backslash, 0 if it is none of the ten. */
static char escape_char(struct slice two)
{
    static const struct {
        char hex[2];
        char plain;
    } codes[] = {{{'2', '0'}, ' '},  {{'2', '2'}, '"'}, {{'2', '6'}, '&'}, {{'2', '7'}, '\''},
                 {{'2', 'f'}, '/'},  {{'3', 'a'}, ':'}, {{'3', 'c'}, '<'}, {{'3', 'e'}, '>'},
                 {{'4', '0'}, '@'}, {{'5', 'c'}, '\\'}};

    for (size_t i = 0; two.len >= 2 && i < ARRAY_COUNT(codes); i++) {
        if (codes[i].hex[0] == two.ptr[0] && codes[i].hex[1] == ascii_lower(two.ptr[1])) {
            return codes[i].plain;
        }
    }
    return 0;
}

static bool needs_escape(char c)
{
    return c == ' ' || c == '"' || c == '&' || c == '\'' || c == '/' || c == ':' || c == '<' ||
           c == '>' || c == '@';
}

static void put_escaped(struct buf *out, char c)
{
    static const char hex[] = "0123456789abcdef";

    buf_putc(out, '\\');
    buf_putc(out, hex[((unsigned char)c) >> 4]);
    buf_putc(out, hex[c & 15]);
}

bool address_escape(struct buf *out, struct slice raw)
{
    if (raw.len > 0 && (raw.ptr[0] == ' ' || raw.ptr[raw.len - 1] == ' ')) {
        return false;
    }
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (needs_escape(c) || (c == '\\' && escape_char(slice_from(raw, i + 1)))) {
            put_escaped(out, c);
        } else {
            buf_putc(out, c);
        }
    }
    return true;
}

bool address_unescape(struct buf *out, struct slice local)
{
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];
        char plain = c == '\\' ? escape_char(slice_from(local, i + 1)) : 0;
        if (plain == ' ' && (i == 0 || i + 3 == local.len)) {
            return false;
        }
        if (plain == '\\' && !escape_char(slice_from(local, i + 3))) {
            return false; /* would come back without its escape: another name */
        }
        buf_putc(out, plain ? plain : c);
        i += plain ? 2 : 0;
    }
    return true;
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* Normal form of a raw name. The pieces between characters that XEP-0106 escapes are normalised one
 * by one: folding must not be able to make a sequence out of something that only looks like one. */
static bool normalise_raw(struct buf *out, struct slice raw)
{
    char piece[JID_PART_BYTES_MAX];
    size_t at = 0;

    while (at < raw.len) {
        size_t end = at;
        while (end < raw.len && !needs_escape(raw.ptr[end]) && raw.ptr[end] != '\\') {
            end++;
        }
        if (end > at) {
            size_t len;
            if (jid_local_normalise(slice_make(raw.ptr + at, end - at), piece, &len)) {
                return false;
            }
            buf_append(out, piece, len);
        }
        if (end < raw.len) {
            buf_putc(out, raw.ptr[end++]);
        }
        at = end;
    }
    return true;
}

/* 0 or a SIP status. */
static unsigned check_raw(struct slice raw)
{
    if (!utf8_is_valid(raw)) {
        return 400;
    }
    for (size_t i = 0; i < raw.len; i++) {
        if ((unsigned char)raw.ptr[i] < 0x20 || raw.ptr[i] == 0x7f) {
            return 404;
        }
    }
    return 0;
}

/* Raw user name -> *escaped, the local part in normal form. */
static unsigned user_to_local(struct slice user, struct buf *raw, struct buf *escaped)
{
    struct buf normal;
    unsigned status;

    if (!sip_unescape(raw, user)) {
        return raw->failed ? 414 : 400;
    }
    status = check_raw(buf_slice(raw));
    if (status) {
        return status;
    }
    if (is_ascii(buf_slice(raw))) {
        return address_escape(escaped, buf_slice(raw)) ? 0 : 404;
    }
    buf_init(&normal, ESCAPED_BYTES_MAX);
    status = normalise_raw(&normal, buf_slice(raw)) &&
                     address_escape(escaped, buf_slice(&normal))
                 ? 0
                 : 404;
    if (normal.failed) {
        status = 414;
    }
    buf_deinit(&normal);
    return status;
}

static unsigned gr_to_resource(const struct sip_uri *uri, struct buf *out)
{
    struct slice gr;

    if (!sip_uri_param(uri, SLICE_LIT("gr"), &gr) || gr.len == 0) {
        return 0;
    }
    if (!sip_unescape(out, gr)) {
        return out->failed ? 414 : 400;
    }
    return check_raw(buf_slice(out));
}

/* The final check: what was composed is its own normal form, so it means on the XMPP side what was
 * escaped here. Only the case of ASCII letters may differ. */
static unsigned make_jid(struct slice local, struct slice host, struct slice resource,
                         struct jid_storage *mem, struct jid *out)
{
    if (local.len > JID_PART_BYTES_MAX || resource.len > JID_PART_BYTES_MAX) {
        return 414;
    }
    int err = jid_make(mem, local, host, resource, out);
    if (err) {
        return err == ERR_NOMEM ? 500 : 404;
    }
    if (out->domain_is_ip || !slice_eq_nocase(out->local, local)) {
        return 404;
    }
    return 0;
}

/* A user that means itself on both sides: ASCII, nothing percent-encoded (it would have a '%'), and
 * nothing that XEP-0106 escapes or that could begin one of its sequences. */
static bool is_plain(struct slice user)
{
    static const uint64_t plain[4] = {
        /* ! $ ( ) * + , - . 0-9 ; = ? */
        UINT64_C(0xABFF7F1200000000),
        /* A-Z _ a-z ~ */
        UINT64_C(0x47FFFFFE87FFFFFE),
    };
    bool is_plain = true;

    for (size_t i = 0; i < user.len; i++) {
        unsigned char c = (unsigned char)user.ptr[i];

        is_plain &= (plain[c >> 6] >> (c & 63)) & 1;
    }
    return is_plain;
}

/* The general way, over buffers. resource: NULL = that of the URI's gr. */
static NOINLINE unsigned unescape_to_jid(const struct sip_uri *uri, const struct slice *resource,
                                         struct jid_storage *mem, struct jid *out)
{
    struct buf raw, local, gr;
    unsigned status = 0;

    buf_init(&raw, ADDRESS_USER_BYTES_MAX);
    buf_init(&local, ESCAPED_BYTES_MAX);
    buf_init(&gr, ADDRESS_USER_BYTES_MAX);
    if (uri->has_user) {
        status = user_to_local(uri->user, &raw, &local);
        if (!status && buf_len(&local) == 0) {
            status = 404;
        }
    }
    if (!status && !resource) {
        status = gr_to_resource(uri, &gr);
    }
    if (!status && (local.failed || gr.failed)) {
        status = 500;
    }
    if (!status) {
        status = make_jid(buf_slice(&local), uri->host.text, resource ? *resource : buf_slice(&gr),
                          mem, out);
    }
    buf_deinit(&raw);
    buf_deinit(&local);
    buf_deinit(&gr);
    return status;
}

static unsigned to_jid(const struct sip_uri *uri, const struct slice *resource,
                       struct jid_storage *mem, struct jid *out)
{
    *out = (struct jid){0};
    if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_IM &&
        uri->scheme != SIP_SCHEME_PRES) {
        return 416;
    }
    if (uri->host.kind != SIP_HOST_NAME) {
        return 404;
    }
    if (uri->user.len > 3 * ADDRESS_USER_BYTES_MAX) {
        return 414;
    }
    if (uri->user.len <= JID_PART_BYTES_MAX && is_plain(uri->user) &&
        (resource || uri->params.len == 0)) {
        return make_jid(uri->user, uri->host.text, resource ? *resource : SLICE_NONE, mem, out);
    }
    return unescape_to_jid(uri, resource, mem, out);
}

unsigned address_to_jid(const struct sip_uri *uri, bool with_resource, struct jid_storage *mem,
                        struct jid *out)
{
    return to_jid(uri, with_resource ? NULL : &SLICE_NONE, mem, out);
}

unsigned address_to_jid_at(const struct sip_uri *uri, struct slice resource,
                           struct jid_storage *mem, struct jid *out)
{
    return to_jid(uri, uri->has_user ? &resource : &SLICE_NONE, mem, out);
}

unsigned address_text_to_jid(struct slice uri_text, bool with_resource, struct jid_storage *mem,
                             struct jid *out)
{
    struct sip_uri uri;

    *out = (struct jid){0};
    if (sip_uri_parse(uri_text, &uri)) {
        return 400;
    }
    return address_to_jid(&uri, with_resource, mem, out);
}

/* pvalue of paramchars (RFC 3261 25.1): unreserved, escaped, "[]/:&+$". */
bool address_is_gr_char(char c)
{
    return ascii_is_alnum(c) || (c != '\0' && strchr("-_.!~*'()[]/:&+$", c) != NULL);
}

static void put_gr(struct buf *out, struct slice resource)
{
    static const char hex[] = "0123456789ABCDEF";

    buf_put_lit(out, ";gr=");
    for (size_t i = 0; i < resource.len; i++) {
        char c = resource.ptr[i];
        if (address_is_gr_char(c)) {
            buf_putc(out, c);
        } else {
            buf_putc(out, '%');
            buf_putc(out, hex[((unsigned char)c) >> 4]);
            buf_putc(out, hex[c & 15]);
        }
    }
}

/* The user part in the general way, through the raw name. 0, ERR_JID or ERR_NOMEM. */
static NOINLINE int put_user(struct buf *out, struct slice local)
{
    struct buf raw;
    int err = 0;

    buf_init(&raw, JID_PART_BYTES_MAX);
    if (!address_unescape(&raw, local)) {
        err = ERR_JID;
    } else if (raw.failed) {
        err = ERR_NOMEM;
    }
    sip_escape_user(out, buf_slice(&raw));
    buf_deinit(&raw);
    return err;
}

int address_to_uri(struct buf *out, const struct jid *jid, bool with_resource)
{
    size_t before = buf_len(out);
    struct jid_ascii mem UNINITIALIZED;
    struct slice host = jid->domain_is_ip ? SLICE_NONE : jid_domain_ascii(jid, &mem);
    struct sip_host parsed;
    int err = 0;

    if (host.len == 0) {
        return ERR_JID;
    }
    buf_put_lit(out, "sip:");
    if (jid->local.len > 0) {
        if (is_plain(jid->local)) {
            buf_put(out, jid->local);
        } else {
            err = put_user(out, jid->local);
        }
        buf_putc(out, '@');
    }
    buf_put(out, host);
    if (with_resource && jid->resource.len > 0) {
        put_gr(out, jid->resource);
    }
    /* An XMPP domain is not always a SIP host: its last label must begin with a letter there. The
     * rest of the URI was written as its grammar wants it. */
    if (!err && !out->failed && (sip_host_parse(host, &parsed) || parsed.port != 0)) {
        err = ERR_JID;
    }
    if (err && !out->failed) {
        buf_truncate(out, before);
    }
    return err;
}
