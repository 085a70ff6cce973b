/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_plain: recognises addresses that are in normal form as they are written, in one pass and
 * without a copy; private to this room. Nearly all that servers send are: ASCII, lower case where
 * case does not count, no A-label. What is recognised here is exactly what jid_make() would return
 * byte by byte (a test and a fuzzer hold the two together); false says nothing: malformed, or not
 * in normal form, or merely longer than is looked at.
 * Threads: any; no state, no heap. */
#ifndef FG_XMPP_JID_PLAIN_H
#define FG_XMPP_JID_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "xmpp/jid.h"

/* Local part, '@', domain and '/' within so many bytes; the resource may go on behind. */
#define JID_PLAIN_BYTES_MAX 64u

/* True: *out is filled with slices of text. */
bool jid_plain_split(struct slice text, struct jid *out);
/* True: a domain name (no IP literal) in normal form, and so its own A-label form. */
bool jid_plain_domain(struct slice domain);

/* A bit for each byte, the first is bit 0; bits behind the text mean nothing. */
struct jid_marks {
    uint64_t at;
    uint64_t slash;
    uint64_t dot;
    uint64_t dash;
    uint64_t not_local;    /* not allowed in a local part, or not as it stands */
    uint64_t domain;       /* letter in lower case, digit, '-', '.', and '/' between them */
    uint64_t not_resource; /* not allowed in a resource, or no ASCII */
};
/* len: 1 to JID_PLAIN_BYTES_MAX. By the machine's means; and the same byte by byte. */
void jid_mark(const char *text, size_t len, struct jid_marks *out);
void jid_mark_scalar(const char *text, size_t len, struct jid_marks *out);

#endif
