/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpid: what people do (RFC 4480 3.2, its older placement, Microsoft's tokens and numbers) and
 * XMPP's show. reference/sip.md 3.7 holds the tables. Pure functions; any thread.               */
#ifndef FG_TRANSLATE_RPID_H
#define FG_TRANSLATE_RPID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "translate/presence.h"

/* False: a token that is in no table, free text to show to people. Known ones without a show of
 * their own (working, tv, ...) give AVAILABLE. Any case.                                        */
bool rpid_show_of(struct slice token, enum presence_show *show);
/* The element that stands for a show, "away" or "busy"; empty = none. */
struct slice rpid_activity_of(enum presence_show show);

/* Microsoft's numeric availability and the activity's token (empty = none). */
enum presence_show rpid_show_of_availability(uint64_t availability, struct slice token);

#endif
