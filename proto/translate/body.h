/* SPDX-License-Identifier: GPL-2.0-or-later */
/* body: the text of a SIP message body, whatever it is wrapped in: text/plain and text/html in
 * UTF-8, US-ASCII, ISO-8859-1 or UTF-16; multipart (first usable part); message/cpim (RFC 3862).
 * The result is UTF-8 as far as the sender told the truth; illegal XML characters are still in it
 * (xml_write_text_clean removes them). Pure functions; bounded work; any thread.                 */
#ifndef FG_TRANSLATE_BODY_H
#define FG_TRANSLATE_BODY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

#define BODY_DEPTH_MAX 3u        /* multipart inside multipart */
#define BODY_PARTS_MAX 16u       /* parts looked at, all levels together */
#define BODY_PART_FIELDS_MAX 32u /* header fields of a part */
#define BODY_CPIM_FIELDS_MAX 32u

enum body_kind {
    BODY_TEXT,       /* appended */
    BODY_CHAT_STATE, /* application/im-iscomposing+xml: nothing to show */
    BODY_RECEIPT,    /* IMDN */
    BODY_TYPE,       /* no usable media type or charset: 415 */
    BODY_ENCODING,   /* Content-Transfer-Encoding not undone: 415 */
    BODY_MALFORMED,  /* boundary or headers broken: 400 */
};

struct body_in {
    struct slice content_type;      /* value; empty = absent */
    struct slice transfer_encoding; /* value; empty = none */
    struct slice bytes;
};

struct body_info {
    bool is_cpim;
    struct slice cpim_from;      /* URIs without display name and brackets; empty = absent */
    struct slice cpim_to;
    struct slice cpim_date_time; /* XEP-0082 form; empty = absent */
    struct slice language;       /* Content-Language of the part, empty = not said */
};

/* Slices of *info borrow from in. Text over the bound of text sets text->failed. */
NODISCARD enum body_kind body_read(struct buf *text, const struct body_in *in,
                                   struct body_info *info);

/* charset: empty = UTF-8; any case. ERR_UNSUPPORTED for others than named above. */
NODISCARD int body_to_utf8(struct buf *out, struct slice charset, struct slice bytes);

#endif
