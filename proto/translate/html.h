/* SPDX-License-Identifier: GPL-2.0-or-later */
/* html: what a person would read of a piece of HTML, as plain text. A rendering for chat messages,
 * not a browser: tags go, block elements become line ends, references are resolved, scripts, styles
 * and comments vanish, white space collapses. Any input gives some text; linear time. Any
 * thread. */
#ifndef FG_TRANSLATE_HTML_H
#define FG_TRANSLATE_HTML_H

#include "base/buf.h"
#include "base/slice.h"

/* html: UTF-8. */
void html_to_text(struct buf *out, struct slice html);

#endif
