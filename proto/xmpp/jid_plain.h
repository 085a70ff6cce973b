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

#include "base/slice.h"
#include "xmpp/jid.h"

/* Local part, '@', domain and '/' within so many bytes; the resource may go on behind. */
#define JID_PLAIN_BYTES_MAX 64u

/* True: *out is filled with slices of text. */
bool jid_plain_split(struct slice text, struct jid *out);
/* True: a domain name (no IP literal) in normal form, and so its own A-label form. */
bool jid_plain_domain(struct slice domain);

/* The same by other means of the machine; all answer alike. */
struct jid_plain {
    const char *name;
    bool (*split)(struct slice text, struct jid *out);
    bool (*domain)(struct slice domain);
};
extern const struct jid_plain jid_plain_scalar;
#if defined(__x86_64__)
extern const struct jid_plain jid_plain_sse2;
extern const struct jid_plain jid_plain_avx2;
#endif
/* The best that this machine has. */
const struct jid_plain *jid_plain_best(void);
/* For tests: these instead, NULL = the best again. Before there are other threads. */
void jid_plain_use(const struct jid_plain *means);

#endif
