/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_read: the stanza of a block in view again, to answer it or to judge it once more: parsed
 * from our own serialisation. NULL: a defect, no memory, or more than the parser takes. The view is
 * valid until the next call and borrows from the block and from edge.bounce_parser: nobody else may
 * use that meanwhile. The shard's thread only. */
#ifndef FG_EDGE_BLOCK_READ_H
#define FG_EDGE_BLOCK_READ_H

#include "edge/edge.h"
#include "xmpp/stanza.h"

/* Its start tag only, as an element without content: an error answer needs no more, and content at
 * its limit may have grown by escaping. */
const struct stanza *block_read_start(struct edge *e, const struct block *b);
const struct stanza *block_read_whole(struct edge *e, const struct block *b);

#endif
