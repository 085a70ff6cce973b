/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64: RFC 4648 section 4, strict: padding required, no line breaks, unused bits zero.
 * hex: lower case out.                                                                     */
#ifndef FG_BASE_BASE64_H
#define FG_BASE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

void base64_put(struct buf *out, struct slice bytes);
/* False on malformed text; then nothing stays appended. */
NODISCARD bool base64_decode(struct buf *out, struct slice text);
void hex_put(struct buf *out, struct slice bytes);

#endif
