/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error: names and writers of stream, stanza and SASL errors. */
#include "xmpp/error.h"

#include "base/attr.h"
#include "base/check.h"
#include "xml/writer.h"
#include "xmpp/ns.h"

static const char *const stream_names[] = {[STREAM_CONDITION_NONE] = "none",
#define X(name, text) [STREAM_CONDITION_##name] = text,
                                           STREAM_CONDITIONS(X)
#undef X
};

static const struct {
    const char *text;
    enum stanza_error_type type;
} stanza_names[] = {[STANZA_CONDITION_NONE] = {"none", STANZA_ERROR_TYPE_CANCEL},
#define X(name, text, type) [STANZA_CONDITION_##name] = {text, STANZA_ERROR_TYPE_##type},
                    STANZA_CONDITIONS(X)
#undef X
};

static const char *const type_names[] = {
    [STANZA_ERROR_TYPE_DEFAULT] = "cancel", [STANZA_ERROR_TYPE_AUTH] = "auth",
    [STANZA_ERROR_TYPE_CANCEL] = "cancel",  [STANZA_ERROR_TYPE_CONTINUE] = "continue",
    [STANZA_ERROR_TYPE_MODIFY] = "modify",  [STANZA_ERROR_TYPE_WAIT] = "wait",
};

static const char *const sasl_names[] = {[SASL_CONDITION_NONE] = "none",
#define X(name, text) [SASL_CONDITION_##name] = text,
                                         SASL_CONDITIONS(X)
#undef X
};

STATIC_ASSERT(ARRAY_COUNT(stream_names) == STREAM_CONDITION_COUNT, "every condition has a name");
STATIC_ASSERT(ARRAY_COUNT(stanza_names) == STANZA_CONDITION_COUNT, "every condition has a name");
STATIC_ASSERT(ARRAY_COUNT(sasl_names) == SASL_CONDITION_COUNT, "every condition has a name");

const char *stream_condition_name(enum stream_condition c)
{
    ASSERT(c < STREAM_CONDITION_COUNT);
    return stream_names[c];
}

const char *stanza_condition_name(enum stanza_condition c)
{
    ASSERT(c < STANZA_CONDITION_COUNT);
    return stanza_names[c].text;
}

const char *stanza_error_type_name(enum stanza_error_type t)
{
    ASSERT(t < ARRAY_COUNT(type_names));
    return type_names[t];
}

const char *sasl_condition_name(enum sasl_condition c)
{
    ASSERT(c < SASL_CONDITION_COUNT);
    return sasl_names[c];
}

enum stream_condition stream_condition_find(struct slice name)
{
    for (int c = 1; c < STREAM_CONDITION_COUNT; c++) {
        if (slice_eq_cstr(name, stream_names[c])) {
            return (enum stream_condition)c;
        }
    }
    return STREAM_CONDITION_NONE;
}

enum stanza_condition stanza_condition_find(struct slice name)
{
    for (int c = 1; c < STANZA_CONDITION_COUNT; c++) {
        if (slice_eq_cstr(name, stanza_names[c].text)) {
            return (enum stanza_condition)c;
        }
    }
    return STANZA_CONDITION_NONE;
}

enum stanza_error_type stanza_error_type_find(struct slice name)
{
    for (int t = 1; t < (int)ARRAY_COUNT(type_names); t++) {
        if (slice_eq_cstr(name, type_names[t])) {
            return (enum stanza_error_type)t;
        }
    }
    return STANZA_ERROR_TYPE_DEFAULT;
}

enum sasl_condition sasl_condition_find(struct slice name)
{
    for (int c = 1; c < SASL_CONDITION_COUNT; c++) {
        if (slice_eq_cstr(name, sasl_names[c])) {
            return (enum sasl_condition)c;
        }
    }
    return SASL_CONDITION_NONE;
}

enum stanza_error_type stanza_condition_type(enum stanza_condition c)
{
    ASSERT(c < STANZA_CONDITION_COUNT);
    return stanza_names[c].type;
}

static void put_condition(struct buf *out, const char *name, const char *ns)
{
    buf_putc(out, '<');
    buf_put_cstr(out, name);
    xml_write_attr(out, "xmlns", slice_from_cstr(ns));
    buf_put_lit(out, "/>");
}

static void put_text(struct buf *out, struct slice text, const char *ns)
{
    if (slice_is_empty(text)) {
        return;
    }
    buf_put_lit(out, "<text");
    xml_write_attr(out, "xmlns", slice_from_cstr(ns));
    buf_put_lit(out, " xml:lang=\"en\">");
    xml_write_text_clean(out, text);
    buf_put_lit(out, "</text>");
}

void stream_error_write(struct buf *out, enum stream_condition c, struct slice text,
                        const char *app)
{
    ASSERT(c != STREAM_CONDITION_NONE);
    buf_put_lit(out, "<stream:error>");
    put_condition(out, stream_condition_name(c), NS_STREAM_ERRORS);
    put_text(out, text, NS_STREAM_ERRORS);
    if (app) {
        buf_put_cstr(out, app);
    }
    buf_put_lit(out, "</stream:error>");
}

void stanza_error_write(struct buf *out, const struct stanza_error *e)
{
    enum stanza_error_type type = e->type;

    ASSERT(e->condition != STANZA_CONDITION_NONE);
    if (type == STANZA_ERROR_TYPE_DEFAULT) {
        type = stanza_condition_type(e->condition);
    }
    buf_put_lit(out, "<error type=\"");
    buf_put_cstr(out, stanza_error_type_name(type));
    buf_put_lit(out, "\">");
    put_condition(out, stanza_condition_name(e->condition), NS_STANZA_ERRORS);
    put_text(out, e->text, NS_STANZA_ERRORS);
    if (!slice_is_empty(e->app_name)) {
        buf_putc(out, '<');
        buf_put(out, e->app_name);
        xml_write_attr(out, "xmlns", e->app_ns);
        buf_put(out, e->app_attrs);
        buf_put_lit(out, "/>");
    }
    buf_put_lit(out, "</error>");
}
