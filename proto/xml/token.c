/* SPDX-License-Identifier: GPL-2.0-or-later */
/* token: the resumable search for the end of a token that the window does not hold completely. It
 * judges nothing; it only has to agree with the token's own parsing on where a good token ends, and
 * to find some end of every bad one: a '<' ends a tag wherever it stands, being illegal there.   */
#include "xml/parser_int.h"

void xml_token_begin(struct xml_parser *p, enum xml_token kind, size_t at)
{
    p->token = kind;
    p->token_at = at;
    p->scan_at = at + 1;
    p->scan_quote = 0;
}

static bool tag_ends(struct xml_parser *p, const char *base, const char *end)
{
    const char *s = base + p->scan_at;
    char quote = p->scan_quote;

    for (; s < end; s++) {
        if (*s == '<' || (*s == '>' && !quote)) {
            break;
        }
        if (quote) {
            quote = *s == quote ? (char)0 : quote;
        } else if (*s == '"' || *s == '\'') {
            quote = *s;
        }
    }
    p->scan_at = (size_t)(s - base);
    p->scan_quote = quote;
    return s < end;
}

static bool byte_comes(struct xml_parser *p, const char *base, const char *end, char c)
{
    const char *from = base + p->scan_at;
    const char *at = from < end ? memchr(from, c, (size_t)(end - from)) : NULL;

    p->scan_at = (size_t)((at ? at : end) - base);
    return at != NULL;
}

/* Looks for "]]>" by its '>': that byte is rarer, and nothing has to be remembered but scan_at. */
static bool cdata_ends(struct xml_parser *p, const char *base, const char *end)
{
    while (byte_comes(p, base, end, '>')) {
        const char *at = base + p->scan_at;

        /* The section's own '[' stands before its content, so two ']' are content. */
        if (at[-1] == ']' && at[-2] == ']') {
            return true;
        }
        p->scan_at++;
    }
    return false;
}

bool xml_token_is_complete(struct xml_parser *p, const char *base, const char *end)
{
    switch (p->token) {
    case XML_TOKEN_NONE:
        return true;
    case XML_TOKEN_TAG:
        return tag_ends(p, base, end);
    case XML_TOKEN_TEXT:
        return byte_comes(p, base, end, '<');
    case XML_TOKEN_CDATA:
        return cdata_ends(p, base, end);
    case XML_TOKEN_DECLARATION:
        return byte_comes(p, base, end, '>');
    }
    return true;
}
