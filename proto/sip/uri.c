/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uri: the URI schemes of uri.h, strictly by RFC 3261 25.1. */
#include "sip/uri_int.h"

#include "base/err.h"
#include "sip/chars.h"
#include "sip/limits.h"

static enum sip_scheme scheme_from(struct slice text)
{
    if (sip_is_name(text, "sip")) {
        return SIP_SCHEME_SIP;
    }
    if (sip_is_name(text, "sips")) {
        return SIP_SCHEME_SIPS;
    }
    if (sip_is_name(text, "tel")) {
        return SIP_SCHEME_TEL;
    }
    if (sip_is_name(text, "im")) {
        return SIP_SCHEME_IM;
    }
    return sip_is_name(text, "pres") ? SIP_SCHEME_PRES : SIP_SCHEME_OTHER;
}

/* userinfo of "user[:password]@". */
static bool parse_userinfo(struct slice info, struct sip_uri *out)
{
    size_t len = sip_escaped_span(info, 0, SIP_CHAR_USER);

    out->has_user = true;
    out->user = slice_to(info, len);
    if (len == info.len) {
        return len > 0;
    }
    out->has_password = info.ptr[len] == ':';
    return len > 0 && out->has_password &&
           sip_escaped_are(slice_from(info, len + 1), SIP_CHAR_PASSWORD);
}

/* The parameters that text begins with, up to its end or a '?'. RFC 3261 19.1.1: a name may occur
 * once; two would be read differently by different people.                                       */
static bool take_params(struct slice text, struct slice *params)
{
    struct sip_uri before = {.params = slice_to(text, 0)};
    unsigned count = 0;
    size_t at = 0;

    for (;;) {
        size_t name_len = sip_escaped_span(text, at, SIP_CHAR_PARAM);
        struct slice name = slice_make(text.ptr + at, name_len);

        if (name_len == 0 || ++count > SIP_PARAMS_MAX) {
            return false;
        }
        at += name_len;
        if (at < text.len && text.ptr[at] == '=') {
            size_t value_len = sip_escaped_span(text, at + 1, SIP_CHAR_PARAM);

            if (value_len == 0) {
                return false;
            }
            at += 1 + value_len;
        }
        if (count > 1 && sip_uri_param(&before, name, NULL)) {
            return false;
        }
        before.params.len = at;
        if (at == text.len || text.ptr[at] == '?') {
            *params = slice_to(text, at);
            return true;
        }
        if (text.ptr[at++] != ';') {
            return false;
        }
    }
}

/* headers of "?name=value&...". */
static bool uri_headers_are_valid(struct slice headers)
{
    struct slice header;
    bool more;

    do {
        struct slice value;
        struct slice name;

        more = slice_cut(&headers, '&', &header);
        value = header;
        if (!slice_cut(&value, '=', &name) || name.len == 0 ||
            !sip_escaped_are(name, SIP_CHAR_HEADER) || !sip_escaped_are(value, SIP_CHAR_HEADER)) {
            return false;
        }
    } while (more);
    return true;
}

/* What stands behind the colon of sip, sips, im, pres. */
static int parse_hierarchy(struct slice rest, struct sip_uri *out)
{
    ptrdiff_t at = slice_find(rest, '@');
    size_t used;

    if (at >= 0) {
        if (!parse_userinfo(slice_to(rest, (size_t)at), out)) {
            return ERR_SIP_URI;
        }
        rest = slice_from(rest, (size_t)at + 1);
    } else if (out->scheme == SIP_SCHEME_IM || out->scheme == SIP_SCHEME_PRES) {
        return ERR_SIP_URI; /* RFC 3859, 3860: a mailbox */
    }
    if (sip_hostport_take(rest, &out->host, &used)) {
        return ERR_SIP_URI;
    }
    rest = slice_from(rest, used);
    if (rest.len > 0 && rest.ptr[0] == ';') {
        if (!take_params(slice_from(rest, 1), &out->params)) {
            return ERR_SIP_URI;
        }
        rest = slice_from(rest, 1 + out->params.len);
    }
    if (rest.len == 0) {
        return 0;
    }
    out->headers = slice_from(rest, 1);
    return rest.ptr[0] == '?' && uri_headers_are_valid(out->headers) ? 0 : ERR_SIP_URI;
}

int sip_uri_parse(struct slice text, struct sip_uri *out)
{
    size_t len = sip_span(text, 0, SIP_CHAR_SCHEME);
    struct slice rest = slice_from(text, len + 1);

    /* Member by member: cleared as a whole, a struct of this size costs more than reading a URI. */
    out->scheme = SIP_SCHEME_OTHER;
    out->text = text;
    out->scheme_text = slice_to(text, len);
    out->opaque = SLICE_NONE;
    out->user = SLICE_NONE;
    out->has_user = false;
    out->has_password = false;
    out->host = (struct sip_host){.kind = SIP_HOST_NONE};
    out->params = SLICE_NONE;
    out->headers = SLICE_NONE;
    if (rest.len == 0 || text.ptr[len] != ':' || len == 0 || !ascii_is_alpha(text.ptr[0])) {
        return ERR_SIP_URI;
    }
    out->scheme = scheme_from(out->scheme_text);
    if (out->scheme == SIP_SCHEME_OTHER || out->scheme == SIP_SCHEME_TEL) {
        out->opaque = rest;
        return sip_escaped_are(rest, SIP_CHAR_URIC) ? 0 : ERR_SIP_URI;
    }
    return parse_hierarchy(rest, out);
}

bool sip_uri_param(const struct sip_uri *uri, struct slice name, struct slice *value)
{
    struct slice params = uri->params;
    struct slice param;
    bool more = params.len > 0;

    while (more) {
        struct slice text;
        struct slice key;

        more = slice_cut(&params, ';', &param);
        text = param;
        if (!slice_cut(&text, '=', &key)) {
            text = SLICE_NONE;
        }
        if (slice_eq_nocase(key, name)) {
            if (value) {
                *value = text;
            }
            return true;
        }
    }
    return false;
}

bool sip_unescape(struct buf *out, struct slice text)
{
    size_t before = buf_len(out);
    size_t i = 0;

    while (i < text.len) {
        if (text.ptr[i] != '%') {
            buf_putc(out, text.ptr[i++]);
            continue;
        }
        if (text.len - i < 3 || ascii_hex_value(text.ptr[i + 1]) < 0 ||
            ascii_hex_value(text.ptr[i + 2]) < 0) {
            if (!out->failed) {
                buf_truncate(out, before);
            }
            return false;
        }
        buf_putc(out,
                 (char)(ascii_hex_value(text.ptr[i + 1]) * 16 + ascii_hex_value(text.ptr[i + 2])));
        i += 3;
    }
    return true;
}

void sip_escape_user(struct buf *out, struct slice user)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < user.len; i++) {
        unsigned char c = (unsigned char)user.ptr[i];

        if (sip_char_is((char)c, SIP_CHAR_USER)) {
            buf_putc(out, (char)c);
        } else {
            buf_putc(out, '%');
            buf_putc(out, digits[c >> 4]);
            buf_putc(out, digits[c & 15]);
        }
    }
}

/* One character of an escaped text, its escape resolved. */
static int next_char(struct slice s, size_t *at, bool *was_escaped)
{
    unsigned char c = (unsigned char)s.ptr[*at];

    *was_escaped = c == '%' && s.len - *at >= 3;
    if (!*was_escaped) {
        (*at)++;
        return c;
    }
    c = (unsigned char)(ascii_hex_value(s.ptr[*at + 1]) * 16 + ascii_hex_value(s.ptr[*at + 2]));
    *at += 3;
    return c;
}

/* RFC 3261 19.1.4: %HH equals the character unless that one is of the set reserved. */
static bool escaped_eq(struct slice a, struct slice b, bool nocase)
{
    size_t i = 0;
    size_t j = 0;

    while (i < a.len && j < b.len) {
        bool a_escaped;
        bool b_escaped;
        int x = next_char(a, &i, &a_escaped);
        int y = next_char(b, &j, &b_escaped);

        if (nocase && x < 0x80 && y < 0x80) {
            x = ascii_lower((char)x);
            y = ascii_lower((char)y);
        }
        if (x != y || (a_escaped != b_escaped && (x == 0 || strchr(";/?:@&=+$,", x)))) {
            return false;
        }
    }
    return i == a.len && j == b.len;
}

static bool params_agree(const struct sip_uri *a, const struct sip_uri *b)
{
    static const struct slice must_match[] = {
        SLICE_LIT("user"),  SLICE_LIT("ttl"),       SLICE_LIT("method"),
        SLICE_LIT("maddr"), SLICE_LIT("transport"),
    };
    struct slice params = a->params;
    struct slice name;
    struct slice mine;
    struct slice other;

    for (size_t i = 0; i < ARRAY_COUNT(must_match); i++) {
        if (sip_uri_param(a, must_match[i], NULL) != sip_uri_param(b, must_match[i], NULL)) {
            return false;
        }
    }
    while (params.len > 0) {
        (void)slice_cut(&params, ';', &mine);
        if (!slice_cut(&mine, '=', &name)) {
            mine = SLICE_NONE;
        }
        if (sip_uri_param(b, name, &other) && !escaped_eq(mine, other, true)) {
            return false;
        }
    }
    return true;
}

bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b)
{
    if (a->scheme != b->scheme) {
        return false;
    }
    if (a->host.kind == SIP_HOST_NONE) {
        return slice_eq(a->text, b->text);
    }
    /* The order of headers counts as different here: a URI with headers is never a routing key. */
    return a->has_user == b->has_user && a->has_password == b->has_password && !a->has_password &&
           escaped_eq(a->user, b->user, false) && a->host.port == b->host.port &&
           sip_host_eq(&a->host, &b->host) && params_agree(a, b) &&
           escaped_eq(a->headers, b->headers, false);
}
