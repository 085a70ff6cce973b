/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid: XMPP addresses (RFC 7622, with the RFC 6122 stringprep tables that servers use in practice).
 * Parsing normalises: two JIDs are the same address exactly when their parts are equal bytes.
 *   local     nodeprep (case-folded, NFKC), except that U+00DF and U+03C2 stay themselves, as
 *             RFC 7622 section 3.5 examples 6-11 demand
 *   domain    lower case, U-labels, no trailing dot; IP literals canonical and flagged
 *   resource  resourceprep (case kept, spaces allowed)
 * DNS, TLS and tables keyed across protocols use the A-label form: jid_domain_to_ascii().
 *
 * Threads: any; no state but a thread's memory of names that it met lately. Ownership: the
 * parts point into the caller's jid_storage and live as long as it does (do not copy a jid_storage:
 * the slices keep pointing to the old one); after jid_view() they may point into the text. ASCII
 * addresses need no heap, nor do domains and normal parts met lately. Errors: ERR_JID for whatever
 * is not an address (stanza error jid-malformed, or improper-addressing on a stream), ERR_NOMEM. */
#ifndef FG_XMPP_JID_H
#define FG_XMPP_JID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

/* RFC 7622 3.2-3.4: each part, after normalisation, in bytes of UTF-8. */
#define JID_PART_BYTES_MAX 1023u
/* local@domain/resource */
#define JID_BYTES_MAX (3u * JID_PART_BYTES_MAX + 2u)
/* RFC 1035: a name without its final dot, a label. */
#define JID_ASCII_BYTES_MAX 253u
#define JID_LABEL_BYTES_MAX 63u

struct jid {
    struct slice local;    /* empty = none; borrowed from the storage (jid_view: or the text) */
    struct slice domain;   /* never empty after a successful parse */
    struct slice resource; /* empty = none */
    bool domain_is_ip;     /* "192.0.2.1" or "[2001:db8::1]": no partner can prove it */
};

/* 3 KB; on the stack, or inside an object that keeps an address. */
struct jid_storage {
    char bytes[3 * JID_PART_BYTES_MAX];
};

/* A domain in A-label form, NUL-terminated. */
struct jid_ascii {
    size_t len;
    char text[JID_ASCII_BYTES_MAX + 1];
};

/* "[local@]domain[/resource]" */
NODISCARD int jid_parse(struct jid_storage *mem, struct slice text, struct jid *out);
/* The same without copies where there is nothing to change: each part points into mem or into text,
 * and is valid as long as both. Whoever keeps the address longer than the text takes jid_copy(). */
NODISCARD int jid_view(struct jid_storage *mem, struct slice text, struct jid *out);
/* The same of an address that another one names: what is remembered of it counts as by's. */
NODISCARD int jid_view_named(struct jid_storage *mem, struct slice text, const struct jid *by,
                             struct jid *out);
/* From parts that were not normalised yet; an empty slice = part absent. */
NODISCARD int jid_make(struct jid_storage *mem, struct slice local, struct slice domain,
                       struct slice resource, struct jid *out);
/* A local part alone, in normal form: for code that composes one from another protocol's name. */
NODISCARD int jid_local_normalise(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len);
/* The same for a resource. */
NODISCARD int jid_resource_normalise(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len);
/* The same address again with memory of its own. */
void jid_copy(struct jid_storage *mem, const struct jid *from, struct jid *out);

bool jid_eq(const struct jid *a, const struct jid *b);
/* Without resources. */
bool jid_eq_bare(const struct jid *a, const struct jid *b);
bool jid_eq_domain(const struct jid *a, const struct jid *b);
static inline bool jid_is_full(const struct jid *j)
{
    return j->resource.len != 0;
}
static inline bool jid_is_domain(const struct jid *j)
{
    return j->local.len == 0 && j->resource.len == 0;
}

/* Appends (unescaped: an XML writer escapes). The bare form is also the key for tables. */
void jid_write(struct buf *out, const struct jid *j);
void jid_write_bare(struct buf *out, const struct jid *j);
/* Bytes of these two. */
size_t jid_len(const struct jid *j);
size_t jid_len_bare(const struct jid *j);

/* Any spelling of a domain (case, U-labels, A-labels, final dot, IP literal) to A-labels, lower
 * case. The result is the same for all spellings of one domain: key, DNS name, certificate name. */
NODISCARD int jid_domain_to_ascii(struct slice domain, struct jid_ascii *out);
static inline struct slice jid_ascii_slice(const struct jid_ascii *a)
{
    return slice_make(a->text, a->len);
}
/* The A-label form of the domain of a normalised address, for everyone who needs it with each
 * stanza: a domain in ASCII is its own A-label form and comes back as it is, without a copy (valid
 * as long as j's parts), another is converted into *mem (valid as long as that). An IP literal is
 * its canonical text. Not NUL-terminated. Empty: it cannot be converted (no memory). */
struct slice jid_domain_ascii(const struct jid *j, struct jid_ascii *mem);
/* For configuration: NULL when domain can be an XMPP domain of a partner or of ours, else a static
 * text saying what is wrong. IP literals are wrong here.                                        */
const char *jid_domain_fault(struct slice domain);

#endif
