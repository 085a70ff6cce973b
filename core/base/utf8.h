/* SPDX-License-Identifier: GPL-2.0-or-later */
/* utf8: strict UTF-8 (RFC 3629): no overlong forms, surrogates or values above U+10FFFF. */
#ifndef FG_BASE_UTF8_H
#define FG_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Whether all of s is well-formed. */
bool utf8_is_valid(struct slice s);
/* No byte above 0x7f. */
bool utf8_is_ascii(struct slice s);
/* Decodes the character at s[*at] and moves *at behind it; false when malformed or at the end. */
NODISCARD bool utf8_next(struct slice s, size_t *at, uint32_t *code_point);
/* Writes 1..4 bytes, returns how many; 0 when code_point is no Unicode scalar value. */
size_t utf8_put(char out[4], uint32_t code_point);
/* Largest length <= len_max that does not cut a character of (valid) s in two. */
size_t utf8_cut(struct slice s, size_t len_max);
/* XML 1.0 production [2] Char. */
bool utf8_is_xml_char(uint32_t code_point);
/* May be shown on a terminal as it is: no control, nothing invisible, nothing that breaks the line
 * or turns the writing direction. */
bool utf8_is_harmless(uint32_t code_point);

#endif
