/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog_int: the block of a dialog, for dialog.c, dialog_make.c and dialog_pack.c only. A node
 * keeps 100,000: lengths are as short as the bounds of limits.h allow, and what is the same in many
 * dialogs is kept once. */
#ifndef FG_SIP_DIALOG_INT_H
#define FG_SIP_DIALOG_INT_H

#include "base/check.h"
#include "base/map.h"
#include "base/slab.h"
#include "sip/dialog.h"

#define DIALOG_MAGIC       0xD1A106E5u
#define DIALOG_CSEQ_MAX    0x7FFFFFFFu /* RFC 3261 8.1.1.5: less than 2^31 */
#define DIALOG_UAC         0x01u
#define DIALOG_ESTABLISHED 0x02u
#define DIALOG_HAS_REMOTE  0x04u /* remote_cseq is known */
#define DIALOG_FLAGS       (DIALOG_UAC | DIALOG_ESTABLISHED | DIALOG_HAS_REMOTE)

/* The strings, in the order in which the stored form has them. TARGET is "<URI>": a strict router
 * wants it as the last Route value. ROUTES: in the order of use, each value ended by a line feed,
 * which no value holds.                                                                          */
enum dialog_part {
    DIALOG_CALL_ID,
    DIALOG_LOCAL_TAG,
    DIALOG_REMOTE_TAG,
    DIALOG_EVENT_ID,
    DIALOG_TARGET,
    DIALOG_LOCAL_URI,
    DIALOG_REMOTE_URI,
    DIALOG_ROUTES,
    DIALOG_PARTS
};

#define DIALOG_SHORT_PARTS DIALOG_TARGET /* parts before it have one byte of length, others two */
#define DIALOG_LONG_PARTS  (DIALOG_PARTS - DIALOG_SHORT_PARTS)
#define DIALOG_OWN_LONG    (DIALOG_ROUTES - DIALOG_SHORT_PARTS) /* those in the dialog's block */

/* What many dialogs have in common: the route set, and of a subscriber's dialog, whose notifier is
 * one presence server for all, the target. A watcher's target is his own.                        */
struct dialog_path {
    struct slice key; /* of text; in sip_dialogs.paths */
    uint32_t refs;
    uint16_t target_len;
    char text[]; /* target_len, target, routes */
};

struct sip_dialogs {
    struct slab slab;
    struct map paths; /* struct dialog_path by key */
    size_t path_bytes;
};

struct sip_dialog {
    uint32_t magic;
    uint32_t cseq;            /* of the last request sent; one below the first before it */
    struct sip_dialogs *in;   /* borrowed */
    struct dialog_path *path; /* counted; NULL = no target (or an own one) and no routes */
    uint32_t cseq_stored; /* the stored form goes on behind it; 0 = none since made or unpacked */
    uint32_t remote_cseq;
    uint16_t long_len[DIALOG_OWN_LONG];
    uint8_t short_len[DIALOG_SHORT_PARTS];
    uint8_t flags;
    char text[]; /* the parts that are not in path, one behind the other */
};

#define DIALOG_CHECK(d) ASSERT((d) && (d)->magic == DIALOG_MAGIC)

struct dialog_parts {
    struct slice of[DIALOG_PARTS];
};

/* Bytes that a part may have. */
size_t dialog_part_max(enum dialog_part part);
struct slice dialog_part(const struct sip_dialog *d, enum dialog_part part);
void dialog_parts_get(const struct sip_dialog *d, struct dialog_parts *parts);
/* A block in from->in with these parts and from's numbers and flags; NULL: no memory. All parts are
 * within their bounds.                                                                          */
struct sip_dialog *dialog_build(const struct dialog_parts *parts, const struct sip_dialog *from);
/* Values of untrusted text as parts; 0, ERR_LIMIT, ERR_SIP_SYNTAX, ERR_SIP_URI. */
int dialog_put_target(struct buf *out, const struct sip_uri *uri);
/* is_first: it will be the top of the route set. */
int dialog_put_route(struct buf *out, struct slice value, bool is_first);

#endif
