/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stamp: points in time as the two worlds write them: XEP-0082 ("2026-11-21T12:00:00Z") and
 * SIP-date ("Sat, 21 Nov 2026 12:00:00 GMT"; reading it is sip_msg_date). No clock, no locale;
 * any thread. */
#ifndef FG_TRANSLATE_STAMP_H
#define FG_TRANSLATE_STAMP_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

/* XEP-0082 DateTime with 'Z' or an offset; also the offset-less form of RFC 3339 users. Years 1970
 * to 9999. Fractions of a second are cut. ERR_BAD_INPUT otherwise.                               */
NODISCARD int stamp_parse(struct slice text, int64_t *unix_s);
/* unix_s of these years, else the nearest. */
void stamp_write(struct buf *out, int64_t unix_s);
void stamp_write_sip_date(struct buf *out, int64_t unix_s);

#endif
