/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast: the pass over plain tokens. Most of what peers send is written in one way: one space before
 * each attribute, at most one before "/>", none anywhere else in a tag, no prefix but xml, only the
 * five predefined references and these only in text, no CDATA section. This pass takes such
 * tokens and nothing else; at the first other one it stops in front of it, nothing changed, and the
 * general lexer (tag.c, text.c) judges that token. So every fault is found, and named, in one
 * place.
 *
 * It is also what tells canonical content (xml.h): content of which the pass took every token, and
 * in which none broke a rule of the writer that a plain token may break (is_canonical).
 *
 * Compiled once for each instruction set from fast_pass.h. One thread: the parser's.             */
#ifndef FG_XML_FAST_H
#define FG_XML_FAST_H

#include <stdbool.h>

struct xml_parser;

/* Takes tokens from *at on; *at is left behind the last one taken. base: start of the window. True
 * when the unit ended with it. p stands inside the stream or a document, at a token's start.     */
typedef bool xml_fast_fn(struct xml_parser *p, const char *base, const char **at,
                         const char *end);

xml_fast_fn xml_fast_scalar;
#if defined(__x86_64__)
xml_fast_fn xml_fast_sse2;
xml_fast_fn xml_fast_avx2; /* only where the processor has it */
#endif

#endif
