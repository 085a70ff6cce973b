/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema_value: one value against its key: kind, range, choices. */
#include <stdio.h>

#include "policy/quote.h"
#include "policy/schema_int.h"
#include "policy/suggest.h"

static void join_choices(const struct schema_key *key, char *out, size_t out_bytes)
{
    size_t at = 0;

    out[0] = 0;
    for (uint32_t i = 0; key->choices[i]; i++) {
        const char *glue = i == 0 ? "" : key->choices[i + 1] ? ", " : " or ";
        int len = snprintf(out + at, out_bytes - at, "%s\"%s\"", glue, key->choices[i]);

        if (len < 0 || (size_t)len >= out_bytes - at) {
            return;
        }
        at += (size_t)len;
    }
}

static void read_number(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                        struct schema_value *value)
{
    const struct schema_key *key = &schema_keys[idx];
    uint64_t number;

    if (json_kind_of(&l->doc, value->node) == JSON_NUMBER &&
        slice_parse_u64(json_text(&l->doc, value->node), &number) &&
        ((number >= key->min && number <= key->max) ||
         (number == 0 && (key->flags & SCHEMA_ZERO_OFF)))) {
        value->number = number;
        value->is_good = true;
        return;
    }
    schema_error(l, v, idx, "must be a whole number from %llu to %llu%s%s, not %s",
                 (unsigned long long)key->min, (unsigned long long)key->max,
                 (key->flags & SCHEMA_ZERO_OFF) ? ", or 0 for off" : "",
                 (key->flags & SCHEMA_NULLABLE) ? ", or null" : "",
                 schema_describe(l, key, value->node).text);
}

static void read_choice(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                        struct schema_value *value)
{
    const struct schema_key *key = &schema_keys[idx];
    char allowed[256];
    struct suggest near = {0};

    if (json_kind_of(&l->doc, value->node) == JSON_TEXT) {
        near.word = json_text(&l->doc, value->node);
        for (uint32_t i = 0; key->choices[i]; i++) {
            if (slice_eq_cstr(near.word, key->choices[i])) {
                value->number = i;
                value->is_good = true;
                return;
            }
            suggest_consider(&near, key->choices[i]);
        }
    }
    join_choices(key, allowed, sizeof(allowed));
    schema_error(l, v, idx, "must be %s%s, not %s%s%s%s", allowed,
                 (key->flags & SCHEMA_NULLABLE) ? ", or null" : "",
                 schema_describe(l, key, value->node).text, near.best ? "; did you mean \"" : "",
                 near.best ? near.best : "", near.best ? "\"?" : "");
}

bool schema_has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static void read_text(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                      struct schema_value *value)
{
    const struct schema_key *key = &schema_keys[idx];
    struct slice text;

    if (json_kind_of(&l->doc, value->node) != JSON_TEXT) {
        schema_error(l, v, idx, "must be a text in quotes%s, not %s",
                     (key->flags & SCHEMA_NULLABLE) ? ", or null" : "",
                     schema_describe(l, key, value->node).text);
        return;
    }
    text = json_text(&l->doc, value->node);
    if (text.len < key->min || text.len > key->max) {
        schema_error(l, v, idx, "has %zu bytes; %llu to %llu are allowed", text.len,
                     (unsigned long long)key->min, (unsigned long long)key->max);
        return;
    }
    if (schema_has_control(text)) {
        schema_error(l, v, idx, "holds a control character; printable text is allowed");
        return;
    }
    value->text = text;
    value->is_good = true;
}

static void read_bool(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                      struct schema_value *value)
{
    enum json_kind kind = json_kind_of(&l->doc, value->node);

    if (kind == JSON_TRUE || kind == JSON_FALSE) {
        value->number = kind == JSON_TRUE;
        value->is_good = true;
        return;
    }
    schema_error(l, v, idx, "must be true or false, not %s",
                 schema_describe(l, &schema_keys[idx], value->node).text);
}

static void read_texts(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                       struct schema_value *value)
{
    uint32_t element = 0;
    uint32_t end;

    if (json_kind_of(&l->doc, value->node) != JSON_LIST) {
        schema_error(l, v, idx, "must be a list of texts, [\"...\"], not %s",
                     schema_describe(l, &schema_keys[idx], value->node).text);
        return;
    }
    value->is_good = true;
    end = l->doc.nodes[value->node].next;
    for (uint32_t at = value->node + 1; at < end; at = l->doc.nodes[at].next) {
        if (json_kind_of(&l->doc, at) != JSON_TEXT) {
            schema_element_error(l, v, idx, element, at, "must be a text in quotes, not %s",
                                 schema_describe(l, &schema_keys[idx], at).text);
        } else if (json_text(&l->doc, at).len == 0 || schema_has_control(json_text(&l->doc, at))) {
            schema_element_error(l, v, idx, element, at, "is empty or holds a control character");
        }
        element++;
    }
}

static void read_nested(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                        struct schema_value *value)
{
    enum json_kind wanted = schema_keys[idx].kind == SCHEMA_LIST ? JSON_LIST : JSON_OBJECT;

    if (json_kind_of(&l->doc, value->node) == wanted) {
        value->is_good = true;
        return;
    }
    schema_error(l, v, idx, "must be %s, not %s",
                 wanted == JSON_LIST ? "a list, [ ... ]" : "an object, { ... }",
                 schema_describe(l, &schema_keys[idx], value->node).text);
    value->node = JSON_NONE;
}

/* A setting that is silently without effect would be a lie. */
static void warn_later(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                       const struct schema_value *value)
{
    const struct schema_key *key = &schema_keys[idx];

    if (value->is_good && (key->flags & SCHEMA_LATER) &&
        (value->number != key->number || !slice_eq(value->text, slice_from_cstr(key->text)))) {
        schema_warning(l, v, idx, "is accepted, but has no effect in this release");
    }
}

void schema_read_value(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                       struct schema_value *value)
{
    if (json_kind_of(&l->doc, value->node) == JSON_NULL &&
        (schema_keys[idx].flags & SCHEMA_NULLABLE)) {
        value->node = JSON_NONE;
        return;
    }
    value->is_good = false;
    switch (schema_keys[idx].kind) {
    case SCHEMA_TEXT:
        read_text(l, v, idx, value);
        break;
    case SCHEMA_NUMBER:
        read_number(l, v, idx, value);
        break;
    case SCHEMA_BOOL:
        read_bool(l, v, idx, value);
        break;
    case SCHEMA_CHOICE:
        read_choice(l, v, idx, value);
        break;
    case SCHEMA_TEXTS:
        read_texts(l, v, idx, value);
        break;
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        read_nested(l, v, idx, value);
        break;
    }
    warn_later(l, v, idx, value);
}
