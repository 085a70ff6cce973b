/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry: what kind of entry a text is, and its normal form. */
#include "policy/entry.h"

#include "base/buf.h"
#include "base/check.h"
#include "translate/address.h"
#include "xmpp/jid.h"

static const struct slice group_prefix = {"group:", sizeof("group:") - 1};

static void put(struct entry *out, struct slice part)
{
    ASSERT(out->len + part.len <= sizeof(out->text));
    memcpy(out->text + out->len, part.ptr, part.len);
    out->len += part.len;
}

/* What is allowed instead, when only some of the kinds are. */
static const char *not_allowed(uint32_t kind, uint32_t kinds)
{
    if (kind == ENTRY_GROUP) {
        return (kinds & ENTRY_SUFFIX) ? "names a group, and groups are of our users; write "
                                        "addresses and domains of partners"
                                      : "names a group, which cannot stand inside a group or a "
                                        "list file; write its members";
    }
    return "names all domains below one, which only \"blocked\" can; write each domain";
}

static const char *put_domain(struct slice domain, struct entry *out)
{
    const char *fault = jid_domain_fault(domain);
    struct jid_ascii ascii;

    if (fault) {
        return fault;
    }
    if (jid_domain_to_ascii(domain, &ascii) != 0) {
        return "is not a domain name";
    }
    out->domain_at = out->len;
    put(out, jid_ascii_slice(&ascii));
    return NULL;
}

/* Characters of names in directories that no local part has as they are, and the translator escapes
 * (XEP-0106): the entry takes them as the directory has them. Of the other ones a typing error is
 * likelier than a name: "a b@...", "sips:a@...", "A <a@...>". */
static bool is_plain_special(char c)
{
    return c == '\'' || c == '&' || c == '/';
}

static bool has_plain_special(struct slice raw)
{
    bool found = false;

    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == ' ' || raw.ptr[i] == ':' || raw.ptr[i] == '"' || raw.ptr[i] == '<' ||
            raw.ptr[i] == '>') {
            return false;
        }
        found = found || is_plain_special(raw.ptr[i]);
    }
    return found;
}

/* The local part in normal form, as the translator makes it from the same name in a SIP URI. */
static bool make_local(struct slice raw, char normal[JID_PART_BYTES_MAX], size_t *len)
{
    struct buf escaped;
    bool is_good;

    if (jid_local_normalise(raw, normal, len) == 0) {
        return *len > 0;
    }
    if (!has_plain_special(raw)) {
        return false;
    }
    buf_init(&escaped, JID_PART_BYTES_MAX);
    is_good = address_escape(&escaped, raw) &&
              jid_local_normalise(buf_slice(&escaped), normal, len) == 0 && *len > 0;
    buf_deinit(&escaped);
    return is_good;
}

static const char *put_address(struct slice local, struct slice domain, struct entry *out)
{
    char normal[JID_PART_BYTES_MAX];
    size_t len;

    if (local.len == 0) {
        return "has nothing before the '@'; write USER@DOMAIN, or the domain alone";
    }
    if (slice_find(domain, '/') >= 0) {
        return "has a resource ('/'); write USER@DOMAIN: it counts for all clients of the user";
    }
    if (!make_local(local, normal, &len)) {
        return "has a user part that no address can have; where it is meant, a space is written "
               "\\20, ':' \\3a, '\"' \\22, '<' \\3c, '>' \\3e, '@' \\40 (XEP-0106)";
    }
    if (len == 1 && normal[0] == '*') {
        return "has '*' for the user; write the domain alone, which is everybody in it";
    }
    put(out, slice_make(normal, len));
    put(out, SLICE_LIT("@"));
    return put_domain(domain, out);
}

const char *entry_parse(struct slice text, uint32_t kinds, struct entry *out)
{
    struct slice scheme = slice_to(text, 4);
    ptrdiff_t at_sign;

    if (slice_eq_nocase(scheme, SLICE_LIT("sip:"))) {
        text = slice_from(text, scheme.len); /* as a directory of SIP users has it */
    }
    at_sign = slice_find(text, '@');
    out->len = 0;
    out->domain_at = 0;
    if (slice_starts(text, group_prefix)) {
        struct slice name = slice_from(text, group_prefix.len);

        out->kind = ENTRY_GROUP;
        if (!(kinds & out->kind)) {
            return not_allowed(out->kind, kinds);
        }
        if (name.len == 0 || name.len > ENTRY_GROUP_NAME_BYTES_MAX) {
            return "names no group; write \"group:NAME\"";
        }
        put(out, text);
        out->domain_at = group_prefix.len;
        return NULL;
    }
    if (at_sign >= 0) {
        out->kind = ENTRY_ADDRESS;
        return put_address(slice_to(text, (size_t)at_sign), slice_from(text, (size_t)at_sign + 1),
                           out);
    }
    if (slice_starts(text, SLICE_LIT("*."))) {
        out->kind = ENTRY_SUFFIX;
        if (!(kinds & out->kind)) {
            return not_allowed(out->kind, kinds);
        }
        put(out, SLICE_LIT("*."));
        return put_domain(slice_from(text, 2), out);
    }
    out->kind = ENTRY_DOMAIN;
    return put_domain(text, out);
}
