/* SPDX-License-Identifier: GPL-2.0-or-later */
/* canon: whether what the writer copies is what it would have written. Shared by the unit tests and
 * fuzz targets of the xml room.                                                                  */
#ifndef FG_TEST_XML_CANON_H
#define FG_TEST_XML_CANON_H

#include "base/buf.h"
#include "xml/writer.h"

/* Writes the tree as it is, and from its nodes only; NULL = the same but for quotes and
 * spaces before "/>" of copied content, else what is wrong.                                      */
const char *canon_fault(const struct xml_tree *t, const struct xml_write_params *params);
/* The same with a choice of parameters: another stream, addresses, children left out. */
const char *canon_fault_any(const struct xml_tree *t);

/* What a plain peer writes, with an oddity now and then: a document of stanzas. */
void canon_gen(struct buf *out, uint64_t seed);

#endif
