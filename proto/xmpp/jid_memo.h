/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_memo: internationalised domain names that this thread has normalised lately; private to
 * jid_prep. An address of such a domain is in every stanza of its partner, and libidn takes some
 * microseconds and heap for each. Compared byte by byte: only what is spelled the same is found.
 * Whoever sends many names gets no more than the cost of normalising them.
 * Threads: each has its own, 13 KB. No heap. */
#ifndef FG_XMPP_JID_MEMO_H
#define FG_XMPP_JID_MEMO_H

#include <stdbool.h>

#include "xmpp/jid_prep.h"

/* False: not known. */
bool jid_memo_find(struct slice in, struct jid_prep_domain *out);
/* What in was normalised to; long names are not kept. */
void jid_memo_keep(struct slice in, const struct jid_prep_domain *done);

#endif
