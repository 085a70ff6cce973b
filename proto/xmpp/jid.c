/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid: splitting, comparing and writing of addresses; the normalisation itself is jid_prep.c. */
#include "xmpp/jid.h"

#include "base/check.h"
#include "base/err.h"
#include "base/utf8.h"
#include "xmpp/jid_plain.h"
#include "xmpp/jid_prep.h"
#include "xmpp/jid_stable.h"

static struct slice copy_part(char *to, struct slice part)
{
    ASSERT(part.len <= JID_PART_BYTES_MAX);
    if (part.len == 0) {
        return SLICE_NONE;
    }
    memcpy(to, part.ptr, part.len);
    return slice_make(to, part.len);
}

static int make_domain(char *to, struct slice domain, struct jid *out)
{
    const char *why = NULL;
    UNINITIALIZED struct jid_prep_domain prep;

    if (jid_plain_domain(domain)) {
        out->domain = copy_part(to, domain);
        return 0;
    }
    int err = jid_prep_domain(domain, &prep, &why);
    if (!err) {
        out->domain = copy_part(to, slice_make(prep.unicode, prep.len));
        out->domain_is_ip = prep.is_ip;
    }
    return err;
}

/* A local part or a resource. owner: whose place it may take where normal ones are remembered. */
static int make_part(char *to, enum jid_stable_kind kind, struct slice part, struct slice owner,
                     struct slice *out)
{
    const char *why = NULL;
    size_t len;
    int err;

    if (part.len == 0) {
        return 0;
    }
    if (!utf8_is_ascii(part) && jid_stable_find(kind, part)) {
        *out = copy_part(to, part);
        return 0;
    }
    err = kind == JID_STABLE_LOCAL ? jid_prep_local(part, to, &len, &why)
                                   : jid_prep_resource(part, to, &len, &why);
    if (err) {
        return err;
    }
    *out = slice_make(to, len);
    if (slice_eq(*out, part) && !utf8_is_ascii(part)) {
        jid_stable_keep(kind, part, owner);
    }
    return 0;
}

/* from: the domain that names this address; ptr NULL = its own. */
static int make(struct jid_storage *mem, const struct jid *parts, struct slice from,
                struct jid *out)
{
    struct jid made = {0};
    struct slice owner;
    int err = make_domain(mem->bytes + JID_PART_BYTES_MAX, parts->domain, &made);

    owner = from.ptr ? from : made.domain;
    if (!err) {
        err = make_part(mem->bytes, JID_STABLE_LOCAL, parts->local, owner, &made.local);
    }
    if (!err) {
        err = make_part(mem->bytes + 2 * JID_PART_BYTES_MAX, JID_STABLE_RESOURCE, parts->resource,
                        owner, &made.resource);
    }
    *out = made;
    return err;
}

int jid_make(struct jid_storage *mem, struct slice local, struct slice domain,
             struct slice resource, struct jid *out)
{
    const struct jid parts = {.local = local, .domain = domain, .resource = resource};

    return make(mem, &parts, SLICE_NONE, out);
}

/* RFC 7622 3.2: first the resource is cut off at the first '/', then the local part at the first
 * '@' of what is left. */
static int parse(struct jid_storage *mem, struct slice text, struct slice from, struct jid *out)
{
    struct slice local = SLICE_NONE;
    struct slice resource = SLICE_NONE;
    struct slice domain = text;

    *out = (struct jid){0};
    ptrdiff_t slash = slice_find(text, '/');
    if (slash >= 0) {
        domain = slice_to(text, (size_t)slash);
        resource = slice_from(text, (size_t)slash + 1);
        if (resource.len == 0) {
            return ERR_JID;
        }
    }
    ptrdiff_t at = slice_find(domain, '@');
    if (at >= 0) {
        local = slice_to(domain, (size_t)at);
        domain = slice_from(domain, (size_t)at + 1);
        if (local.len == 0) {
            return ERR_JID;
        }
    }
    const struct jid parts = {.local = local, .domain = domain, .resource = resource};
    return make(mem, &parts, from, out);
}

int jid_view(struct jid_storage *mem, struct slice text, struct jid *out)
{
    return jid_plain_split(text, out) ? 0 : parse(mem, text, SLICE_NONE, out);
}

int jid_view_named(struct jid_storage *mem, struct slice text, const struct jid *by,
                   struct jid *out)
{
    return jid_plain_split(text, out) ? 0 : parse(mem, text, by->domain, out);
}

int jid_parse(struct jid_storage *mem, struct slice text, struct jid *out)
{
    struct jid plain;

    if (!jid_plain_split(text, &plain)) {
        return parse(mem, text, SLICE_NONE, out);
    }
    jid_copy(mem, &plain, out);
    return 0;
}

int jid_local_normalise(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len)
{
    const char *why = NULL;

    return jid_prep_local(in, out, len, &why);
}

int jid_resource_normalise(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len)
{
    const char *why = NULL;

    return jid_prep_resource(in, out, len, &why);
}

void jid_copy(struct jid_storage *mem, const struct jid *from, struct jid *out)
{
    struct jid copy = {.domain_is_ip = from->domain_is_ip};

    copy.local = copy_part(mem->bytes, from->local);
    copy.domain = copy_part(mem->bytes + JID_PART_BYTES_MAX, from->domain);
    copy.resource = copy_part(mem->bytes + 2 * JID_PART_BYTES_MAX, from->resource);
    *out = copy;
}

bool jid_eq(const struct jid *a, const struct jid *b)
{
    return jid_eq_bare(a, b) && slice_eq(a->resource, b->resource);
}

bool jid_eq_bare(const struct jid *a, const struct jid *b)
{
    return slice_eq(a->local, b->local) && slice_eq(a->domain, b->domain);
}

bool jid_eq_domain(const struct jid *a, const struct jid *b)
{
    return slice_eq(a->domain, b->domain);
}

size_t jid_len_bare(const struct jid *j)
{
    return j->domain.len + (j->local.len ? j->local.len + 1 : 0);
}

size_t jid_len(const struct jid *j)
{
    return jid_len_bare(j) + (j->resource.len ? j->resource.len + 1 : 0);
}

void jid_write_bare(struct buf *out, const struct jid *j)
{
    if (j->local.len > 0) {
        buf_put(out, j->local);
        buf_putc(out, '@');
    }
    buf_put(out, j->domain);
}

void jid_write(struct buf *out, const struct jid *j)
{
    jid_write_bare(out, j);
    if (j->resource.len > 0) {
        buf_putc(out, '/');
        buf_put(out, j->resource);
    }
}

int jid_domain_to_ascii(struct slice domain, struct jid_ascii *out)
{
    const char *why = NULL;
    UNINITIALIZED struct jid_prep_domain prep;

    if (jid_plain_domain(domain)) {
        out->len = domain.len;
        memcpy(out->text, domain.ptr, domain.len);
        out->text[domain.len] = '\0';
        return 0;
    }
    int err = jid_prep_domain(domain, &prep, &why);
    if (err) {
        out->len = 0;
        out->text[0] = '\0';
        return err;
    }
    *out = prep.ascii;
    return 0;
}

struct slice jid_domain_ascii(const struct jid *j, struct jid_ascii *mem)
{
    if (utf8_is_ascii(j->domain)) {
        return j->domain;
    }
    return jid_domain_to_ascii(j->domain, mem) ? SLICE_NONE : jid_ascii_slice(mem);
}

const char *jid_domain_fault(struct slice domain)
{
    const char *why = NULL;
    UNINITIALIZED struct jid_prep_domain prep;

    if (jid_prep_domain(domain, &prep, &why)) {
        return why;
    }
    if (prep.is_ip) {
        return "is an IP address: a domain name is needed";
    }
    return NULL;
}
