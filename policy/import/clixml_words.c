/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clixml_words: names of elements, escapes in texts. */
#include "base/ascii.h"
#include "base/attr.h"
#include "base/utf8.h"
#include "import/clixml_int.h"

static const struct {
    const char *name;
    enum clixml_tag tag;
} tags[] = {
    {"Obj", CLIXML_OBJ},
    {"TN", CLIXML_TN},
    {"T", CLIXML_T},
    {"TNRef", CLIXML_TNREF},
    {"ToString", CLIXML_TOSTRING},
    {"Props", CLIXML_PROPS},
    {"MS", CLIXML_MS},
    {"LST", CLIXML_LIST},
    {"IE", CLIXML_LIST},
    {"QUE", CLIXML_LIST},
    {"STK", CLIXML_LIST},
    {"DCT", CLIXML_DICTIONARY},
    {"En", CLIXML_ENTRY},
    {"Ref", CLIXML_REF},
    {"Nil", CLIXML_NIL},
    {"B", CLIXML_BOOL},
    {"By", CLIXML_NUMBER},
    {"SB", CLIXML_NUMBER},
    {"U16", CLIXML_NUMBER},
    {"I16", CLIXML_NUMBER},
    {"U32", CLIXML_NUMBER},
    {"I32", CLIXML_NUMBER},
    {"U64", CLIXML_NUMBER},
    {"I64", CLIXML_NUMBER},
    {"Sg", CLIXML_NUMBER},
    {"Db", CLIXML_NUMBER},
    {"D", CLIXML_NUMBER},
    {"S", CLIXML_TEXT},
    {"C", CLIXML_TEXT},
    {"G", CLIXML_TEXT},
    {"DT", CLIXML_TEXT},
    {"TS", CLIXML_TEXT},
    {"URI", CLIXML_TEXT},
    {"Version", CLIXML_TEXT},
    {"XD", CLIXML_TEXT},
    {"SBK", CLIXML_TEXT},
    {"BA", CLIXML_TEXT},
    {"SS", CLIXML_TEXT},
    {"PR", CLIXML_TEXT},
};

enum clixml_tag clixml_tag_of(struct slice name)
{
    for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
        if (slice_eq_cstr(name, tags[i].name)) {
            return tags[i].tag;
        }
    }
    return CLIXML_UNKNOWN;
}

/* Four hexadecimal digits of "_xHHHH_"; -1 = no escape here. */
static int32_t escape_at(struct slice s, size_t at)
{
    int32_t unit = 0;

    if (s.len - at < 7 || s.ptr[at] != '_' || s.ptr[at + 1] != 'x' || s.ptr[at + 6] != '_') {
        return -1;
    }
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = ascii_hex_value(s.ptr[i]);

        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

bool clixml_unescape(struct slice s, char *out, size_t *len)
{
    *len = 0;
    for (size_t at = 0; at < s.len;) {
        int32_t unit = escape_at(s, at);
        uint32_t c = (uint32_t)unit;

        if (unit < 0) {
            out[(*len)++] = s.ptr[at++];
            continue;
        }
        at += 7;
        if (c >= 0xd800 && c < 0xdc00 && at < s.len) {
            int32_t low = escape_at(s, at);

            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
                at += 7;
            }
        }
        if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
            return false;
        }
        *len += utf8_put(out + *len, c);
    }
    return true;
}

bool clixml_has_escapes(struct slice text)
{
    return text.len && memmem(text.ptr, text.len, "_x", 2) != NULL;
}
