/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props_write: properties as JSON, for the file and for the old product's tools. */
#include "base/check.h"
#include "base/jout.h"
#include "policy/props.h"

#define LINE_BYTES 90u /* a longer list stands on several lines */

static const struct prop *prop_at(const struct props *p, enum schema_key_idx key)
{
    return &p->values[(uint32_t)key - (uint32_t)p->first];
}

static void put_blanks(struct buf *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_putc(out, ' ');
    }
}

static void write_list(const struct prop *prop, struct buf *out)
{
    size_t bytes = 0;
    bool is_long;

    for (uint32_t i = 0; i < prop->count; i++) {
        bytes += prop->list[i].len + 4;
    }
    is_long = prop->count > 1 && bytes > LINE_BYTES;
    buf_putc(out, '[');
    for (uint32_t i = 0; i < prop->count; i++) {
        if (is_long) {
            buf_put_cstr(out, i ? ",\n    " : "\n    ");
        } else if (i) {
            buf_put_lit(out, ", ");
        }
        jout_quoted(out, prop->list[i]);
    }
    buf_put_cstr(out, is_long ? "\n]" : "]");
}

void props_value_write(const struct props *p, enum schema_key_idx key, struct buf *out)
{
    enum schema_kind kind = schema_key_at(key)->kind;
    const struct prop *prop = prop_at(p, key);

    ASSERT(prop->is_written);
    if (kind == SCHEMA_TEXTS) {
        write_list(prop, out);
    } else if (kind == SCHEMA_NUMBER || kind == SCHEMA_BOOL) {
        buf_put(out, prop->text);
    } else {
        jout_quoted(out, prop->text);
    }
}

/* The lines of text behind the first moved in by one level. */
static void put_moved_in(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        buf_putc(out, text.ptr[i]);
        if (text.ptr[i] == '\n') {
            put_blanks(out, 4);
        }
    }
}

void props_write(const struct props *p, bool special_only, struct buf *out)
{
    struct buf value;
    bool is_first = true;

    buf_init(&value, out->bytes_max);
    buf_putc(out, '{');
    for (enum schema_key_idx key = p->first; props_is_key_of(key, p->section);
         key = (enum schema_key_idx)(key + 1)) {
        if (special_only ? !props_is_special(p, key) : !prop_at(p, key)->is_written) {
            continue;
        }
        buf_put_cstr(out, is_first ? "\n    " : ",\n    ");
        jout_quoted(out, slice_from_cstr(schema_key_at(key)->name));
        buf_put_lit(out, ": ");
        buf_clear(&value);
        props_value_write(p, key, &value);
        put_moved_in(out, buf_slice(&value));
        is_first = false;
    }
    out->failed = out->failed || value.failed;
    buf_put_cstr(out, is_first ? "}" : "\n}");
    buf_deinit_wiped(&value);
}

/* --- the old product's --- */

static void write_old_list(const struct prop *prop, uint32_t indent, struct buf *out)
{
    buf_putc(out, '[');
    for (uint32_t i = 0; i < prop->count; i++) {
        buf_put_cstr(out, i ? ",\n" : "\n");
        put_blanks(out, indent + 4);
        jout_quoted(out, prop->list[i]);
    }
    if (prop->count) {
        buf_putc(out, '\n');
        put_blanks(out, indent + 2);
    }
    buf_putc(out, ']');
}

static void write_old_value(const struct props *p, enum schema_key_idx key, uint32_t indent,
                            struct buf *out)
{
    const struct schema_key *k = schema_key_at(key);
    const struct prop *prop = prop_at(p, key);
    char text[PROPS_NAME_BYTES];
    char name[PROPS_NAME_BYTES];
    struct slice value = prop->is_written ? prop->text : props_default(key, text);

    if (key == KEY_partner_allowed_users && !prop->is_written) {
        buf_put_lit(out, "null");
    } else if (k->kind == SCHEMA_TEXTS) {
        write_old_list(prop, indent, out);
    } else if (k->flags & SCHEMA_SECRET || (value.len == 0 && !prop->is_written)) {
        buf_put_lit(out, "null");
    } else if (k->kind == SCHEMA_CHOICE) {
        char word[PROPS_NAME_BYTES];

        slice_to_cstr_cut(value, word, sizeof(word));
        jout_quoted(out, slice_from_cstr(props_old_choice(word, name)));
    } else if (k->kind == SCHEMA_TEXT) {
        jout_quoted(out, value);
    } else {
        buf_put(out, value);
    }
}

static void write_old_line(struct buf *out, uint32_t indent, const char *name, bool is_first)
{
    buf_put_cstr(out, is_first ? "\n" : ",\n");
    put_blanks(out, indent + 2);
    jout_quoted(out, slice_from_cstr(name));
    buf_put_lit(out, ": ");
}

void props_write_old(const struct props *p, uint32_t indent, struct buf *out)
{
    char name[PROPS_NAME_BYTES];
    bool is_first = true;

    buf_putc(out, '{');
    if (p->section == SECTION_partner) {
        write_old_line(out, indent, "Identity", true);
        write_old_value(p, KEY_partner_domain, indent, out);
        is_first = false;
    }
    for (enum schema_key_idx key = p->first; props_is_key_of(key, p->section);
         key = (enum schema_key_idx)(key + 1)) {
        enum schema_kind kind = schema_key_at(key)->kind;

        if (kind == SCHEMA_OBJECT || kind == SCHEMA_LIST || kind == SCHEMA_MAP) {
            continue;
        }
        write_old_line(out, indent, props_old_name(key, name), is_first);
        write_old_value(p, key, indent, out);
        is_first = false;
    }
    buf_putc(out, '\n');
    put_blanks(out, indent);
    buf_putc(out, '}');
}
