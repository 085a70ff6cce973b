/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address: SIP URI <-> JID (RFC 7247 section 6, XEP-0106 with all ten sequences, IDN both ways).
 * Injective up to what SIP and XMPP themselves hold equal: an address that would not come back as
 * itself is refused, so nobody is taken for somebody else on the other side.
 * Pure functions; any thread. */
#ifndef FG_TRANSLATE_ADDRESS_H
#define FG_TRANSLATE_ADDRESS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "sip/uri.h"
#include "xmpp/jid.h"

/* SIP user part, unescaped, at most; longer ones cannot become a local part. */
#define ADDRESS_USER_BYTES_MAX 3069u

/* sip:, im: and pres: URIs. Password, port, headers and parameters other than gr are dropped; gr
 * becomes the resource if with_resource (a gr without value is a temporary GRUU: no resource).
 * Returns 0, or the SIP status that refuses the URI: 400 malformed, 404 names nobody who could have
 * a JID, 414 too long, 416 scheme that is not translated (tel, sips, others), 500 no memory.
 * A URI without user part becomes a domain JID: only OPTIONS may be addressed to it.             */
NODISCARD unsigned address_to_jid(const struct sip_uri *uri, bool with_resource,
                                  struct jid_storage *mem, struct jid *out);
/* The same with a resource of the caller's choice, none where the URI has no user part. */
NODISCARD unsigned address_to_jid_at(const struct sip_uri *uri, struct slice resource,
                                     struct jid_storage *mem, struct jid *out);
/* The same from text; malformed is 400. */
NODISCARD unsigned address_text_to_jid(struct slice uri_text, bool with_resource,
                                       struct jid_storage *mem, struct jid *out);

/* Appends "sip:user@host" and, if with_resource and there is one, ";gr=resource".
 * ERR_JID: no SIP user can stand for it (stanza error jid-malformed); nothing is appended.       */
NODISCARD int address_to_uri(struct buf *out, const struct jid *jid, bool with_resource);
/* Whether a byte of a resource stands for itself behind ";gr="; the others become %HH. */
bool address_is_gr_char(char c);

/* XEP-0106. Escape: raw name -> local part (not yet normalised). Unescape: the ten sequences only.
 * False when a space would be first or last, or an escaped backslash needed no escaping.         */
NODISCARD bool address_escape(struct buf *out, struct slice raw);
NODISCARD bool address_unescape(struct buf *out, struct slice local);

#endif
