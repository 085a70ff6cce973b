/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_prep: the profiles nodeprep, resourceprep and nameprep over libidn's tables; local parts and
 * resources, with an ASCII fast path. Domains: jid_prep_domain.c.
 *
 * Two deviations from the 2003 tables, both demanded by RFC 7622 and by the safety of a gateway:
 * U+00DF (sharp s) and U+03C2 (final sigma) are kept in local parts and domains instead of being
 * folded to "ss" and U+03C3: they are other users, and in IDNA2008 other domains. To that end the
 * mapping steps of a profile run over the pieces between such characters, the prohibition and
 * bidirectional steps over the whole. */
#include "xmpp/jid_prep.h"

#include "base/ascii.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/utf8.h"
#include "xmpp/jid_points.h"

#define PROFILE_STEPS_MAX 32u
/* The tables need one pass, a second one shows that nothing changes any more. */
#define PASSES_MAX 4u

int jid_points_fail(const char **why, const char *text)
{
    *why = text;
    return ERR_JID;
}

int jid_points_decode(struct slice in, struct jid_points *out, const char **why)
{
    size_t at = 0;

    out->count = 0;
    if (in.len > JID_PREP_INPUT_BYTES_MAX) {
        return jid_points_fail(why, "is too long");
    }
    while (at < in.len) {
        if (!utf8_next(in, &at, &out->at[out->count])) {
            return jid_points_fail(why, "is not valid UTF-8");
        }
        if (out->at[out->count] == 0) {
            return jid_points_fail(why, "holds a NUL character");
        }
        out->count++;
    }
    return 0;
}

int jid_points_encode(const struct jid_points *in, char *out, size_t out_bytes, size_t *len,
                  const char **why)
{
    char one[4];

    *len = 0;
    for (size_t i = 0; i < in->count; i++) {
        size_t n = utf8_put(one, in->at[i]);
        if (n == 0) {
            return jid_points_fail(why, "holds no Unicode character");
        }
        if (*len + n > out_bytes) {
            return jid_points_fail(why, "is longer than 1023 bytes");
        }
        memcpy(out + *len, one, n);
        *len += n;
    }
    return 0;
}

static int run_profile(struct jid_points *p, size_t first, const Stringprep_profile *profile,
                       const char **why)
{
    size_t len = p->count - first;
    int rc = stringprep_4i(p->at + first, &len, JID_POINTS_MAX - first, 0, profile);

    switch (rc) {
    case STRINGPREP_OK:
        p->count = first + len;
        return 0;
    case STRINGPREP_CONTAINS_PROHIBITED:
        return jid_points_fail(why, "holds a character that is not allowed");
    case STRINGPREP_BIDI_BOTH_L_AND_RAL:
    case STRINGPREP_BIDI_LEADTRAIL_NOT_RAL:
    case STRINGPREP_BIDI_CONTAINS_PROHIBITED:
        return jid_points_fail(why, "mixes writing directions in a way that is not allowed");
    case STRINGPREP_TOO_SMALL_BUFFER:
        return jid_points_fail(why, "is too long");
    case STRINGPREP_MALLOC_ERROR:
    case STRINGPREP_NFKC_FAILED:
        *why = "no memory";
        return ERR_NOMEM;
    default:
        return jid_points_fail(why, "cannot be normalised");
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
static int map_pieces(const struct jid_points *in, const Stringprep_profile *steps,
                      struct jid_points *out, const char **why)
{
    size_t at = 0;

    out->count = 0;
    while (at < in->count) {
        size_t first = out->count;
        while (at < in->count && !is_kept(in->at[at]) && out->count < JID_POINTS_MAX) {
            out->at[out->count++] = in->at[at++];
        }
        int err = out->count > first ? run_profile(out, first, steps, why) : 0;
        if (err) {
            return err;
        }
        if (at < in->count) {
            if (out->count == JID_POINTS_MAX) {
                return jid_points_fail(why, "is too long");
            }
            if (is_kept(in->at[at])) {
                out->at[out->count++] = in->at[at++];
            }
        }
    }
    return 0;
}

bool jid_points_eq(const struct jid_points *a, const struct jid_points *b)
{
    return a->count == b->count && memcmp(a->at, b->at, a->count * sizeof(a->at[0])) == 0;
}

/* p in, normal form in *p out. */
int jid_points_prep(struct jid_points *p, const Stringprep_profile *profile, const char **why)
{
    Stringprep_profile steps[PROFILE_STEPS_MAX];
    UNINITIALIZED struct jid_points mapped;
    unsigned pass = 0;

    select_steps(profile, true, steps);
    for (;;) {
        int err = map_pieces(p, steps, &mapped, why);
        if (err) {
            return err;
        }
        bool is_stable = jid_points_eq(p, &mapped);
        p->count = mapped.count;
        memcpy(p->at, mapped.at, mapped.count * sizeof(p->at[0]));
        if (is_stable) {
            break;
        }
        if (++pass == PASSES_MAX) {
            return jid_points_fail(why, "has no stable normal form");
        }
    }
    select_steps(profile, false, steps);
    return p->count > 0 ? run_profile(p, 0, steps, why) : 0;
}

static int prep_text(struct slice in, const Stringprep_profile *profile,
                     char out[JID_PART_BYTES_MAX], size_t *len, const char **why)
{
    UNINITIALIZED struct jid_points p;
    int err = jid_points_decode(in, &p, why);

    if (!err) {
        err = jid_points_prep(&p, profile, why);
    }
    if (!err) {
        err = jid_points_encode(&p, out, JID_PART_BYTES_MAX, len, why);
    }
    if (!err && *len == 0) {
        err = jid_points_fail(why, "is empty after normalisation");
    }
    return err;
}

int jid_prep_local(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len, const char **why)
{
    if (!utf8_is_ascii(in)) {
        return prep_text(in, stringprep_xmpp_nodeprep, out, len, why);
    }
    if (in.len == 0 || in.len > JID_PART_BYTES_MAX) {
        return jid_points_fail(why, "must have 1 to 1023 bytes");
    }
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        /* RFC 7622 3.3.1 and control characters, space. */
        if (c <= ' ' || c == 0x7f || c == '"' || c == '&' || c == '\'' || c == '/' || c == ':' ||
            c == '<' || c == '>' || c == '@') {
            return jid_points_fail(why, "holds a character that is not allowed");
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
        return jid_points_fail(why, "must have 1 to 1023 bytes");
    }
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] < ' ' || in.ptr[i] == 0x7f) {
            return jid_points_fail(why, "holds a control character");
        }
    }
    memcpy(out, in.ptr, in.len);
    *len = in.len;
    return 0;
}
