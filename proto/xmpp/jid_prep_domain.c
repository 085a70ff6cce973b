/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_prep_domain: IDNA over jid_points and libidn's punycode, IP literals, an ASCII fast path. */
#include <arpa/inet.h>
#include <punycode.h>

#include "base/ascii.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/utf8.h"
#include "xmpp/jid_memo.h"
#include "xmpp/jid_points.h"
#include "xmpp/jid_prep.h"

static int prep_ipv6(struct slice in, struct jid_prep_domain *out, const char **why)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (in.len < 2 || in.ptr[in.len - 1] != ']' ||
        !slice_to_cstr(slice_make(in.ptr + 1, in.len - 2), text, sizeof(text)) ||
        inet_pton(AF_INET6, text, &addr) != 1 ||
        inet_ntop(AF_INET6, &addr, text, sizeof(text)) == NULL) {
        return jid_points_fail(why, "is not a valid IPv6 address in brackets");
    }
    size_t len = strlen(text);
    out->unicode[0] = '[';
    memcpy(out->unicode + 1, text, len);
    out->unicode[len + 1] = ']';
    out->len = len + 2;
    memcpy(out->ascii.text, out->unicode, out->len);
    out->ascii.text[out->len] = '\0';
    out->ascii.len = out->len;
    out->is_ip = true;
    return 0;
}

/* STD3 rules for the ASCII characters of a label, and the separators that only look like dots. */
static int check_label(const struct jid_points *p, const char **why)
{
    for (size_t i = 0; i < p->count; i++) {
        uint32_t c = p->at[i];
        if (c < 0x80 && !ascii_is_alnum((char)c) && c != '-') {
            return jid_points_fail(why, "holds a character that is not allowed in a domain name");
        }
        if (c == 0x3002) {
            return jid_points_fail(why, "holds an ideographic full stop");
        }
    }
    if (p->count == 0) {
        return jid_points_fail(why, "has an empty label");
    }
    if (p->at[0] == '-' || p->at[p->count - 1] == '-') {
        return jid_points_fail(why, "has a label that begins or ends with '-'");
    }
    if (p->count >= 4 && p->at[0] == 'x' && p->at[1] == 'n' && p->at[2] == '-' &&
        p->at[3] == '-') {
        return jid_points_fail(why, "has a label that only looks like an A-label");
    }
    return 0;
}

/* Appends the label in A-label form; ace gets it, too. */
static int put_ascii_label(const struct jid_points *p, struct jid_ascii *out, struct slice *ace,
                           const char **why)
{
    static const char ace_prefix[4] = "xn--";
    char label[JID_LABEL_BYTES_MAX];
    size_t len = 0;
    bool has_other = false;

    for (size_t i = 0; i < p->count; i++) {
        has_other |= p->at[i] >= 0x80;
    }
    if (has_other) {
        memcpy(label, ace_prefix, sizeof(ace_prefix));
        len = sizeof(label) - sizeof(ace_prefix);
        if (punycode_encode(p->count, p->at, NULL, &len, label + sizeof(ace_prefix)) !=
            PUNYCODE_SUCCESS) {
            return jid_points_fail(why, "has a label longer than 63 bytes");
        }
        len += sizeof(ace_prefix);
    } else {
        if (p->count > sizeof(label)) {
            return jid_points_fail(why, "has a label longer than 63 bytes");
        }
        for (; len < p->count; len++) {
            label[len] = (char)p->at[len];
        }
    }
    size_t dot = out->len > 0 ? 1 : 0;
    if (out->len + dot + len > JID_ASCII_BYTES_MAX) {
        return jid_points_fail(why, "is longer than 253 bytes");
    }
    if (dot) {
        out->text[out->len++] = '.';
    }
    *ace = slice_make(out->text + out->len, len);
    memcpy(out->text + out->len, label, len);
    out->len += len;
    return 0;
}

/* The lower-case label as code points: an A-label is decoded, and must be the one and only
 * spelling of what it decodes to (RFC 5891 4.2.1). */
static int read_label(struct slice label, struct jid_points *p, bool *was_ace, const char **why)
{
    UNINITIALIZED struct jid_points decoded;
    int err = 0;

    *was_ace = slice_starts(label, SLICE_LIT("xn--"));
    if (*was_ace) {
        size_t count = JID_POINTS_MAX;
        if (label.len > JID_LABEL_BYTES_MAX ||
            punycode_decode(label.len - 4, label.ptr + 4, &count, p->at, NULL) !=
                PUNYCODE_SUCCESS) {
            return jid_points_fail(why, "has a malformed A-label");
        }
        p->count = count;
        decoded.count = count;
        memcpy(decoded.at, p->at, count * sizeof(p->at[0]));
    } else {
        err = jid_points_decode(label, p, why);
        for (size_t i = 0; !err && i < p->count; i++) {
            if (p->at[i] == 0x200C || p->at[i] == 0x200D) {
                err = jid_points_fail(why, "holds an invisible joiner");
            }
        }
    }
    if (!err) {
        err = jid_points_prep(p, stringprep_nameprep, why);
    }
    if (!err && *was_ace && !jid_points_eq(p, &decoded)) {
        err = jid_points_fail(why, "has an A-label that is not in normal form");
    }
    return err ? err : check_label(p, why);
}

/* One label: appended to out->unicode and to out->ascii. */
static int add_label(struct slice label, struct jid_prep_domain *out, const char **why)
{
    char low[JID_PREP_INPUT_BYTES_MAX] UNINITIALIZED;
    UNINITIALIZED struct jid_points p;
    struct slice ace = SLICE_NONE;
    bool was_ace;
    size_t len;

    if (label.len > sizeof(low)) {
        return jid_points_fail(why, "is too long");
    }
    for (size_t i = 0; i < label.len; i++) {
        low[i] = ascii_lower(label.ptr[i]);
    }
    label = slice_make(low, label.len);
    int err = read_label(label, &p, &was_ace, why);
    if (!err) {
        err = put_ascii_label(&p, &out->ascii, &ace, why);
    }
    if (!err && was_ace && !slice_eq(ace, label)) {
        err = jid_points_fail(why, "has an A-label that is not in normal form");
    }
    if (!err && out->len > 0) {
        if (out->len == JID_PART_BYTES_MAX) {
            return jid_points_fail(why, "is longer than 1023 bytes");
        }
        out->unicode[out->len++] = '.';
    }
    if (!err) {
        err = jid_points_encode(&p, out->unicode + out->len, JID_PART_BYTES_MAX - out->len, &len,
                                why);
        out->len += err ? 0 : len;
    }
    return err;
}

/* ASCII without A-labels: both forms are the lower-case text. */
static int add_ascii_label(struct slice label, struct jid_prep_domain *out, const char **why)
{
    size_t dot = out->ascii.len > 0 ? 1 : 0;

    if (label.len == 0) {
        return jid_points_fail(why, "has an empty label");
    }
    if (label.len > JID_LABEL_BYTES_MAX) {
        return jid_points_fail(why, "has a label longer than 63 bytes");
    }
    if (out->ascii.len + dot + label.len > JID_ASCII_BYTES_MAX) {
        return jid_points_fail(why, "is longer than 253 bytes");
    }
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-') {
        return jid_points_fail(why, "has a label that begins or ends with '-'");
    }
    if (dot) {
        out->ascii.text[out->ascii.len++] = '.';
        out->unicode[out->len++] = '.';
    }
    /* An A-label's Unicode form is never more than four times as long: unicode has room. */
    for (size_t i = 0; i < label.len; i++) {
        char c = ascii_lower(label.ptr[i]);
        if (!ascii_is_alnum(c) && c != '-') {
            return jid_points_fail(why, "holds a character that is not allowed in a domain name");
        }
        out->ascii.text[out->ascii.len++] = c;
        out->unicode[out->len++] = c;
    }
    return 0;
}

static bool is_numeric(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

/* A name whose last label is a number is an IPv4 address or nothing (RFC 1123 2.1). */
static int check_numeric(struct jid_prep_domain *out, const char **why)
{
    struct slice name = jid_ascii_slice(&out->ascii);
    ptrdiff_t dot = slice_find_last(name, '.');
    struct in_addr addr;

    if (!is_numeric(slice_from(name, (size_t)(dot + 1)))) {
        return 0;
    }
    if (inet_pton(AF_INET, out->ascii.text, &addr) != 1) {
        return jid_points_fail(why, "is neither a domain name nor an IPv4 address");
    }
    out->is_ip = true;
    return 0;
}

static int prep_domain(struct slice in, bool is_ascii_only, struct jid_prep_domain *out,
                       const char **why)
{
    bool more = true;

    out->len = 0;
    out->is_ip = false;
    out->ascii.len = 0;
    out->ascii.text[0] = '\0';
    if (in.len > 0 && in.ptr[in.len - 1] == '.') {
        in.len--; /* RFC 7622 3.2: stripped before comparison and routing */
    }
    if (in.len == 0) {
        return jid_points_fail(why, "is empty");
    }
    if (in.len > JID_PREP_INPUT_BYTES_MAX) {
        return jid_points_fail(why, "is too long");
    }
    if (in.ptr[0] == '[') {
        return prep_ipv6(in, out, why);
    }
    while (more) {
        struct slice label;
        more = slice_cut(&in, '.', &label);
        bool is_plain = is_ascii_only && !(label.len >= 4 && slice_eq_nocase(slice_to(label, 4),
                                                                     SLICE_LIT("xn--")));
        int err = is_plain ? add_ascii_label(label, out, why) : add_label(label, out, why);
        if (err) {
            return err;
        }
    }
    out->ascii.text[out->ascii.len] = '\0';
    return check_numeric(out, why);
}

int jid_prep_domain(struct slice in, struct jid_prep_domain *out, const char **why)
{
    bool is_ascii_only = utf8_is_ascii(in);
    bool is_memorable = !is_ascii_only || (in.len > 4 && memmem(in.ptr, in.len, "xn--", 4));
    int err;

    if (is_memorable && jid_memo_find(in, out)) {
        return 0;
    }
    err = prep_domain(in, is_ascii_only, out, why);
    if (!err && is_memorable) {
        jid_memo_keep(in, out);
    }
    return err;
}
