/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_int: what the files about presence of this room share. */
#ifndef FG_TRANSLATE_PRESENCE_INT_H
#define FG_TRANSLATE_PRESENCE_INT_H

#include "translate/presence.h"
#include "xml/out.h"

/* Order of bytes; <0, 0, >0. */
int presence_bytes_order(struct slice a, struct slice b);
/* The item takes its place in the order, or that of the same resource; false: no room. */
bool presence_put(struct presence_state *state, const struct presence_item *item);
/* What presence_pack would append. */
size_t presence_packed_bytes(const struct presence_state *state);

/* Adds a note: over the bounds it is cut at a character; a language that has one, or a further one
 * than there is room for, is left out; what is no language tag counts as not said.             */
void presence_note_add(struct presence_item *item, struct slice lang, struct slice text);
/* Letters, digits and hyphens, within the bound; also true for the empty one. */
bool presence_is_lang(struct slice lang);

/* ` xml:lang="..."` if there is one; escaped text without what no XML document may hold. Notes that
 * a parser or presence_unpack made are clean, others need not be. */
void presence_out_lang(struct xml_out *o, struct slice lang);
void presence_out_clean(struct xml_out *o, struct slice text);

#endif
