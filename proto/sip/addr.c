/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr: header parameters and the name-addr / addr-spec values (RFC 3261 20.10, 20.20, 25.1). */
#include "sip/uri.h"

#include "base/err.h"
#include "sip/chars.h"
#include "sip/limits.h"

/* One ";name[=value]" without its ';', from w->at on. END = the text ended after white space. */
enum param_step { PARAM_OK, PARAM_END, PARAM_BAD };

static enum param_step step_param(struct sip_param_walk *w, struct slice *name,
                                  struct slice *value)
{
    struct slice s = w->params;
    size_t i = sip_skip_lws(s, w->at);
    size_t end;

    *value = SLICE_NONE;
    w->classes = 0;
    if (i == s.len) {
        return PARAM_END;
    }
    end = i + sip_span(s, i, SIP_CHAR_TOKEN);
    *name = sip_sub(s, i, end);
    if (end == i) {
        return PARAM_BAD;
    }
    i = sip_skip_lws(s, end);
    if (i < s.len && s.ptr[i] == '=') {
        i = sip_skip_lws(s, i + 1);
        if (i < s.len && s.ptr[i] == '"') {
            if (!sip_quoted_end(s, i, &end)) {
                return PARAM_BAD;
            }
        } else {
            end = i + sip_span_common(s, i, SIP_CHAR_VALUE, &w->classes);
        }
        *value = sip_sub(s, i, end);
        if (end == i) {
            return PARAM_BAD;
        }
        i = sip_skip_lws(s, end);
    }
    w->at = i;
    return PARAM_OK;
}

bool sip_params_next(struct slice *params, struct slice *name, struct slice *value)
{
    struct sip_param_walk w = {.params = *params};

    if (step_param(&w, name, value) != PARAM_OK) {
        *params = SLICE_NONE;
        return false;
    }
    *params = w.at < params->len && params->ptr[w.at] == ';' ? slice_from(*params, w.at + 1)
                                                             : SLICE_NONE;
    return true;
}

enum sip_walk sip_param_walk(struct sip_param_walk *w, struct slice *name, struct slice *value)
{
    if (w->count > 0 && w->at == w->params.len) {
        return SIP_WALK_END;
    }
    if (w->count > 0 && w->params.ptr[w->at++] != ';') {
        return SIP_WALK_BAD;
    }
    if (++w->count > SIP_PARAMS_MAX || step_param(w, name, value) != PARAM_OK) {
        return SIP_WALK_BAD;
    }
    return SIP_WALK_NEXT;
}

bool sip_params_are_valid(struct slice params)
{
    struct sip_param_walk walk = {.params = params};
    enum sip_walk step = SIP_WALK_NEXT;
    struct slice name;
    struct slice value;

    if (params.len == 0) {
        return true;
    }
    while (step == SIP_WALK_NEXT) {
        step = sip_param_walk(&walk, &name, &value);
    }
    return step == SIP_WALK_END;
}

bool sip_param(struct slice params, struct slice name, struct slice *value)
{
    struct slice key;
    struct slice text;

    while (sip_params_next(&params, &key, &text)) {
        if (slice_eq_nocase(key, name)) {
            if (value) {
                *value = text;
            }
            return true;
        }
    }
    return false;
}

/* Display name before '<': a quoted string, or tokens and white space. Bytes above ASCII are let
 * through unquoted: clients write them so, and nothing that follows depends on them.             */
static bool parse_display(struct slice value, size_t *at, struct slice *display)
{
    size_t start = *at;
    size_t end = start;

    if (start < value.len && value.ptr[start] == '"') {
        if (!sip_quoted_end(value, start, &end)) {
            return false;
        }
    } else {
        while (end < value.len && (sip_char_is(value.ptr[end], SIP_CHAR_TOKEN | SIP_CHAR_LWS) ||
                                   (unsigned char)value.ptr[end] >= 0x80)) {
            end++;
        }
    }
    *display = slice_trim(sip_sub(value, start, end));
    *at = sip_skip_lws(value, end);
    return true;
}

static int parse_brackets(struct slice value, size_t at, struct sip_addr *out, size_t *end)
{
    ptrdiff_t close;

    if (!parse_display(value, &at, &out->display) || at >= value.len || value.ptr[at] != '<') {
        return ERR_SIP_SYNTAX;
    }
    close = slice_find(slice_from(value, at), '>');
    if (close < 0) {
        return ERR_SIP_SYNTAX;
    }
    out->in_brackets = true;
    *end = at + (size_t)close + 1;
    return sip_uri_parse(sip_sub(value, at + 1, *end - 1), &out->uri);
}

/* Without brackets: the URI ends where header parameters or white space begin. */
static int parse_bare(struct slice value, size_t at, struct sip_addr *out, size_t *end)
{
    size_t i = at;

    while (i < value.len && value.ptr[i] != ';' && !sip_char_is(value.ptr[i], SIP_CHAR_LWS)) {
        if (value.ptr[i] == ',' || value.ptr[i] == '?') {
            return ERR_SIP_SYNTAX;
        }
        i++;
    }
    *end = i;
    return sip_uri_parse(sip_sub(value, at, i), &out->uri);
}

static int parse_params(struct slice value, size_t at, struct sip_addr *out)
{
    struct sip_param_walk walk;
    struct slice name;
    struct slice text;
    enum sip_walk step;

    if (at == value.len) {
        return 0;
    }
    if (value.ptr[at] != ';') {
        return ERR_SIP_SYNTAX;
    }
    out->params = slice_from(value, at + 1);
    walk = (struct sip_param_walk){.params = out->params};
    while ((step = sip_param_walk(&walk, &name, &text)) == SIP_WALK_NEXT) {
        if (!sip_is_name(name, "tag")) {
            continue;
        }
        if (out->tag.len > 0 || !(walk.classes & SIP_CHAR_TOKEN)) {
            return ERR_SIP_SYNTAX;
        }
        out->tag = text;
    }
    return step == SIP_WALK_END ? 0 : ERR_SIP_SYNTAX;
}

int sip_addr_parse(struct slice value, struct sip_addr *out)
{
    size_t at;
    size_t end = 0;
    ptrdiff_t open;
    int err;

    value = slice_trim(value);
    if (value.len == 1 && value.ptr[0] == '*') {
        *out = (struct sip_addr){.is_star = true};
        return 0;
    }
    /* The URI clears itself; all of it as a whole would cost more than reading it. */
    out->display = SLICE_NONE;
    out->params = SLICE_NONE;
    out->tag = SLICE_NONE;
    out->in_brackets = false;
    out->is_star = false;
    at = 0;
    open = value.len > 0 && value.ptr[0] == '"' ? 0 : slice_find(value, '<');
    err = open >= 0 ? parse_brackets(value, at, out, &end) : parse_bare(value, at, out, &end);
    if (!err) {
        err = parse_params(value, sip_skip_lws(value, end), out);
    }
    if (err) {
        *out = (struct sip_addr){.is_star = false};
    }
    return err;
}

void sip_display_put(struct buf *out, struct slice display)
{
    bool quoted = display.len >= 2 && display.ptr[0] == '"';
    size_t end = quoted ? display.len - 1 : display.len;

    for (size_t i = quoted ? 1 : 0; i < end; i++) {
        char c = display.ptr[i];

        if (quoted && c == '\\' && i + 1 < end) {
            c = display.ptr[++i];
        } else if (sip_char_is(c, SIP_CHAR_LWS)) {
            /* A fold, and any run of white space with it, is one space (RFC 3261 7.3.1). */
            while (i + 1 < end && sip_char_is(display.ptr[i + 1], SIP_CHAR_LWS)) {
                i++;
            }
            c = ' ';
        }
        buf_putc(out, c);
    }
}
