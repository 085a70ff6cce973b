/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trim: stanzas written anew with less in them, where a rule lets them pass but not all they say.
 * Everything else about them stays. from, to: the normalised addresses. Appends to out. */
#ifndef FG_EDGE_TRIM_H
#define FG_EDGE_TRIM_H

#include <stdbool.h>

#include "base/buf.h"
#include "xmpp/stanza.h"

/* Presence with at least one <status/>, in whatever namespace: the writer takes out all of them. */
bool trim_has_note(const struct stanza *st);

/* A message or presence of type error: its condition and nothing else. */
void trim_write_error(struct buf *out, const struct stanza *st, struct slice from, struct slice to);

/* An answer about last activity (XEP-0012), whose text is the note somebody left with. */
bool trim_is_last_activity(const struct stanza *st);
void trim_write_last_activity(struct buf *out, const struct stanza *st, struct slice from,
                              struct slice to);

#endif
