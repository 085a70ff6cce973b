/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence: what one user shows of himself, as both worlds agree to hold it: a few resources, each
 * with show, priority, notes and times (RFC 6121 4, RFC 8048 6). This header: the state, its packed
 * form for memory and store, and the way from and to presence stanzas. SIP documents: pidf.h.
 *
 * A state is a view: its slices borrow from whatever it was made of (packed bytes, a stanza's tree,
 * a document reader) until that changes. Pack it to keep it. Everything is bounded, so states may
 * live on the stack (about 3 KB). Pure functions, no clock; any thread.                          */
#ifndef FG_TRANSLATE_PRESENCE_H
#define FG_TRANSLATE_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"

#define PRESENCE_ITEMS_MAX 16u
#define PRESENCE_NOTES_MAX 4u /* languages of one item */
#define PRESENCE_NOTE_BYTES_MAX 1023u
#define PRESENCE_LANG_BYTES_MAX 35u /* RFC 5646 4.4.1 */
/* A packed state at most; presence_bound() makes any state fit. */
#define PRESENCE_PACKED_BYTES_MAX 4096u
/* A stamp older than this is worth an XEP-0203 delay. */
#define PRESENCE_DELAY_MIN_S 60

/* Most available first: the order by which one of several resources speaks for its user. */
#define PRESENCE_SHOWS(X)                                                                          \
    X(CHAT, "chat")                                                                                \
    X(AVAILABLE, "available")                                                                      \
    X(DND, "dnd")                                                                                  \
    X(AWAY, "away")                                                                                \
    X(XA, "xa")                                                                                    \
    X(UNAVAILABLE, "unavailable")
enum presence_show {
#define X(name, text) PRESENCE_SHOW_##name,
    PRESENCE_SHOWS(X)
#undef X
    PRESENCE_SHOW_COUNT
};
const char *presence_show_name(enum presence_show show);

struct presence_note {
    struct slice lang; /* xml:lang, empty = not said */
    struct slice text; /* UTF-8 of XML characters, never empty */
};

/* One resource. */
struct presence_item {
    struct slice resource; /* normalised (jid.h); empty = the bare address itself */
    enum presence_show show;
    bool has_priority;     /* false: not said, which both worlds read as 0 */
    int8_t priority;
    uint8_t note_count;
    struct presence_note notes[PRESENCE_NOTES_MAX]; /* languages differ, in order of bytes */
    int64_t stamp_unix_s;      /* since when it is so; 0 = not known */
    int64_t idle_since_unix_s; /* last use of the device (XEP-0319, RFC 4480 3.1); 0 = not said */
};

/* In order of the resources' bytes, each once. An item that is UNAVAILABLE is one that leaves: told
 * once (a tuple closed, a stanza), then dropped by presence_settle. */
struct presence_state {
    uint32_t item_count;
    struct presence_item items[PRESENCE_ITEMS_MAX];
};

/* ---- the state ---- */

void presence_clear(struct presence_state *state);
/* The item of that resource, or NULL. */
const struct presence_item *presence_find(const struct presence_state *state,
                                          struct slice resource);
/* Whether somebody is there: an item that is not UNAVAILABLE. */
bool presence_is_available(const struct presence_state *state);
/* Equal but for the stamp: a document or stanza that only repeats what is known is no news. */
bool presence_item_eq(const struct presence_item *a, const struct presence_item *b);
bool presence_eq(const struct presence_state *a, const struct presence_state *b);

enum presence_applied {
    PRESENCE_SAME,    /* nothing new; stamps of before are kept */
    PRESENCE_CHANGED,
    PRESENCE_FULL,    /* a further resource has no room: not taken */
};
/* Takes one item into the state, replacing that of its resource. UNAVAILABLE stays as an item that
 * leaves if the resource was there, and is SAME if not; with an empty resource it makes all items
 * leave (RFC 6121 4.5.3 and servers that speak for their users). An available item from the bare
 * address (servers, gateways without resources) is an item like others. The bound of packed bytes
 * is kept as in presence_bound.                                                                 */
enum presence_applied presence_apply(struct presence_state *state,
                                     const struct presence_item *item);
/* Drops items that have left. False: there were none. */
bool presence_settle(struct presence_state *state);
/* Further resources of the same user from another dialog of a forked SUBSCRIBE, or another source.
 * The same resource in both: the newer stamp counts, else the more available.                   */
void presence_merge(struct presence_state *state, const struct presence_state *other);
/* Who speaks for the user where one resource is shown: most available first (RFC 8048 6.2, vector
 * P-9), then highest priority, newest, order of the bytes. NULL: nobody is available.            */
const struct presence_item *presence_best(const struct presence_state *state);
/* Leaves out notes, further languages first, then whole items, those who speak last first, until
 * it packs into PRESENCE_PACKED_BYTES_MAX. What readers hand out is bounded already.            */
void presence_bound(struct presence_state *state);

/* ---- packed ---- */

/* Appends: a version byte, then the items, some 10 bytes each besides resource and notes. The same
 * state gives the same bytes, so equality of states with stamps is equality of bytes. An empty
 * state is one byte: known to be unavailable, in contrast to no bytes at all, nothing known.
 * ERR_LIMIT: does not fit (never after presence_bound); ERR_NOMEM. Then nothing stays appended.  */
NODISCARD int presence_pack(struct buf *out, const struct presence_state *state);
/* The reverse; slices borrow from packed. No bytes: an empty state. ERR_BAD_INPUT for bytes that
 * presence_pack cannot have made, whatever they are: bounds, order, UTF-8, XML characters are
 * checked (a damaged store is no way to inject); then the state is empty.                       */
NODISCARD int presence_unpack(struct presence_state *state, struct slice packed);

/* ---- stanzas ---- */

/* st: presence, type available or unavailable (asserted). now_unix_s is the stamp when there is no
 * XEP-0203 delay. Notes over the bound are cut at a character. Slices borrow from the stanza.    */
void presence_read_stanza(struct presence_item *item, const struct stanza *st, int64_t now_unix_s);

struct presence_stanza_options {
    struct slice from_bare; /* text of the user's bare address, not escaped */
    struct slice to;        /* text of the receiver's address */
    int64_t now_unix_s;     /* delay if PRESENCE_DELAY_MIN_S past the stamp; 0 = no delay */
    bool with_notes;
};
/* Appends <presence from to [type='unavailable']> in the stream's content namespace, from
 * "from_bare/resource". Everything is escaped and cleaned. item NULL: unavailable from the bare
 * address (nobody is there, nothing is known; vector P-2).                                      */
void presence_write_stanza(struct buf *out, const struct presence_item *item,
                           const struct presence_stanza_options *options);

/* What a watcher who knows `before` must be told when `now` is so: resources that are new, changed
 * (stamps aside) or have left. A left one is the item of `now` that is UNAVAILABLE, or one of
 * `gone`. Never seen and closed: nothing (P-5).                                                 */
struct presence_change {
    const struct presence_item *item; /* of now; for a left one it may be of before */
    bool has_left;
};
struct presence_changes {
    uint32_t count; /* left ones first */
    struct presence_change list[2 * PRESENCE_ITEMS_MAX];
};
void presence_diff(struct presence_changes *out, const struct presence_state *before,
                   const struct presence_state *now);
/* All of that as stanzas; returns how many. With before NULL the watcher knows nothing yet (a new
 * subscription, a probe): every available item, or unavailable from the bare address if there is
 * none.                                                                                        */
uint32_t presence_write_changes(struct buf *out, const struct presence_state *before,
                                const struct presence_state *now,
                                const struct presence_stanza_options *options);

#endif
