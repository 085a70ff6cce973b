/* SPDX-License-Identifier: GPL-2.0-or-later */
/* body: unwrapping. Parts are views into the body; multipart nesting is walked with a small
 * stack. */
#include "translate/body.h"

#include "base/ascii.h"
#include "base/err.h"
#include "sip/msg.h"
#include "translate/html.h"

#define BOUNDARY_BYTES_MAX 70u /* RFC 2046 5.1.1 */

/* Takes a line without its CRLF or LF; false at the end. */
static bool take_line(struct slice *rest, struct slice *line)
{
    if (rest->len == 0) {
        return false;
    }
    (void)slice_cut(rest, '\n', line);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

struct part {
    struct slice content_type;
    struct slice transfer_encoding;
    struct slice language;
    struct slice bytes;
};

/* Header fields of a MIME entity up to the empty line. Folded fields are not used by what we look
 * for and their continuation lines are skipped. */
static bool read_part(struct slice text, struct part *out)
{
    struct slice line, name;

    *out = (struct part){0};
    for (unsigned i = 0; take_line(&text, &line); i++) {
        if (line.len == 0) {
            out->bytes = text;
            return true;
        }
        if (i == BODY_PART_FIELDS_MAX) {
            return false;
        }
        if (ascii_is_space(line.ptr[0])) {
            continue;
        }
        if (!slice_cut(&line, ':', &name)) {
            return false;
        }
        name = slice_trim(name);
        if (slice_eq_nocase(name, SLICE_LIT("Content-Type"))) {
            out->content_type = slice_trim(line);
        } else if (slice_eq_nocase(name, SLICE_LIT("Content-Transfer-Encoding"))) {
            out->transfer_encoding = slice_trim(line);
        } else if (slice_eq_nocase(name, SLICE_LIT("Content-Language"))) {
            out->language = slice_trim(line);
        }
    }
    return true; /* fields only, no content */
}

/* ---- multipart ---- */

struct level {
    struct slice rest; /* behind the last delimiter line that was found */
    struct slice boundary;
    bool is_done; /* its last part was taken; it still counts as a level for what is inside that */
};

/* Next line "--boundary" in *rest: *before gets what stands before it (without the line end that
 * belongs to the delimiter), *rest what follows. False when there is none. */
static bool find_delimiter(struct level *lv, struct slice *before, bool *is_last)
{
    struct slice all = lv->rest;
    struct slice rest = all;
    struct slice line;
    size_t line_at = 0;

    while (take_line(&rest, &line)) {
        if (line.len >= 2 + lv->boundary.len && line.ptr[0] == '-' && line.ptr[1] == '-' &&
            memcmp(line.ptr + 2, lv->boundary.ptr, lv->boundary.len) == 0) {
            struct slice tail = slice_trim(slice_from(line, 2 + lv->boundary.len));
            *is_last = slice_eq(tail, SLICE_LIT("--"));
            if (tail.len == 0 || *is_last) {
                *before = slice_to(all, line_at);
                before->len -= before->len > 0 && before->ptr[before->len - 1] == '\n';
                before->len -= before->len > 0 && before->ptr[before->len - 1] == '\r';
                lv->rest = rest;
                return true;
            }
        }
        line_at = all.len - rest.len;
    }
    return false;
}

/* Starts a level; false when the boundary is missing or malformed, or occurs nowhere. */
static bool open_level(struct level *lv, const struct sip_media_type *type, struct slice bytes)
{
    struct slice before;
    bool is_last;

    if (!sip_media_type_param(type, SLICE_LIT("boundary"), &lv->boundary) ||
        lv->boundary.len == 0 || lv->boundary.len > BOUNDARY_BYTES_MAX) {
        return false;
    }
    lv->rest = bytes;
    lv->is_done = false;
    return find_delimiter(lv, &before, &is_last) && !is_last;
}

enum usable { USABLE_NOT, USABLE_HTML, USABLE_PLAIN };

static enum usable usable_as(const struct sip_media_type *type)
{
    if (sip_media_type_is(type, SLICE_LIT("text"), SLICE_LIT("plain"))) {
        return USABLE_PLAIN;
    }
    return sip_media_type_is(type, SLICE_LIT("text"), SLICE_LIT("html")) ? USABLE_HTML
                                                                         : USABLE_NOT;
}

/* Depth first: the first text/plain part, else the first text/html one. */
static enum body_kind pick_part(const struct sip_media_type *outer, struct slice bytes,
                                struct part *out)
{
    struct level levels[BODY_DEPTH_MAX];
    struct sip_media_type type;
    struct part part;
    enum usable best = USABLE_NOT;
    size_t depth = 1;
    bool is_last;

    if (!open_level(&levels[0], outer, bytes)) {
        return BODY_MALFORMED;
    }
    for (unsigned parts = 0; parts < BODY_PARTS_MAX; parts++) {
        struct slice text;
        while (depth > 0 && levels[depth - 1].is_done) {
            depth--;
        }
        if (depth == 0) {
            break;
        }
        struct level *lv = &levels[depth - 1];
        if (!find_delimiter(lv, &text, &is_last)) {
            text = lv->rest; /* the closing delimiter is missing: take what came */
            is_last = true;
        }
        lv->is_done = is_last;
        if (!read_part(text, &part)) {
            return BODY_MALFORMED;
        }
        if (part.content_type.len == 0) {
            part.content_type = SLICE_LIT("text/plain");
        }
        if (sip_media_type_parse(part.content_type, &type)) {
            continue;
        }
        if (usable_as(&type) > best) {
            best = usable_as(&type);
            *out = part;
        }
        if (best == USABLE_PLAIN) {
            return BODY_TEXT;
        }
        if (slice_eq_nocase(type.type, SLICE_LIT("multipart")) && depth < BODY_DEPTH_MAX &&
            open_level(&levels[depth], &type, part.bytes)) {
            depth++;
        }
    }
    return best == USABLE_NOT ? BODY_TYPE : BODY_TEXT;
}

/* ---- message/cpim (RFC 3862) ---- */

/* "Name <uri>" or "uri". */
static struct slice cpim_uri(struct slice value)
{
    ptrdiff_t open = slice_find_last(value, '<');
    ptrdiff_t close = slice_find_last(value, '>');

    if (open >= 0 && close > open) {
        return slice_trim(slice_make(value.ptr + open + 1, (size_t)(close - open - 1)));
    }
    return slice_trim(value);
}

static bool read_cpim(struct slice bytes, struct part *inner, struct body_info *info)
{
    struct slice line, name;

    info->is_cpim = true;
    for (unsigned i = 0; take_line(&bytes, &line); i++) {
        if (line.len == 0) {
            return read_part(bytes, inner);
        }
        if (i == BODY_CPIM_FIELDS_MAX || !slice_cut(&line, ':', &name)) {
            return false;
        }
        /* Names are case-sensitive (RFC 3862 3.1); a second From or To would be ambiguous. */
        if (slice_eq_cstr(name, "From")) {
            if (info->cpim_from.len > 0) {
                return false;
            }
            info->cpim_from = cpim_uri(line);
        } else if (slice_eq_cstr(name, "To")) {
            if (info->cpim_to.len > 0) {
                return false;
            }
            info->cpim_to = cpim_uri(line);
        } else if (slice_eq_cstr(name, "DateTime")) {
            info->cpim_date_time = slice_trim(line);
        }
    }
    return false; /* no content */
}

static bool is_identity_encoding(struct slice encoding)
{
    return encoding.len == 0 || slice_eq_nocase(encoding, SLICE_LIT("7bit")) ||
           slice_eq_nocase(encoding, SLICE_LIT("8bit")) ||
           slice_eq_nocase(encoding, SLICE_LIT("binary"));
}

static enum body_kind put_text_part(struct buf *text, const struct part *part,
                                    const struct sip_media_type *type)
{
    enum usable usable = usable_as(type);
    struct slice charset = SLICE_NONE;
    struct buf html;

    if (!is_identity_encoding(part->transfer_encoding)) {
        return BODY_ENCODING;
    }
    (void)sip_media_type_param(type, SLICE_LIT("charset"), &charset);
    if (usable == USABLE_PLAIN) {
        return body_to_utf8(text, charset, part->bytes) ? BODY_TYPE : BODY_TEXT;
    }
    if (usable == USABLE_NOT) {
        return BODY_TYPE;
    }
    buf_init(&html, 3 * part->bytes.len + 4);
    int err = body_to_utf8(&html, charset, part->bytes);
    html_to_text(text, buf_slice(&html));
    text->failed |= html.failed;
    buf_deinit(&html);
    return err ? BODY_TYPE : BODY_TEXT;
}

enum body_kind body_read(struct buf *text, const struct body_in *in, struct body_info *info)
{
    struct part part = {in->content_type, in->transfer_encoding, SLICE_NONE, in->bytes};
    struct sip_media_type type;

    *info = (struct body_info){0};
    if (sip_media_type_parse(part.content_type, &type)) {
        return BODY_MALFORMED;
    }
    if (sip_media_type_is(&type, SLICE_LIT("message"), SLICE_LIT("cpim"))) {
        if (!read_cpim(in->bytes, &part, info)) {
            return BODY_MALFORMED;
        }
        if (part.content_type.len == 0) {
            part.content_type = SLICE_LIT("text/plain");
        }
        if (sip_media_type_parse(part.content_type, &type)) {
            return BODY_MALFORMED;
        }
    }
    if (slice_eq_nocase(type.type, SLICE_LIT("multipart"))) {
        enum body_kind kind = pick_part(&type, part.bytes, &part);
        if (kind != BODY_TEXT) {
            return kind;
        }
        if (sip_media_type_parse(part.content_type, &type)) {
            return BODY_MALFORMED;
        }
    }
    info->language = part.language;
    if (sip_media_type_is(&type, SLICE_LIT("application"), SLICE_LIT("im-iscomposing+xml"))) {
        return BODY_CHAT_STATE;
    }
    if (sip_media_type_is(&type, SLICE_LIT("message"), SLICE_LIT("imdn+xml")) ||
        sip_media_type_is(&type, SLICE_LIT("application"), SLICE_LIT("ms-imdn+xml"))) {
        return BODY_RECEIPT;
    }
    return put_text_part(text, &part, &type);
}
