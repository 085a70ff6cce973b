/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy: canonical stanzas (xml.h) out as they came in; the part of the writer that copies. When
 * bytes are what it would make of the nodes is decided by xml_write_plan (writer.h).            */
#ifndef FG_XML_COPY_H
#define FG_XML_COPY_H

#include "base/buf.h"
#include "xml/writer.h"

/* Carries out a plan whose copied is XML_WRITE_ELEMENT. */
void xml_copy_element(struct buf *out, const struct xml_write_plan *plan);

#endif
