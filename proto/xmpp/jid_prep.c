/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_prep: nodeprep, resourceprep and IDNA over libidn's tables, with an ASCII fast path.
 *
 * Two deviations from the 2003 tables, both demanded by RFC 7622 and by the safety of a gateway:
 * U+00DF (sharp s) and U+03C2 (final sigma) are kept in local parts and domains instead of being
 * folded to "ss" and U+03C3: they are other users, and in IDNA2008 other domains. To that end the
 * mapping steps of a profile run over the pieces between such characters, the prohibition and
 * bidirectional steps over the whole. */
#include "xmpp/jid_prep.h"

#include <arpa/inet.h>
#include <punycode.h>
#include <stringprep.h>

#include "base/ascii.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/utf8.h"
#include "xmpp/jid_memo.h"

/* Mapping and NFKC can lengthen: what does not fit here cannot fit 1023 bytes either. */
#define POINTS_MAX (JID_PREP_INPUT_BYTES_MAX + 64u)
#define PROFILE_STEPS_MAX 32u
/* The tables need one pass, a second one shows that nothing changes any more. */
#define PASSES_MAX 4u

struct points {
    size_t count;
    uint32_t at[POINTS_MAX];
};

static int fail(const char **why, const char *text)
{
    *why = text;
    return ERR_JID;
}

static int decode(struct slice in, struct points *out, const char **why)
{
    size_t at = 0;

    out->count = 0;
    if (in.len > JID_PREP_INPUT_BYTES_MAX) {
        return fail(why, "is too long");
    }
    while (at < in.len) {
        if (!utf8_next(in, &at, &out->at[out->count])) {
            return fail(why, "is not valid UTF-8");
        }
        if (out->at[out->count] == 0) {
            return fail(why, "holds a NUL character");
        }
        out->count++;
    }
    return 0;
}

static int encode(const struct points *in, char *out, size_t out_bytes, size_t *len,
                  const char **why)
{
    char one[4];

    *len = 0;
    for (size_t i = 0; i < in->count; i++) {
        size_t n = utf8_put(one, in->at[i]);
        if (n == 0) {
            return fail(why, "holds no Unicode character");
        }
        if (*len + n > out_bytes) {
            return fail(why, "is longer than 1023 bytes");
        }
        memcpy(out + *len, one, n);
        *len += n;
    }
    return 0;
}

static int run_profile(struct points *p, size_t first, const Stringprep_profile *profile,
                       const char **why)
{
    size_t len = p->count - first;
    int rc = stringprep_4i(p->at + first, &len, POINTS_MAX - first, 0, profile);

    switch (rc) {
    case STRINGPREP_OK:
        p->count = first + len;
        return 0;
    case STRINGPREP_CONTAINS_PROHIBITED:
        return fail(why, "holds a character that is not allowed");
    case STRINGPREP_BIDI_BOTH_L_AND_RAL:
    case STRINGPREP_BIDI_LEADTRAIL_NOT_RAL:
    case STRINGPREP_BIDI_CONTAINS_PROHIBITED:
        return fail(why, "mixes writing directions in a way that is not allowed");
    case STRINGPREP_TOO_SMALL_BUFFER:
        return fail(why, "is too long");
    case STRINGPREP_MALLOC_ERROR:
    case STRINGPREP_NFKC_FAILED:
        *why = "no memory";
        return ERR_NOMEM;
    default:
        return fail(why, "cannot be normalised");
    }
}

/* The mapping steps, or the others, of a profile. */
static void select_steps(const Stringprep_profile *from, bool want_mapping,
                         Stringprep_profile out[PROFILE_STEPS_MAX])
{
    size_t n = 0;

    for (; from->operation != 0 && n + 1 < PROFILE_STEPS_MAX; from++) {
        bool is_mapping =
            from->operation == STRINGPREP_MAP_TABLE || from->operation == STRINGPREP_NFKC;
        if (is_mapping == want_mapping) {
            out[n++] = *from;
        }
    }
    out[n] = (Stringprep_profile){0};
}

static bool is_kept(uint32_t c)
{
    return c == 0x00DF || c == 0x03C2;
}

/* Maps the pieces between kept characters. */
static int map_pieces(const struct points *in, const Stringprep_profile *steps, struct points *out,
                      const char **why)
{
    size_t at = 0;

    out->count = 0;
    while (at < in->count) {
        size_t first = out->count;
        while (at < in->count && !is_kept(in->at[at]) && out->count < POINTS_MAX) {
            out->at[out->count++] = in->at[at++];
        }
        int err = out->count > first ? run_profile(out, first, steps, why) : 0;
        if (err) {
            return err;
        }
        if (at < in->count) {
            if (out->count == POINTS_MAX) {
                return fail(why, "is too long");
            }
            if (is_kept(in->at[at])) {
                out->at[out->count++] = in->at[at++];
            }
        }
    }
    return 0;
}

static bool points_eq(const struct points *a, const struct points *b)
{
    return a->count == b->count && memcmp(a->at, b->at, a->count * sizeof(a->at[0])) == 0;
}

/* p in, normal form in *p out. */
static int prep(struct points *p, const Stringprep_profile *profile, const char **why)
{
    Stringprep_profile steps[PROFILE_STEPS_MAX];
    UNINITIALIZED struct points mapped;
    unsigned pass = 0;

    select_steps(profile, true, steps);
    for (;;) {
        int err = map_pieces(p, steps, &mapped, why);
        if (err) {
            return err;
        }
        bool is_stable = points_eq(p, &mapped);
        p->count = mapped.count;
        memcpy(p->at, mapped.at, mapped.count * sizeof(p->at[0]));
        if (is_stable) {
            break;
        }
        if (++pass == PASSES_MAX) {
            return fail(why, "has no stable normal form");
        }
    }
    select_steps(profile, false, steps);
    return p->count > 0 ? run_profile(p, 0, steps, why) : 0;
}

static int prep_text(struct slice in, const Stringprep_profile *profile,
                     char out[JID_PART_BYTES_MAX], size_t *len, const char **why)
{
    UNINITIALIZED struct points p;
    int err = decode(in, &p, why);

    if (!err) {
        err = prep(&p, profile, why);
    }
    if (!err) {
        err = encode(&p, out, JID_PART_BYTES_MAX, len, why);
    }
    if (!err && *len == 0) {
        err = fail(why, "is empty after normalisation");
    }
    return err;
}

int jid_prep_local(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len, const char **why)
{
    if (!utf8_is_ascii(in)) {
        return prep_text(in, stringprep_xmpp_nodeprep, out, len, why);
    }
    if (in.len == 0 || in.len > JID_PART_BYTES_MAX) {
        return fail(why, "must have 1 to 1023 bytes");
    }
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        /* RFC 7622 3.3.1 and control characters, space. */
        if (c <= ' ' || c == 0x7f || c == '"' || c == '&' || c == '\'' || c == '/' || c == ':' ||
            c == '<' || c == '>' || c == '@') {
            return fail(why, "holds a character that is not allowed");
        }
        out[i] = ascii_lower(c);
    }
    *len = in.len;
    return 0;
}

int jid_prep_resource(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len, const char **why)
{
    if (!utf8_is_ascii(in)) {
        return prep_text(in, stringprep_xmpp_resourceprep, out, len, why);
    }
    if (in.len == 0 || in.len > JID_PART_BYTES_MAX) {
        return fail(why, "must have 1 to 1023 bytes");
    }
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] < ' ' || in.ptr[i] == 0x7f) {
            return fail(why, "holds a control character");
        }
    }
    memcpy(out, in.ptr, in.len);
    *len = in.len;
    return 0;
}

static int prep_ipv6(struct slice in, struct jid_prep_domain *out, const char **why)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (in.len < 2 || in.ptr[in.len - 1] != ']' ||
        !slice_to_cstr(slice_make(in.ptr + 1, in.len - 2), text, sizeof(text)) ||
        inet_pton(AF_INET6, text, &addr) != 1 ||
        inet_ntop(AF_INET6, &addr, text, sizeof(text)) == NULL) {
        return fail(why, "is not a valid IPv6 address in brackets");
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
static int check_label(const struct points *p, const char **why)
{
    for (size_t i = 0; i < p->count; i++) {
        uint32_t c = p->at[i];
        if (c < 0x80 && !ascii_is_alnum((char)c) && c != '-') {
            return fail(why, "holds a character that is not allowed in a domain name");
        }
        if (c == 0x3002) {
            return fail(why, "holds an ideographic full stop");
        }
    }
    if (p->count == 0) {
        return fail(why, "has an empty label");
    }
    if (p->at[0] == '-' || p->at[p->count - 1] == '-') {
        return fail(why, "has a label that begins or ends with '-'");
    }
    if (p->count >= 4 && p->at[0] == 'x' && p->at[1] == 'n' && p->at[2] == '-' &&
        p->at[3] == '-') {
        return fail(why, "has a label that only looks like an A-label");
    }
    return 0;
}

/* Appends the label in A-label form; ace gets it, too. */
static int put_ascii_label(const struct points *p, struct jid_ascii *out, struct slice *ace,
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
            return fail(why, "has a label longer than 63 bytes");
        }
        len += sizeof(ace_prefix);
    } else {
        if (p->count > sizeof(label)) {
            return fail(why, "has a label longer than 63 bytes");
        }
        for (; len < p->count; len++) {
            label[len] = (char)p->at[len];
        }
    }
    size_t dot = out->len > 0 ? 1 : 0;
    if (out->len + dot + len > JID_ASCII_BYTES_MAX) {
        return fail(why, "is longer than 253 bytes");
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
static int read_label(struct slice label, struct points *p, bool *was_ace, const char **why)
{
    UNINITIALIZED struct points decoded;
    int err = 0;

    *was_ace = slice_starts(label, SLICE_LIT("xn--"));
    if (*was_ace) {
        size_t count = POINTS_MAX;
        if (label.len > JID_LABEL_BYTES_MAX ||
            punycode_decode(label.len - 4, label.ptr + 4, &count, p->at, NULL) !=
                PUNYCODE_SUCCESS) {
            return fail(why, "has a malformed A-label");
        }
        p->count = count;
        decoded.count = count;
        memcpy(decoded.at, p->at, count * sizeof(p->at[0]));
    } else {
        err = decode(label, p, why);
        for (size_t i = 0; !err && i < p->count; i++) {
            if (p->at[i] == 0x200C || p->at[i] == 0x200D) {
                err = fail(why, "holds an invisible joiner");
            }
        }
    }
    if (!err) {
        err = prep(p, stringprep_nameprep, why);
    }
    if (!err && *was_ace && !points_eq(p, &decoded)) {
        err = fail(why, "has an A-label that is not in normal form");
    }
    return err ? err : check_label(p, why);
}

/* One label: appended to out->unicode and to out->ascii. */
static int add_label(struct slice label, struct jid_prep_domain *out, const char **why)
{
    char low[JID_PREP_INPUT_BYTES_MAX] UNINITIALIZED;
    UNINITIALIZED struct points p;
    struct slice ace;
    bool was_ace;
    size_t len;

    if (label.len > sizeof(low)) {
        return fail(why, "is too long");
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
        err = fail(why, "has an A-label that is not in normal form");
    }
    if (!err && out->len > 0) {
        if (out->len == JID_PART_BYTES_MAX) {
            return fail(why, "is longer than 1023 bytes");
        }
        out->unicode[out->len++] = '.';
    }
    if (!err) {
        err = encode(&p, out->unicode + out->len, JID_PART_BYTES_MAX - out->len, &len, why);
        out->len += err ? 0 : len;
    }
    return err;
}

/* ASCII without A-labels: both forms are the lower-case text. */
static int add_ascii_label(struct slice label, struct jid_prep_domain *out, const char **why)
{
    size_t dot = out->ascii.len > 0 ? 1 : 0;

    if (label.len == 0) {
        return fail(why, "has an empty label");
    }
    if (label.len > JID_LABEL_BYTES_MAX) {
        return fail(why, "has a label longer than 63 bytes");
    }
    if (out->ascii.len + dot + label.len > JID_ASCII_BYTES_MAX) {
        return fail(why, "is longer than 253 bytes");
    }
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-') {
        return fail(why, "has a label that begins or ends with '-'");
    }
    if (dot) {
        out->ascii.text[out->ascii.len++] = '.';
        out->unicode[out->len++] = '.';
    }
    /* An A-label's Unicode form is never more than four times as long: unicode has room. */
    for (size_t i = 0; i < label.len; i++) {
        char c = ascii_lower(label.ptr[i]);
        if (!ascii_is_alnum(c) && c != '-') {
            return fail(why, "holds a character that is not allowed in a domain name");
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
        return fail(why, "is neither a domain name nor an IPv4 address");
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
        return fail(why, "is empty");
    }
    if (in.len > JID_PREP_INPUT_BYTES_MAX) {
        return fail(why, "is too long");
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
