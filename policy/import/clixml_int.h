/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clixml_int: the words of the CLIXML format (private to this room). */
#ifndef FG_IMPORT_CLIXML_INT_H
#define FG_IMPORT_CLIXML_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* What an element of the format is. */
enum clixml_tag {
    CLIXML_UNKNOWN,
    CLIXML_OBJ,
    CLIXML_TN,
    CLIXML_T,
    CLIXML_TNREF,
    CLIXML_TOSTRING,
    CLIXML_PROPS,
    CLIXML_MS,
    CLIXML_LIST,
    CLIXML_DICTIONARY,
    CLIXML_ENTRY,
    CLIXML_REF,
    CLIXML_NIL,
    CLIXML_BOOL,
    CLIXML_NUMBER,
    CLIXML_TEXT,
};
enum clixml_tag clixml_tag_of(struct slice name);

/* Whether text may hold an escape at all. */
bool clixml_has_escapes(struct slice text);
/* PowerShell writes what XML cannot hold as _xHHHH_, a UTF-16 unit each. out: as long as s.
 * false: a unit that is no character. */
bool clixml_unescape(struct slice s, char *out, size_t *len);

#endif
