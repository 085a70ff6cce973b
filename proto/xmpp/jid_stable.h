/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_stable: local parts and resources beyond ASCII that this thread has lately found to be in
 * normal form already; private to jid.c. libidn takes 0.4 to 5 us for each, and servers send them
 * normalised, the same ones again and again. Only the bytes as they came are kept, of parts that
 * libidn gave back unchanged: no result is stored that could be another's, everything else is
 * normalised each time.
 * Share: what is kept belongs to whoever named it, by the domain in its stanza's from. Nobody holds
 * more than JID_STABLE_SHARE_MAX places; who is at that bound displaces its own only. So a partner
 * that goes through addresses without end takes a quarter of the table from the others, not more.
 * Threads: each has its own, 33 KB. No heap. */
#ifndef FG_XMPP_JID_STABLE_H
#define FG_XMPP_JID_STABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define JID_STABLE_COUNT     512u /* places */
#define JID_STABLE_SHARE_MAX 128u /* of them for one domain */
#define JID_STABLE_BYTES_MAX 60u  /* longer parts are not kept */

enum jid_stable_kind { JID_STABLE_LOCAL, JID_STABLE_RESOURCE };

/* True: part is its own normal form. False says nothing. */
bool jid_stable_find(enum jid_stable_kind kind, struct slice part);
/* part is its own normal form, and was not found. owner: a domain. */
void jid_stable_keep(enum jid_stable_kind kind, struct slice part, struct slice owner);

#endif
