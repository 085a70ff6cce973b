/* SPDX-License-Identifier: GPL-2.0-or-later */
/* escape: inside of the writer. */
#ifndef FG_XML_ESCAPE_H
#define FG_XML_ESCAPE_H

#include "base/buf.h"

/* What stands between the double quotes. */
void xml_escape_attr(struct buf *out, struct slice value);

#endif
