/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan: jumps over bytes that need no attention. Three equal implementations; the best one for the
 * processor is chosen when the first parser is made. Any thread.                               */
#ifndef FG_XML_SCAN_H
#define FG_XML_SCAN_H

#include <stddef.h>

#include "xml/fast.h"

struct xml_scan {
    const char *name;
    xml_fast_fn *fast; /* NULL = every token goes through the general lexer */
    /* First byte of s..end that is not plain character data: '<' '&' ']' CR, a control character
     * other than tab and LF, or above 0x7f; end when there is none.                             */
    const char *(*text)(const char *s, const char *end);
    /* First byte of s..end that is not plain inside an attribute value: quote '<' '&', any control
     * character, or above 0x7f; end when there is none.                                         */
    const char *(*value)(const char *s, const char *end, char quote);
};

extern const struct xml_scan xml_scan_general; /* scalar, without the fast pass */
extern const struct xml_scan xml_scan_scalar;
#if defined(__x86_64__)
extern const struct xml_scan xml_scan_sse2;
extern const struct xml_scan xml_scan_avx2; /* only where the processor has it */
#endif

/* The best for this processor, or the one that xml_scan_use() named. */
const struct xml_scan *xml_scan_best(void);
/* For tests and benchmarks, before threads exist: parsers made from now on use scan; NULL = best.
 * The implementation must suit the processor.                                                   */
void xml_scan_use(const struct xml_scan *scan);

#endif
