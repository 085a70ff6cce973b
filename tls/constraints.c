/* SPDX-License-Identifier: GPL-2.0-or-later */
/* constraints: see constraints.h. */
#include "tls/constraints.h"

#include "tls/der.h"

#define GN_OTHER     DER_CONTEXT_SEQ(0)
#define GN_EMAIL     DER_CONTEXT(1)
#define GN_DNS       DER_CONTEXT(2)
#define GN_DIRECTORY DER_CONTEXT_SEQ(4)
#define GN_URI       DER_CONTEXT(6)
#define GN_IP        DER_CONTEXT(7)

/* A name of the certificate below: its GeneralName tag, and its domain if it has one. */
struct name {
    unsigned tag;
    struct slice value;
    struct slice domain; /* empty: none */
    bool is_wildcard;    /* domain stands for everything one label below it */
};

/* The last labels of domain are base; a leading dot in base asks for at least one label more. */
static bool domain_within(struct slice domain, struct slice base)
{
    if (slice_is_empty(base)) {
        return true;
    }
    bool needs_more = base.ptr[0] == '.';
    if (needs_more) {
        base = slice_from(base, 1);
    }
    if (domain.len < base.len ||
        !slice_eq_nocase(slice_from(domain, domain.len - base.len), base)) {
        return false;
    }
    if (domain.len == base.len) {
        return !needs_more;
    }
    return domain.ptr[domain.len - base.len - 1] == '.';
}

static bool address_within(struct slice address, struct slice base)
{
    if (base.len != address.len * 2) {
        return false;
    }
    for (size_t i = 0; i < address.len; i++) {
        unsigned mask = (unsigned char)base.ptr[address.len + i];
        if ((((unsigned char)address.ptr[i] ^ (unsigned char)base.ptr[i]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

/* Both are whole Names; every RDN of base must lead the name. Bytes are compared: CAs copy them. */
static bool directory_within(struct slice name, struct slice base)
{
    struct der name_whole = der_make(name);
    struct der base_whole = der_make(base);
    struct slice rdns = der_need(&name_whole, DER_SEQUENCE).content;
    struct slice wanted = der_need(&base_whole, DER_SEQUENCE).content;
    return !name_whole.failed && !base_whole.failed && slice_starts(rdns, wanted);
}

enum verdict { NOT_CONCERNED, WITHIN, OUTSIDE, NOT_UNDERSTOOD };

static enum verdict compare(const struct name *name, const struct der_item *base)
{
    bool within;
    if (base->tag == GN_DNS && !slice_is_empty(name->domain)) {
        within = domain_within(name->domain, base->content);
    } else if (base->tag != name->tag) {
        return NOT_CONCERNED;
    } else if (base->tag == GN_IP) {
        if (base->content.len == 8 ? name->value.len != 4 : name->value.len == 4) {
            return NOT_CONCERNED; /* the other address family */
        }
        within = address_within(name->value, base->content);
    } else if (base->tag == GN_DIRECTORY) {
        within = directory_within(name->value, base->content);
    } else if (base->tag == GN_DNS) {
        return OUTSIDE; /* an empty name */
    } else {
        return NOT_UNDERSTOOD;
    }
    return within ? WITHIN : OUTSIDE;
}

/* Against permitted and excluded; *budget bounds the work. */
static bool name_allowed(struct slice constraints, const struct name *name, uint32_t *budget)
{
    struct der d = der_make(constraints);
    struct der_item list;
    while (der_next(&d, &list)) {
        if (list.tag != DER_CONTEXT_SEQ(0) && list.tag != DER_CONTEXT_SEQ(1)) {
            return false;
        }
        bool is_excluded = list.tag == DER_CONTEXT_SEQ(1);
        bool concerned = false;
        bool within = false;
        struct der subtrees = der_make(list.content);
        while (!der_at_end(&subtrees)) {
            struct der subtree = der_open(&subtrees, DER_SEQUENCE);
            struct der_item base;
            if (*budget == 0 || !der_next(&subtree, &base) || !der_at_end(&subtree)) {
                return false; /* minimum and maximum are forbidden by the profile */
            }
            *budget -= 1;
            enum verdict verdict = compare(name, &base);
            if (is_excluded && name->is_wildcard && base.tag == GN_DNS &&
                domain_within(base.content, name->domain)) {
                verdict = WITHIN; /* the wildcard reaches into what is excluded */
            }
            if (verdict == NOT_UNDERSTOOD) {
                return false;
            }
            concerned = concerned || verdict != NOT_CONCERNED;
            within = within || verdict == WITHIN;
        }
        if (subtrees.failed || (is_excluded ? within : concerned && !within)) {
            return false;
        }
    }
    return !d.failed;
}

/* The domain a SAN speaks for, as names.c would take it. */
static struct slice domain_of(unsigned tag, struct slice value)
{
    struct slice rest = value;
    struct slice head;
    if (tag == GN_DNS) {
        return slice_starts(value, SLICE_LIT("*.")) ? slice_from(value, 2) : value;
    }
    if (tag == GN_URI) {
        if (!slice_cut(&rest, ':', &head)) {
            return SLICE_NONE;
        }
        if (slice_starts(rest, SLICE_LIT("//"))) {
            rest = slice_from(rest, 2);
        }
        ptrdiff_t at = slice_find(rest, '@');
        rest = at < 0 ? rest : slice_from(rest, (size_t)at + 1);
        size_t len = 0;
        while (len < rest.len && strchr(":/;?#", rest.ptr[len]) == NULL) {
            len++;
        }
        return slice_to(rest, len);
    }
    if (tag == GN_OTHER) {
        struct der d = der_make(value);
        (void)der_need(&d, DER_OID);
        struct der wrapped = der_open(&d, DER_CONTEXT_SEQ(0));
        struct der_item text;
        if (!der_next(&wrapped, &text) ||
            (text.tag != DER_UTF8_STRING && text.tag != DER_IA5_STRING)) {
            return SLICE_NONE;
        }
        rest = text.content;
        if (rest.len > 0 && rest.ptr[0] == '_') {
            (void)slice_cut(&rest, '.', &head);
        }
        ptrdiff_t at = slice_find(rest, '@');
        return at < 0 ? rest : slice_from(rest, (size_t)at + 1);
    }
    return SLICE_NONE;
}

bool constraints_allow(const struct cert *issuer, const struct cert *below)
{
    if (!issuer->has_constraints) {
        return true;
    }
    uint32_t budget = CONSTRAINTS_CHECKS_MAX;
    struct der subject = der_make(below->subject);
    if (!slice_is_empty(der_need(&subject, DER_SEQUENCE).content)) {
        struct name name = {GN_DIRECTORY, below->subject, SLICE_NONE, false};
        if (!name_allowed(issuer->constraints, &name, &budget)) {
            return false;
        }
    }
    struct der san = der_make(below->san);
    struct der_item item;
    while (der_next(&san, &item)) {
        bool is_wildcard = item.tag == GN_DNS && slice_starts(item.content, SLICE_LIT("*."));
        struct name name = {item.tag, item.content, domain_of(item.tag, item.content), is_wildcard};
        if (!name_allowed(issuer->constraints, &name, &budget)) {
            return false;
        }
    }
    return !san.failed;
}
