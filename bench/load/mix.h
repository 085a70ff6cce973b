/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mix: which stanzas a run sends: the forms in which clients and servers write a message, with
 * places for what names a flow and a number.
 *   plain  one form, canonical (xml/writer.h) and in ASCII: the best case of who copies what it
 *          need not write anew
 *   real   16 forms in the style of clients and servers in use: other orders and quotes,
 *          extensions, references, raw line ends, texts, users and resources not in ASCII;
 *          messages without text between them
 * Any thread; no memory, no state. Texts are constant and static.                                */
#ifndef FG_LOAD_MIX_H
#define FG_LOAD_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define MIX_ROWS_MAX 16u

/* In a form's text each of these bytes stands for a name. Numbers have the widths of payload.h;
 * no form has five or ten digits in a row elsewhere, nor do its texts. */
#define MIX_FROM "\1"          /* u00007@p00003.fan.test */
#define MIX_TO "\2"            /* u00007@app.corp.test */
#define MIX_FROM_RESOURCE "\3" /* home, desk */
#define MIX_TO_RESOURCE "\4"
#define MIX_FROM_DOMAIN "\5"
#define MIX_NUMBER "\6" /* 00007-0000000042 */
#define MIX_BODY "\7"   /* the text: its head (payload.h) and words; at most once */
#define MIX_NAMES 7u

struct mix_row {
    const char *form;
    /* Pieces of text as they stand on the wire, NULL at the end; NULL = payload.h's words. */
    const char *const *words;
    uint32_t share; /* of the bytes that forms together lack to the size that is asked for */
};
struct mix {
    const char *name;
    uint32_t count;
    struct mix_row rows[MIX_ROWS_MAX];
};

/* NULL = there is none of this name. is_small: the stanzas have less than MIX_STATE_BYTES. */
#define MIX_STATE_BYTES 251u /* plain: shorter stanzas have no chat state */
const struct mix *mix_find(const char *name, bool is_small);

bool mix_has_body(const struct mix_row *row);
/* The form with its names (index: byte above less 1; MIX_BODY's is not read) and a text of
 * body_bytes (at least PAYLOAD_HEAD_BYTES) of flow 0, number 0. Returns its length; writes it, and
 * a NUL, when out is not NULL. */
size_t mix_write(const struct mix_row *row, const char *const names[MIX_NAMES], size_t body_bytes,
                 char *out);
/* The bytes of a row's text where forms together lack `spare` bytes to the size asked for: by their
 * shares, and the least; the last one with a text takes what does not divide. */
size_t mix_body_bytes(const struct mix *mix, uint32_t row, size_t spare);

#endif
