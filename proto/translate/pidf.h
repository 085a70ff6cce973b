/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf: presence documents of the SIP side. Read: PIDF (RFC 3863) with RPID (RFC 4480) and its
 * older Microsoft placement, Microsoft's event categories. Written: PIDF with RPID, for presence
 * servers and agents, or in the form that Lync understands. Decisions: README.md.
 *
 * A reader keeps a parser and scratch space so that a document costs no allocation once warm: one
 * per shard. Writing needs none. One thread per reader.                                         */
#ifndef FG_TRANSLATE_PIDF_H
#define FG_TRANSLATE_PIDF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "translate/presence.h"
#include "xmpp/jid.h"

#define PIDF_BYTES_MAX 65536u /* a document, also after conversion to UTF-8 */
#define PIDF_DEPTH_MAX 16u
#define PIDF_ELEMENTS_MAX 1024u
#define PIDF_TUPLES_MAX 32u /* looked at; PRESENCE_ITEMS_MAX of them are kept, open ones first */

/* The Accept line decides which form we are sent: plain PIDF, one reader for everybody. */
#define PIDF_MEDIA_TYPE "application/pidf+xml"

/* ---- reading ---- */

/* Why a document was not taken: counters and logs. The NOTIFY is answered 200 all the same: an
 * error from RFC 6665's list would end the dialog. */
#define PIDF_WHYS(X)                                                                               \
    X(OK, "ok")                 /* state is what the document says */                              \
    X(EMPTY, "empty")           /* no body: nobody is there as far as we may know; state empty */  \
    X(MEDIA_TYPE, "media_type") /* none that is read */                                            \
    X(ENCODING, "encoding")     /* compressed, or a charset that is not known */                   \
    X(TOO_BIG, "too_big")       /* bytes, depth, elements */                                       \
    X(DOCTYPE, "doctype")       /* DTD or entities */                                              \
    X(MALFORMED, "malformed")   /* not XML, or not what its type promises */                       \
    X(ENTITY, "entity")         /* about somebody else: presence injection */                      \
    X(NOMEM, "nomem")
enum pidf_why {
#define X(name, text) PIDF_WHY_##name,
    PIDF_WHYS(X)
#undef X
    PIDF_WHY_COUNT
};
const char *pidf_why_name(enum pidf_why why);

struct pidf_reader; /* opaque */
NODISCARD int pidf_reader_new(struct pidf_reader **out);
void pidf_reader_free(struct pidf_reader *reader);

struct pidf_in {
    struct slice content_type;     /* value; empty = absent */
    struct slice content_encoding; /* value; empty or "identity" */
    struct slice content_language; /* value: language of notes that name none */
    struct slice bytes;
    const struct jid *presentity;  /* bare address of whom the dialog is about */
    /* What was known before, for resource names that stay when tuple ids do not, and for stamps of
     * what did not change; NULL = nothing. */
    const struct presence_state *before;
    int64_t now_unix_s; /* stamp of what says none; activities count within their times */
};
/* OK and EMPTY fill *state; else it is empty and what was known before should stay. Closed tuples
 * are items that are UNAVAILABLE: diff, then presence_settle. The state borrows from the reader, in
 * and before, until the next read.                                                             */
NODISCARD enum pidf_why pidf_read(struct pidf_reader *reader, struct presence_state *state,
                                  const struct pidf_in *in);

/* ---- writing ---- */

enum pidf_profile {
    PIDF_PROFILE_SIMPLE, /* one tuple for each resource; RPID person */
    PIDF_PROFILE_LYNC,   /* one tuple for all; activities of the draft within its status, too */
};

struct pidf_out {
    enum pidf_profile profile;
    bool with_notes;
    struct slice uri; /* of the presentity as address_to_uri makes it: "sip:user@host" */
};
/* Appends a document, UTF-8. Items that are UNAVAILABLE are closed tuples beside open ones; nobody
 * available: one closed tuple. Content-Language: pidf_language(). out->failed when it has no room;
 * PIDF_BYTES_MAX is enough for every state that packs.                                          */
void pidf_write(struct buf *out, const struct presence_state *state,
                const struct pidf_out *options);
/* For Content-Language: the language of all notes; empty when there is none or more than one. */
struct slice pidf_language(const struct presence_state *state);

/* RFC 8048 6.2 note 6: 0..127 <-> thousandths. Every priority comes back as itself. */
unsigned pidf_priority_to_thousandths(int8_t priority); /* not negative: asserted */
int8_t pidf_priority_from_thousandths(unsigned thousandths); /* more than 1000 counts as 1000 */

#endif
