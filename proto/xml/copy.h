/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy: canonical stanzas (xml.h) out as they came in. Part of the writer: these say when bytes are
 * what it would make of the nodes, and copy them.                                                */
#ifndef FG_XML_COPY_H
#define FG_XML_COPY_H

#include "base/buf.h"
#include "xml/writer.h"

/* Whether the content goes out as it came. */
bool xml_copies_content(const struct xml_tree *t, uint32_t node,
                        const struct xml_write_params *params);
/* Of such a tree: whether its tags do, but for the values that params replaces or adds. */
bool xml_copies_root(const struct xml_tree *t, const struct xml_write_params *params);
/* The whole element, when both are so. */
void xml_copy_tree(struct buf *out, const struct xml_tree *t,
                   const struct xml_write_params *params);

#endif
