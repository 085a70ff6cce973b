/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quote: text of a file shown in a message: in quotes, cut, without anything that moves a
 * terminal's cursor or turns its writing direction. Pure; any thread.                            */
#ifndef FG_POLICY_QUOTE_H
#define FG_POLICY_QUOTE_H

#include "base/slice.h"

#define QUOTE_CHARS_MAX 60u
#define QUOTE_BYTES     (QUOTE_CHARS_MAX * 10u + 8u)

struct quoted {
    char text[QUOTE_BYTES];
};
/* utf8: well-formed. Use: "%s", quote(s).text. */
struct quoted quote(struct slice utf8);

#endif
